"""The proof that an agent has two histories: both branches, signed (spec 11).

    branches    two headers with their signatures, by one key, for one place
    chain       why that key is the agent's, unless it is its first

Nothing else is needed to check it: no store, and no trust in who wrote it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from moltp2p.core import codec
from moltp2p.core.codec import Value
from moltp2p.core.errors import PeerError
from moltp2p.core.ids import AgentId
from moltp2p.core.record import Header, Record, parse

_INCEPTION: Final = 0  # SPEC 03: "| 0 inception |"
_ROTATE: Final = 1  # SPEC 03: "| 1 rotate |"
MAX_LINKS: Final = 256  # SPEC 01: "at most 256 links"


@dataclass(frozen=True, slots=True)
class Fork:
    """The body of a fork record.

    Attributes:
        branches: the `sign1` of both, the one with the lower id first.
        chain: the `sign1` of the inception and the rotations that lead to the key of
            the branches; empty when that is the agent's first.
    """

    branches: tuple[bytes, bytes]
    chain: tuple[bytes, ...] = ()

    def encode(self) -> bytes:
        """Return the bytes of the body."""
        fields: dict[str, Value] = {"branches": list(self.branches)}
        if self.chain:
            fields["chain"] = list(self.chain)
        return codec.encode(fields)


@dataclass(frozen=True, slots=True)
class Forked:
    """Where a fork is: whose, and at which `seq`."""

    agent: AgentId
    seq: int


def parse_fork(body: bytes) -> Fork:
    """Return what the body of a fork record says; not whether it is true.

    Raises:
        PeerError: `bad-body`, or a code of `codec.decode`.
    """
    fields = codec.decode(body)
    if not isinstance(fields, dict):
        raise PeerError("bad-body", "the body is not a map")
    branches = _strings("branches", fields.get("branches"))
    chain = _strings("chain", fields["chain"]) if "chain" in fields else ()
    if (
        len(branches) != 2
        or len(chain) > MAX_LINKS
        or ("chain" in fields) != bool(chain)
    ):
        raise PeerError("bad-body", "a fork has two branches, and a chain or none")
    return Fork((branches[0], branches[1]), chain)


def are_branches(one: Header, other: Header) -> bool:
    """Tell whether two headers, of different records, are branches of a fork."""
    is_same_place = one.seq == other.seq or one.kind == other.kind == _ROTATE
    return (
        one.agent == other.agent
        and one.signing_key == other.signing_key
        and is_same_place
    )


def prove(one: Record, other: Record, chain: Sequence[Record]) -> Fork | None:
    """Return the proof that two records are branches of a fork, or None.

    Args:
        one: a record.
        other: another of the same agent.
        chain: the agent's inception and rotations as far as they are known.
    """
    if one.id == other.id or not are_branches(one.header, other.header):
        return None
    first, second = sorted((one, other), key=lambda record: record.id)
    links: list[Record] = []
    if one.header.key is not None:
        digest = hashlib.sha256(one.header.key).digest()
        commitments = [link.header.next_key for link in chain]
        if digest not in commitments:
            return None
        links = list(chain[: commitments.index(digest) + 1])
    return Fork((first.sign1, second.sign1), tuple(link.sign1 for link in links))


def place_of(fork: Fork) -> Forked:
    """Return where a fork that was checked is."""
    headers = [_read(branch).header for branch in fork.branches]
    return Forked(headers[0].agent, min(header.seq for header in headers))


def check_fork(fork: Fork, network: str) -> None:
    """Refuse a fork that its branches do not prove.

    Args:
        fork: from `parse_fork`.
        network: the network that the fork record is of.

    Raises:
        PeerError: `false-fork`.
    """
    one, other = (_read(branch) for branch in fork.branches)
    if one.id >= other.id:
        raise _false("its branches are one record, or in the wrong order")
    if not are_branches(one.header, other.header):
        raise _false("its branches have other agents, keys or places")
    _check_chain(one.header, [_read(link) for link in fork.chain])
    for record in (one, other, *map(_read, fork.chain)):
        if record.header.network != network:
            raise _false("it is about another network")
        if not record.is_signed():
            raise _false("a signature is not good")


def _check_chain(branch: Header, links: Sequence[Record]) -> None:
    """Refuse a chain that does not lead from the agent to the key of a branch."""
    if (branch.key is None) != (not links):
        raise _false("there is a chain exactly where the branches have a key")
    committed: bytes | None = None
    for place, record in enumerate(links):
        header = record.header
        follows = (
            header.agent == branch.agent
            and header.kind == (_ROTATE if place else _INCEPTION)
            and (header.key is not None) == (place > 0)
            and committed in (None, hashlib.sha256(header.signing_key).digest())
        )
        if not follows or header.next_key is None:
            raise _false("its chain is broken")
        committed = header.next_key
    if committed not in (None, hashlib.sha256(branch.signing_key).digest()):
        raise _false("its chain leads to another key")


def _strings(name: str, value: Value) -> tuple[bytes, ...]:
    if not isinstance(value, list):
        raise PeerError("bad-body", f"field {name!r} is not an array")
    strings = tuple(each for each in value if isinstance(each, bytes))
    if len(strings) != len(value):
        raise PeerError("bad-body", f"field {name!r} holds what is not bytes")
    return strings


def _read(sign1: bytes) -> Record:
    try:
        return parse(codec.encode([sign1, None]))
    except PeerError as error:
        raise _false(f"a branch or link is no record: {error.message}") from None


def _false(why: str) -> PeerError:
    return PeerError("false-fork", f"no fork is proven: {why}")

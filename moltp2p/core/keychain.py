"""An agent's keys over time: pre-rotation (spec 01, after KERI).

Each link commits to the SHA-256 of the next public key, so that whoever steals
today's key cannot rotate: they would have to know a key that was never used.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final, Self

from moltp2p.core.codec import Value
from moltp2p.core.ids import PublicKey, RecordId
from moltp2p.core.kinds import Kind
from moltp2p.core.record import Header, Record

MAX_LINKS: Final = 256  # SPEC 01: "at most 256 links"


@dataclass(frozen=True, slots=True)
class Link:
    """One key's reign.

    Attributes:
        key: signs the agent's records from `since_seq` on.
        since_seq: the `seq` of the inception or rotate record.
        next_key: SHA-256 of the public key that comes after.
        record: the inception or rotate record itself.
    """

    key: PublicKey
    since_seq: int
    next_key: bytes
    record: RecordId


@dataclass(frozen=True, slots=True)
class KeyChain:
    """The links that this node has seen first, oldest first; never empty."""

    links: tuple[Link, ...]

    @property
    def current(self) -> Link:
        """Return the link in force."""
        return self.links[-1]

    def extended(self, record: Record) -> Self:
        """Return the chain with a rotate record that `objection` let pass."""
        return type(self)((*self.links, _link(record)))

    def to_value(self) -> Value:
        """Return the chain as a value for the codec."""
        return [
            [link.key, link.since_seq, link.next_key, link.record]
            for link in self.links
        ]

    @classmethod
    def from_value(cls, value: Value) -> Self:
        """Return the chain that `to_value` gave."""
        return cls(tuple(Link(*row) for row in value))  # type: ignore[misc,union-attr]


def begin(record: Record) -> KeyChain:
    """Return the chain that an inception record begins."""
    return KeyChain((_link(record),))


def advance(chain: KeyChain | None, record: Record) -> KeyChain | None:
    """Return the chain after a record that `objection` let pass."""
    if record.header.kind == Kind.INCEPTION:
        return begin(record)
    if record.header.kind == Kind.ROTATE and chain is not None:
        return chain.extended(record)
    return chain


def objection(chain: KeyChain | None, record: Record) -> str | None:
    """Tell why the key chain does not let this record pass, or None.

    What this says depends on which inception and rotate records a node has seen,
    and in which order, so it is never a reason to REJECT (spec 01).

    Returns:
        `chain-forked`: another inception, or another rotation from the same link,
            was seen first.
        `chain-full`: a rotation too many.
        `not-committed`: a rotation to a key that the newest link did not commit to,
            or to a place before that link.
        `key-unknown`: signed by a key that is not in the chain, as far as we know.
        `key-superseded`: signed by a key at or after the rotation away from it.
    """
    header = record.header
    if header.kind == Kind.INCEPTION:
        return None if chain is None else "chain-forked"
    if header.kind == Kind.ROTATE:
        return _rotation_objection(chain, header)
    if chain is None:
        return None if header.key is None else "key-unknown"
    return _reign_objection(chain, header)


def is_superseded(chain: KeyChain, header: Header) -> bool:
    """Tell whether a record held from before was signed by a key already gone."""
    return _reign_objection(chain, header) == "key-superseded"


def _rotation_objection(chain: KeyChain | None, header: Header) -> str | None:
    if chain is None:
        return "key-unknown"
    committed = hashlib.sha256(header.signing_key).digest()
    if committed != chain.current.next_key:
        is_forked = any(link.next_key == committed for link in chain.links)
        return "chain-forked" if is_forked else "not-committed"
    if header.seq <= chain.current.since_seq:
        return "not-committed"
    return "chain-full" if len(chain.links) == MAX_LINKS else None


def _reign_objection(chain: KeyChain, header: Header) -> str | None:
    keys = [link.key for link in chain.links if link.since_seq <= header.seq]
    if keys[-1] == header.signing_key:
        return None
    return "key-superseded" if header.signing_key in keys else "key-unknown"


def _link(record: Record) -> Link:
    header = record.header
    if header.next_key is None:
        raise ValueError("judge lets no chain record pass without its next key")
    return Link(header.signing_key, header.seq, header.next_key, record.id)

"""Writing an agent's records: each takes the place after the one before."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from moltp2p.core.errors import PeerError, UsageError
from moltp2p.core.ids import AgentId, PublicKey, RecordId
from moltp2p.core.keys import Signer
from moltp2p.core.kinds import Body, Kind, check_shape, encode_body, parse_body
from moltp2p.core.record import Header, Origin, Record, seal


@dataclass(frozen=True, slots=True)
class Head:
    """Where an agent's sequence stands: its newest record."""

    seq: int
    record: RecordId


@dataclass(frozen=True, slots=True)
class Draft:
    """What an agent wants to say, before it is given a place and a signature.

    Attributes:
        kind: a number from the registry.
        body: the body's content, if the kind has one.
        community: where to.
        refs: other records by role.
        ai_generated: the author says that a model wrote it.
        origin: what else the author says of how it came about.
    """

    kind: int
    body: Body | None = None
    community: str | None = None
    refs: Mapping[str, RecordId] = field(default_factory=dict, hash=False)
    ai_generated: bool | None = None
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class Author:
    """An agent that can sign: its name, its network, and its current key."""

    agent: AgentId
    network: str
    signer: Signer

    def write(self, draft: Draft, head: Head, time_ms: int) -> Record:
        """Return the signed record of `draft`, after `head`.

        Raises:
            UsageError: when no reader would accept it.
        """
        header = Header(
            network=self.network,
            agent=self.agent,
            key=self._key(),
            kind=draft.kind,
            seq=head.seq + 1,
            prev=head.record,
            time_ms=time_ms,
            community=draft.community,
            refs=draft.refs,
            ai_generated=draft.ai_generated,
            origin=draft.origin,
        )
        body = None if draft.body is None else encode_body(draft.body)
        return _finish(seal(header, body, self.signer))

    def rotate(self, head: Head, next_key: PublicKey, time_ms: int) -> Record:
        """Return the rotate record that puts this author's signer in force.

        Args:
            head: the agent's newest record.
            next_key: the public key to rotate to after this one.
            time_ms: the author's clock, milliseconds since 1970 UTC.

        Raises:
            UsageError: `bad-header` when `next_key` was used before.
        """
        header = Header(
            network=self.network,
            agent=self.agent,
            key=self.signer.public,
            kind=Kind.ROTATE,
            seq=head.seq + 1,
            prev=head.record,
            time_ms=time_ms,
            next_key=hashlib.sha256(next_key).digest(),
        )
        return _finish(seal(header, None, self.signer))

    def _key(self) -> PublicKey | None:
        key = self.signer.public
        return None if key == PublicKey(self.agent) else key


def incept(network: str, signer: Signer, next_key: PublicKey, time_ms: int) -> Record:
    """Return an agent's first record, committed to its next key (spec 01).

    Raises:
        UsageError: `bad-header` when `next_key` is the signer's own.
    """
    header = Header(
        network=network,
        agent=AgentId(signer.public),
        kind=Kind.INCEPTION,
        seq=0,
        time_ms=time_ms,
        next_key=hashlib.sha256(next_key).digest(),
    )
    return _finish(seal(header, None, signer))


def _finish(record: Record) -> Record:
    """Return the record, held to the rules of its kind as a reader would."""
    try:
        check_shape(record.header)
        if record.body is not None:
            parse_body(record.header.kind, record.body)
    except PeerError as error:
        raise UsageError(error.code, error.message, error.hint) from None
    return record

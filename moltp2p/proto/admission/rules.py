"""What a census is about: proofs, and places (spec 07)."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from moltp2p.core.ids import AgentId, PublicKey, RecordId


class State(enum.Enum):
    """What an agent may do (spec 07, section 8)."""

    UNVERIFIED = "unverified"
    VERIFIED = "verified"
    CHALLENGER = "challenger"


class Objection(enum.Enum):
    """Why an attestation does not help its subject to count (spec 07, section 7)."""

    UNVERIFIED = "attester-unverified"
    LOW = "attester-not-above"
    BEYOND_DEPTH = "beyond-depth"
    YOUNG = "attester-too-young"
    EXPIRED = "expired"
    FUTURE = "from-the-future"
    CHEATED = "attester-cheated"
    KEY_UNKNOWN = "key-unknown"
    REVOKED = "revoked"
    WEAK_TICKET = "weak-ticket"
    TOO_FEW = "too-few"


@dataclass(frozen=True, slots=True)
class Vouch:
    """An attestation, as far as it matters here.

    Attributes:
        issuer: who attests.
        key: what signed it.
        time_ms: when it was given, by the issuer's clock.
        expires_ms: when it ceases to hold.
    """

    issuer: AgentId
    key: PublicKey
    time_ms: int
    expires_ms: int


@dataclass(frozen=True, slots=True)
class Claim:
    """A proof record, as far as it matters here.

    Attributes:
        record: the record.
        subject: its author.
        time_ms: its time.
        ticket: the value of the ticket.
        size: how many challengers the ticket was drawn from.
        vouches: the attestations in it.
    """

    record: RecordId
    subject: AgentId
    time_ms: int
    ticket: bytes
    size: int
    vouches: tuple[Vouch, ...]


@dataclass(frozen=True, slots=True)
class Tally:
    """Who counts at a node, in figures.

    Attributes:
        unverified: agents with a proof that does not count, or does so no more.
        verified: those who count, and may not attest yet.
        challengers: those who count, and may attest.
        known: challengers that said in the last day that they can be asked.
        attestations: what the proofs that are looked at hold.
        quorum: how many a proof made now needs, where all are known.
    """

    unverified: int
    verified: int
    challengers: int
    known: int
    attestations: int
    quorum: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where an agent stands among those who count.

    Attributes:
        depth: how far from this node's own challenges, from 0.
        since_ms: since when it has counted, milliseconds since 1970 UTC.
        of_age_ms: since when it has been of age; None if it is not.
    """

    depth: int
    since_ms: int
    of_age_ms: int | None = None

    @property
    def of_age(self) -> bool:
        """Tell whether it proved itself long before as well."""
        return self.of_age_ms is not None

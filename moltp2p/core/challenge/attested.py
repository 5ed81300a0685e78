"""Bodies of the records that make an agent known as one: kinds 6, 7 and 9 (spec 07).

What is checked here holds of the bytes alone, for everybody and at any time. Who
counts as a challenger, and whether a proof has expired, is each reader's own affair.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

from moltp2p.core import codec
from moltp2p.core.challenge.spelling import (
    MAX_VERSIONS,
    PEER_PATTERN,
    VERSION,
    array,
    integer,
    is_ticket,
    matching,
    read,
)
from moltp2p.core.challenge.statements import Statement
from moltp2p.core.challenge.testimony import SLOTS, Attestation, slots_of
from moltp2p.core.challenge.work import (
    DRAWN,
    EPOCH_LENGTH_MS,
    TICKET_EARLY_MS,
    TICKET_LIFE_MS,
    Ticket,
    is_eligible,
    is_paid,
    ticket_value,
)
from moltp2p.core.codec import Value
from moltp2p.core.errors import PeerError
from moltp2p.core.ids import AgentId, PeerId
from moltp2p.core.limits import MAX_AHEAD_MS
from moltp2p.core.record import Header

QUORUM: Final = 4  # SPEC 07: "4 attestations"
SESSION_MS: Final = EPOCH_LENGTH_MS  # SPEC 07: "3 epochs after that epoch began"
MAX_ADDRESSES: Final = 4  # SPEC 07: "at most 4 addresses"
ADDRESS_PATTERN: Final = r"[!-~]{1,160}"


@dataclass(frozen=True, slots=True)
class Attested:
    """An attestation as its issuer signed it; the body of kind 6.

    Attributes:
        statement: the exact bytes, for whoever wants to check them.
        says: what they say.
    """

    statement: Statement
    says: Attestation

    def to_value(self) -> Value:
        """Return payload and signature."""
        return [self.statement.payload, self.statement.signature]

    @classmethod
    def from_value(cls, value: Value) -> Self:
        """Return the attestation that `to_value` gave.

        Raises:
            PeerError: `bad-statement`, or a code of `codec.decode`.
        """
        parts = value if isinstance(value, list) else []
        statement = Statement.from_value(["attest", *parts])
        return cls(statement, read(statement, Attestation))

    def encode(self) -> bytes:
        """Return the body of kind 6."""
        return codec.encode({"attestation": self.to_value()})


@dataclass(frozen=True, slots=True)
class Proof:
    """A bundle: the ticket of an agent, and those who attest for it; body of kind 7.

    Attributes:
        ticket: what was paid.
        attested: by issuers that the ticket drew, no two of them the same.
    """

    ticket: Ticket
    attested: tuple[Attested, ...]

    @property
    def issuers(self) -> frozenset[AgentId]:
        """Return who attests."""
        return frozenset(each.says.issuer for each in self.attested)

    @property
    def value(self) -> bytes:
        """Return the value of the ticket, as the attestations have it."""
        return self.attested[0].says.ticket or b""

    def encode(self) -> bytes:
        """Return the body of kind 7."""
        return codec.encode(
            {
                "epoch": self.ticket.epoch,
                "size": self.ticket.size,
                "nonce": self.ticket.nonce,
                "attestations": [each.to_value() for each in self.attested],
            }
        )


@dataclass(frozen=True, slots=True)
class Availability:
    """A challenger says that it has slots; body of kind 9.

    Attributes:
        epoch: in which.
        slots: how many are left.
        peer: the challenger's node.
        tasks: versions of the tasks that it sets.
        addresses: where the node can be dialled, if that is not known otherwise.
    """

    epoch: int
    slots: int
    peer: PeerId
    tasks: tuple[str, ...]
    addresses: tuple[str, ...] = ()

    def encode(self) -> bytes:
        """Return the body of kind 9."""
        fields: dict[str, Value] = {
            "epoch": self.epoch,
            "slots": self.slots,
            "peer": self.peer,
            "tasks": list(self.tasks),
        }
        if self.addresses:
            fields["addresses"] = list(self.addresses)
        return codec.encode(fields)


def parse_attested(body: bytes) -> Attested:
    """Return the body of kind 6.

    Raises:
        PeerError: `bad-body`, `bad-statement`, or a code of `codec.decode`.
    """
    return Attested.from_value(_map(body).get("attestation"))


def parse_proof(body: bytes) -> Proof:
    """Return the body of kind 7.

    Raises:
        PeerError: `bad-body`, `bad-statement`, or a code of `codec.decode`.
    """
    fields = _map(body)
    match fields:
        case {
            "epoch": int(epoch),
            "size": int(size),
            "nonce": int(nonce),
            "attestations": list(attested),
        } if is_ticket(fields) and 1 <= len(attested) <= DRAWN:
            ticket = Ticket(epoch, size, nonce)
            return Proof(ticket, tuple(map(Attested.from_value, attested)))
        case _:
            raise PeerError("bad-body", f"not a ticket and 1 to {DRAWN} attestations")


def parse_availability(body: bytes) -> Availability:
    """Return the body of kind 9.

    Raises:
        PeerError: `bad-body`, or a code of `codec.decode`.
    """
    fields: dict[str, Value] = {"addresses": [], **_map(body)}
    for key, holds in _AVAILABILITY.items():
        if key not in fields or not holds(fields[key]):
            raise PeerError("bad-body", f"field {key!r} of an availability")
    values = (fields[key] for key in _AVAILABILITY)
    plain = (tuple(each) if isinstance(each, list) else each for each in values)
    return Availability(*plain)  # type: ignore[arg-type]


_AVAILABILITY: Final = {
    "epoch": integer(0, 2**40),
    "slots": integer(0, SLOTS),
    "peer": matching(PEER_PATTERN),
    "tasks": array(1, MAX_VERSIONS, VERSION),
    "addresses": array(0, MAX_ADDRESSES, matching(ADDRESS_PATTERN)),
}


def check_attested(header: Header, attested: Attested) -> None:
    """Refuse an attestation that its issuer did not give, or could not.

    Holds afterwards: the record is by the issuer, who signed the attestation; it was
    given before the record was written, and in the life of its ticket, which was paid.

    Raises:
        PeerError: `bad-attestation` or `bad-ticket`.
    """
    if attested.says.issuer != header.agent:
        raise PeerError("bad-attestation", "published by another than its issuer")
    _check_given(header, attested)


def check_proof(header: Header, proof: Proof) -> None:
    """Refuse a bundle that is not one; the Argon2id of its ticket comes last.

    Holds afterwards: each attestation is of this agent, signed by its issuer, given
    in the life of the ticket, not expired when the record was written; no issuer
    twice; the ticket drew each issuer, is paid for, and is what it says it is.

    Raises:
        PeerError: `bad-attestation`, `not-eligible` or `bad-ticket`.
    """
    if len(proof.issuers) != len(proof.attested):
        raise PeerError("bad-attestation", "two attestations by one issuer")
    for each in proof.attested:
        _check_of_ticket(header, proof, each.says)
        _check_given(header, each)
    if ticket_value(header.network, header.agent, proof.ticket) != proof.value:
        raise PeerError("bad-ticket", "the ticket has another value")


def _check_of_ticket(header: Header, proof: Proof, says: Attestation) -> None:
    given = (says.subject, says.ticket, says.epoch)
    if given != (header.agent, proof.value, proof.ticket.epoch) or not proof.value:
        raise PeerError("bad-attestation", "of another agent, or another ticket")
    if header.time_ms >= says.expires_ms:
        raise PeerError("bad-attestation", "it had expired when it was put there")
    if not is_eligible(proof.value, proof.ticket.size, says.issuer):
        raise PeerError("not-eligible", "the ticket did not draw this issuer")


def _check_given(header: Header, attested: Attested) -> None:
    says = attested.says
    if says.time_ms > header.time_ms + MAX_AHEAD_MS:
        raise PeerError("bad-attestation", "given after the record was written")
    if says.ticket is not None and says.epoch is not None:
        since_ms = says.time_ms - says.epoch * EPOCH_LENGTH_MS
        if not -TICKET_EARLY_MS <= since_ms < TICKET_LIFE_MS + SESSION_MS:
            raise PeerError("bad-attestation", "not given in the life of its ticket")
        if (says.slot or 0) >= slots_of(header.network):
            raise PeerError("bad-attestation", "more slots than a challenger has")
        if not is_paid(header.network, says.ticket):
            raise PeerError("bad-ticket", "too few zero bits")
    if not attested.statement.is_by(says.signing_key, header.network):
        raise PeerError("bad-attestation", "not signed by the key that it names")


def _map(body: bytes) -> dict[str, Value]:
    fields = codec.decode(body)
    if not isinstance(fields, dict):
        raise PeerError("bad-body", "the body is not a map")
    return fields

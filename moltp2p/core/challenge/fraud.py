"""Fraud proofs: a challenger's own signatures that contradict each other (kind 8).

    slot     two attestations for one slot of one epoch, of two sessions
    reveal   an offer or a round that binds to something else than is revealed
    score    a session, and an attestation of it that says otherwise

Anybody can check them from the bytes alone. They convict whoever owns the *keys*
that signed; that a key is the accused agent's own is for a key chain to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from moltp2p.core import codec
from moltp2p.core.challenge.audit import is_borne_out, log_of, reveal_objection
from moltp2p.core.challenge.spelling import read
from moltp2p.core.challenge.statements import Statement
from moltp2p.core.challenge.testimony import Attestation, Offer, Reveal, Round
from moltp2p.core.errors import PeerError
from moltp2p.core.ids import AgentId, PublicKey

MAX_STATEMENTS: Final = 11  # SPEC 07: "at most 11 statements"
FRAUDS: Final = ("slot", "reveal", "score")  # SPEC 07: "`slot`, `reveal` or `score`"


@dataclass(frozen=True, slots=True)
class Fraud:
    """What a challenger signed and should not have; the body of kind 8.

    Attributes:
        fraud: `slot`, `reveal` or `score`.
        statements: the evidence, in the order of spec 07.
        accused: the agent that the evidence names as its issuer.
        keys: the keys that signed it; it counts only if all are the agent's.
    """

    fraud: str
    statements: tuple[Statement, ...]
    accused: AgentId
    keys: frozenset[PublicKey]

    @classmethod
    def of(cls, fraud: str, statements: Sequence[Statement]) -> Self:
        """Return a fraud proof with these statements. Nothing is checked yet.

        Raises:
            PeerError: `bad-statement`, or a code of `codec.decode`.
        """
        issuers = _issuers(fraud, statements)
        accused = {each.issuer for each in issuers}
        if len(accused) != 1:
            raise PeerError("bad-statement", "evidence against several agents")
        keys = frozenset(
            PublicKey(each.issuer) if each.key is None else each.key for each in issuers
        )
        return cls(fraud, tuple(statements), accused.pop(), keys)

    @property
    def times_ms(self) -> tuple[int, ...]:
        """Return when the attestations in the evidence were given, if there are any."""
        given = (each for each in self.statements if each.word == "attest")
        return tuple(read(each, Attestation).time_ms for each in given)

    def encode(self) -> bytes:
        """Return the body of kind 8."""
        statements = [each.to_value() for each in self.statements]
        return codec.encode({"fraud": self.fraud, "statements": statements})


def parse_fraud(body: bytes) -> Fraud:
    """Return the body of kind 8.

    Raises:
        PeerError: `bad-body`, `bad-statement`, or a code of `codec.decode`.
    """
    match codec.decode(body):
        case {"fraud": str(fraud), "statements": list(values)} if (
            fraud in FRAUDS and 2 <= len(values) <= MAX_STATEMENTS
        ):
            return Fraud.of(fraud, [Statement.from_value(each) for each in values])
        case _:
            raise PeerError("bad-body", "not a fraud and its statements")


def check_fraud(fraud: Fraud, network: str) -> None:
    """Refuse evidence that shows no fraud.

    Raises:
        PeerError: `false-fraud`.
    """
    try:
        shown = _CHECKS[fraud.fraud](fraud.statements, network)
    except PeerError as error:
        raise PeerError("false-fraud", error.message) from None
    if not shown:
        raise PeerError("false-fraud", f"no fraud of kind {fraud.fraud!r}")


def _issuers(
    fraud: str, statements: Sequence[Statement]
) -> list[Attestation] | list[Offer]:
    """Return the statements that name who is accused."""
    if fraud == "reveal":
        return [read(statements[0], Offer)]
    if fraud == "score":
        return [read(statements[-1], Attestation)]
    return [read(each, Attestation) for each in statements]


def _shows_slot(statements: Sequence[Statement], network: str) -> bool:
    first, second = [read(each, Attestation) for each in statements[:2]]
    return (
        len(statements) == 2
        and first.slot is not None
        and (first.issuer, first.epoch, first.slot)
        == (second.issuer, second.epoch, second.slot)
        and first.log != second.log
        and statements[0].is_by(first.signing_key, network)
        and statements[1].is_by(second.signing_key, network)
    )


def _shows_reveal(statements: Sequence[Statement], network: str) -> bool:
    if len(statements) != 3:
        return False
    offer = read(statements[0], Offer)
    asked, reveal = read(statements[1], Round), read(statements[2], Reveal)
    key = PublicKey(offer.issuer) if offer.key is None else offer.key
    return (
        {asked.session, reveal.session} == {offer.session}
        and reveal_objection(offer, asked, reveal) is not None
        and all(each.is_by(key, network) for each in statements)
    )


def _shows_score(statements: Sequence[Statement], network: str) -> bool:
    *session, attest = statements
    says = read(attest, Attestation)
    return (
        log_of(session) == says.log
        and attest.is_by(says.signing_key, network)
        and not is_borne_out(says, session, network)
    )


_CHECKS: Final = {
    "slot": _shows_slot,
    "reveal": _shows_reveal,
    "score": _shows_score,
}

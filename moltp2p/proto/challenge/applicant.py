"""The applicant's side of a session (spec 07, section 3).

Nothing leaves it but hashes, until the challenger has revealed its answers; then the
salts of those answers that are its own as well. Whatever the challenger signed and
should not have is evidence: kept, and shown to anybody.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from moltp2p.core.challenge.attested import Attested
from moltp2p.core.challenge.audit import is_borne_out, log_of, reveal_objection
from moltp2p.core.challenge.fraud import Fraud, check_fraud
from moltp2p.core.challenge.spelling import NONCE_BYTES, read
from moltp2p.core.challenge.statements import Statement, digest
from moltp2p.core.challenge.testimony import (
    ROUNDS,
    TASKS,
    Accept,
    Apply,
    Attestation,
    Check,
    Commit,
    Offer,
    Open,
    Reveal,
    Round,
    answer_commit,
    session_id,
    slots_of,
    world_seed,
)
from moltp2p.core.challenge.work import Ticket
from moltp2p.core.errors import PeerError
from moltp2p.core.ids import AgentId, PeerId
from moltp2p.core.limits import MAX_AHEAD_MS
from moltp2p.proto.challenge.answers import Met, allowed, opened
from moltp2p.proto.challenge.events import (
    Answered,
    Ask,
    Failed,
    Party,
    Passed,
)
from moltp2p.proto.challenge.evidence import world_objection
from moltp2p.proto.challenge.machine import (
    Ending,
    Machine,
    Moment,
    Script,
    Step,
    hear,
    refusal,
    spoken,
)
from moltp2p.proto.challenge.messages import (
    FIRST_WAIT_S,
    OFFER_WAIT_S,
    WAIT_S,
    limit_ms,
)
from moltp2p.proto.challenge.talk import Talk

DIGEST_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Challenged:
    """Whom an applicant applies to.

    Attributes:
        issuer: the challenger.
        peer: its node; the remote peer of the stream.
    """

    issuer: AgentId
    peer: PeerId


@dataclass(frozen=True, slots=True)
class Invited:
    """An applicant that was asked: it applies without a ticket, if it likes.

    Attributes:
        peer: the remote peer of the stream.
        is_welcome: tells whether we let ourselves be checked now.
    """

    peer: PeerId
    is_welcome: Callable[[Check], bool]


def applicant(
    party: Party, other: Challenged, ticket: Ticket, value: bytes, begun: Moment
) -> Machine:
    """Return the side of an applicant that has paid for a ticket.

    Args:
        party: who we are.
        other: whom we apply to.
        ticket: what was paid; it has drawn them.
        value: the ticket's value.
        begun: when the stream was opened.
    """
    session = _Session(party, other.peer, begun, ticket, value)
    return Machine(session.applying(other.issuer), lambda: tuple(session.talk.heard))


def invited(party: Party, invitation: Invited, begun: Moment) -> Machine:
    """Return the side of an agent on whose node somebody has opened a stream to ask.

    Args:
        party: who we are.
        invitation: who asks.
        begun: when the stream was opened.
    """
    session = _Session(party, invitation.peer, begun, None, None)
    script = session.asked(invitation.is_welcome)
    return Machine(script, lambda: tuple(session.talk.heard))


class _Session:
    def __init__(
        self,
        party: Party,
        peer: PeerId,
        begun: Moment,
        ticket: Ticket | None,
        value: bytes | None,
    ) -> None:
        self.talk = Talk(party)
        self._party = party
        self._peer = peer
        self._begun = begun
        self._ticket = ticket
        self._value = value

    def asked(self, is_welcome: Callable[[Check], bool]) -> Script[Ending]:
        """Hear who wants to challenge us, and apply."""
        heard, now = yield from hear(Step((), self._begun.now + FIRST_WAIT_S))
        check, party = read(heard, Check), self._party
        if (check.subject, check.to, check.peer) != (
            party.agent,
            party.peer,
            self._peer,
        ):
            raise PeerError("wrong-party", "a check of, or by, somebody else")
        self.talk.believe(check.issuer, check.key)
        self.talk.hold(heard)
        if not is_welcome(check):
            raise PeerError("declined", "no check now", "try again in a few hours")
        asked = digest("check", heard.payload)
        return (yield from self._apply(check.issuer, asked, check.rounds, now))

    def applying(self, issuer: AgentId) -> Script[Ending]:
        """Apply with the ticket."""
        return self._apply(issuer, None, ROUNDS, self._begun.now)

    def _apply(
        self, issuer: AgentId, asked: bytes | None, rounds: int, now: float
    ) -> Script[Ending]:
        party = self._party
        applied = self.talk.say(
            Apply(
                party.agent,
                party.key,
                party.peer,
                issuer,
                self._peer,
                self._random(),
                (party.tasks.version,),
                self._ticket,
                asked,
            )
        )
        payload = self.talk.heard[-1].payload
        heard, now = yield from hear(Step((applied,), now + OFFER_WAIT_S))
        offer = self._taken(heard, issuer, payload)
        accept = Accept(offer.session, self._random())
        step = Step((self.talk.say(accept),), now + WAIT_S)
        met: list[Met] = []
        for number in range(rounds):
            each, step = yield from self._round(step, offer, number, met)
            met.append(each)
        heard, now = yield from hear(step)
        reveal = self.talk.hear(heard, Reveal, offer.session)
        if failed := self._lie(offer, accept, reveal, met):
            return (refusal(failed.code),), failed
        said = self.talk.say(opened(offer.session, reveal, met))
        heard, now = yield from hear(Step((said,), now + WAIT_S))
        return self._received(heard, self._begun.at(now))

    def _taken(self, heard: Statement, issuer: AgentId, payload: bytes) -> Offer:
        """Return the offer, if it is the answer to our application."""
        offer = read(heard, Offer)
        if offer.issuer != issuer:
            raise PeerError("wrong-party", "an offer of another challenger")
        if offer.session != session_id(payload, offer.commit):
            raise PeerError("wrong-party", "an offer to another application")
        if (offer.slot is None) != (self._ticket is None):
            raise PeerError("bad-statement", "a slot stands with a ticket")
        if (offer.slot or 0) >= slots_of(self._party.network):
            raise PeerError("bad-statement", "more slots than a challenger has")
        if offer.tasks != self._party.tasks.version:
            raise PeerError("unknown-tasks", f"tasks here are {offer.tasks!r}")
        self.talk.believe(issuer, offer.key)
        self.talk.hold(heard)
        return offer

    def _round(
        self, step: Step, offer: Offer, number: int, before: Sequence[Met]
    ) -> Script[tuple[Met, Step]]:
        """Take a step, meet four tasks, and seal what the solver makes of them."""
        heard, now = yield from hear(step)
        asked = self.talk.hear(heard, Round, offer.session)
        if asked.number != number:
            raise PeerError("bad-statement", "another round than is due")
        if asked.limit_ms < (least := limit_ms(asked.texts)):
            raise PeerError("unfair-limit", f"{asked.limit_ms} ms, and not {least}")
        end = now + asked.limit_ms / 1_000
        reminder = before[0].asked.texts[:1] if before else ()
        ask = Ask(number, asked.texts, reminder, asked.limit_ms)
        turn = yield Step((ask,), end)
        if not isinstance(turn.event, Answered):
            spoken(turn, late="too-late")
            raise PeerError("bad-statement", "a statement before its turn")
        answers = tuple(map(allowed, turn.event.answers))
        salts = tuple(self._random() for _ in answers)
        items = tuple(
            self._sealed(offer.session, number, index, salt, answer)
            for index, (salt, answer) in enumerate(zip(salts, answers, strict=True))
        )
        said = self.talk.say(Commit(offer.session, number, items))
        return Met(heard, asked, answers, salts), Step((said,), turn.now + WAIT_S)

    def _sealed(
        self, session: bytes, number: int, index: int, salt: bytes, answer: str | None
    ) -> bytes:
        """Seal an answer; what stands for none cannot be told from one."""
        if answer is None:
            return self._party.random_bytes(DIGEST_BYTES)
        return answer_commit(session, number, index, salt, answer)

    def _lie(
        self, offer: Offer, accept: Accept, reveal: Reveal, met: Sequence[Met]
    ) -> Failed | None:
        """Return how the challenger is not what it was bound to be, or None."""
        heard = tuple(self.talk.heard)
        if len(reveal.answers) != len(met):
            return Failed("bad-statement", "another number of rounds", heard)
        for each in met:
            if objection := reveal_objection(offer, each.asked, reveal):
                evidence = [self.talk.first("offer"), each.statement, heard[-1]]
                fraud = Fraud.of("reveal", evidence)
                return Failed("reveal-mismatch", objection, heard, fraud)
        seed = world_seed(reveal.nonce, accept.nonce, self._party.agent, offer.issuer)
        rounds = [each.asked for each in met]
        if objection := world_objection(self._party.tasks, seed, rounds, reveal):
            # Kept and not sent: it makes a whole session of what can be shown.
            self.talk.say(Open(offer.session, ((None,) * TASKS,) * len(met)))
            return Failed("wrong-world", objection, tuple(self.talk.heard))
        return None

    def _received(self, heard: Statement, time_ms: int) -> Ending:
        """Return how the session ends, once the attestation has come."""
        session = tuple(self.talk.heard)
        says = read(heard, Attestation)
        self.talk.hold(heard)
        is_true = is_borne_out(says, session, self._party.network)
        is_bound = says.log == log_of(session)
        is_ours = says.ticket == self._value
        is_timely = abs(says.time_ms - time_ms) <= MAX_AHEAD_MS
        if is_true and is_bound and is_ours and is_timely:
            return (), Passed(Attested(heard, says))
        fraud = None
        if is_bound and not is_true:
            fraud = _if_shown(Fraud.of("score", self.talk.heard), self._party.network)
        code, message = "bad-attestation", "it does not say what the session shows"
        return (), Failed(code, message, tuple(self.talk.heard), fraud)

    def _random(self) -> bytes:
        return self._party.random_bytes(NONCE_BYTES)


def _if_shown(fraud: Fraud, network: str) -> Fraud | None:
    """Return a fraud that others will see, too: not one in somebody else's name."""
    try:
        check_fraud(fraud, network)
    except PeerError:
        return None
    return fraud

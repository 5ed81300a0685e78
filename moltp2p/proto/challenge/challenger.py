"""The challenger's side of a session (spec 07, section 3).

    apply ─▶ offer ─▶ accept ─▶ (round ─▶ commit)… ─▶ reveal ─▶ open ─▶ attest

An attestation is signed last, after an audit of all that was said: what it signs
must convict nobody. A slot is held from the offer on, and free again if nothing was
signed for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from moltp2p.core.challenge.attested import Attested
from moltp2p.core.challenge.audit import log_of, read_session, score_of
from moltp2p.core.challenge.spelling import NONCE_BYTES, read, write
from moltp2p.core.challenge.statements import digest
from moltp2p.core.challenge.testimony import (
    PASS_SCORES,
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
    nonce_commit,
    round_commit,
    session_id,
    world_seed,
)
from moltp2p.core.challenge.work import is_eligible, is_paid, price
from moltp2p.core.errors import PeerError
from moltp2p.core.ids import AgentId
from moltp2p.proto.challenge.desk import Desk, Seat, Visitor
from moltp2p.proto.challenge.events import (
    Failed,
    Hashed,
    HashTicket,
    Keep,
    Party,
    Passed,
    Send,
    Words,
)
from moltp2p.proto.challenge.machine import (
    Ending,
    Machine,
    Moment,
    Script,
    Step,
    hear,
    spoken,
)
from moltp2p.proto.challenge.messages import (
    FIRST_WAIT_S,
    WAIT_S,
    Fail,
    encode_message,
    limit_ms,
)
from moltp2p.proto.challenge.talk import Talk


@dataclass(frozen=True, slots=True)
class Host:
    """A challenger, as all its sessions share it.

    Attributes:
        party: who we are.
        words: our private wording of the tasks.
        desk: whom we have time for.
    """

    party: Party
    words: Words
    desk: Desk


@dataclass(frozen=True, slots=True)
class Invite:
    """A challenge on our own account: whom, and for how many rounds."""

    subject: AgentId
    rounds: int


def challenger(
    host: Host, visitor: Visitor, begun: Moment, invite: Invite | None = None
) -> Machine:
    """Return the challenger's side of a session.

    Args:
        host: the challenger.
        visitor: who is at the other end; `Desk.enter` has let it in, and `Desk.leave`
            is for the driver to call in the end.
        begun: when the stream was opened.
        invite: whom we ask, if it was us who opened the stream.
    """
    session = _Session(host, visitor, begun, invite)
    return Machine(session.script(), lambda: tuple(session.talk.heard))


@dataclass(frozen=True, slots=True)
class _Set:
    """A round as it was set: what we are bound to, and how long it took."""

    salt: bytes
    answers: tuple[str, ...]
    limit_ms: int
    took_ms: int


class _Session:
    def __init__(
        self, host: Host, visitor: Visitor, begun: Moment, invite: Invite | None
    ) -> None:
        self.talk = Talk(host.party)
        self._host = host
        self._party = host.party
        self._visitor = visitor
        self._begun = begun
        self._invite = invite
        self._seat: Seat | None = None

    def script(self) -> Script[Ending]:
        """Challenge, and free the slot unless something was signed for it."""
        is_signed = False
        try:
            ending = yield from self._session()
            is_signed = isinstance(ending[1], Passed)
        finally:
            if self._seat is not None and not is_signed:
                self._host.desk.release(self._seat)
        return ending

    def _session(self) -> Script[Ending]:
        apply, now = yield from self._application()
        value = b""
        if apply.ticket is not None:
            value, now = yield from self._draw(apply, now)
            time_ms = self._begun.at(now)
            self._seat = self._host.desk.reserve(
                apply.subject, apply.ticket, value, time_ms
            )
        nonce = self._random()
        commit = nonce_commit(nonce)
        session = session_id(self.talk.heard[-1].payload, commit)
        slot = None if self._seat is None else self._seat.slot
        party = self._party
        offer = Offer(
            session, party.agent, party.key, commit, party.tasks.version, slot
        )
        said = self.talk.say(offer)
        heard, then = yield from hear(Step((said,), now + WAIT_S))
        accept = self.talk.hear(heard, Accept, session)
        seed = world_seed(nonce, accept.nonce, apply.subject, party.agent)
        trip_ms = round((then - now) * 1_000)
        rounds = ROUNDS if self._invite is None else self._invite.rounds
        done: list[_Set] = []
        for number in range(rounds):
            each, then = yield from self._round(session, number, seed, trip_ms, then)
            done.append(each)
        revealed = self.talk.say(
            Reveal(
                session,
                nonce,
                tuple(each.salt for each in done),
                tuple(each.answers for each in done),
            )
        )
        heard, then = yield from hear(Step((revealed,), then + WAIT_S))
        self.talk.hear(heard, Open, session)
        return self._judged(value, done, self._begun.at(then))

    def _application(self) -> Script[tuple[Apply, float]]:
        """Hear an application; everything that costs next to nothing comes first."""
        check = None if self._invite is None else self._checked(self._invite)
        said = () if check is None else (check,)
        heard, now = yield from hear(Step(said, self._begun.now + FIRST_WAIT_S))
        apply = read(heard, Apply)
        party, visitor = self._party, self._visitor
        if (apply.peer, apply.to, apply.issuer) != (
            visitor.peer,
            party.peer,
            party.agent,
        ):
            raise PeerError("wrong-party", "an application of, or to, somebody else")
        if party.tasks.version not in apply.tasks:
            raise PeerError("unknown-tasks", f"tasks here are {party.tasks.version}")
        self._hold_asked(apply)
        if apply.ticket is not None:
            self._host.desk.weigh(apply.subject, apply.ticket, self._begun.at(now))
        self.talk.believe(apply.subject, apply.key)
        self.talk.hold(heard)
        return apply, now

    def _checked(self, invite: Invite) -> Send:
        party = self._party
        return self.talk.say(
            Check(
                party.agent,
                party.key,
                party.peer,
                self._visitor.peer,
                invite.subject,
                self._random(),
                invite.rounds,
            )
        )

    def _hold_asked(self, apply: Apply) -> None:
        """Refuse an application that is not the answer to our check, if any."""
        asked, subject = None, apply.subject
        if self._invite is not None:
            asked = digest("check", self.talk.heard[0].payload)
            subject = self._invite.subject
        if (apply.check, apply.subject) != (asked, subject):
            raise PeerError("wrong-party", "the answer to another check, or to none")

    def _draw(self, apply: Apply, now: float) -> Script[tuple[bytes, float]]:
        """Have the ticket computed; return its value."""
        ticket = apply.ticket
        if ticket is None:
            raise ValueError("only a ticket can be drawn")
        self._host.desk.pay_hash(now)
        turn = yield Step((HashTicket(apply.subject, ticket),), now + WAIT_S)
        if not isinstance(turn.event, Hashed):
            spoken(turn)
            raise PeerError("bad-statement", "a statement before its turn")
        value = turn.event.value
        if not is_paid(self._party.network, value):
            bits = price(self._party.network).bits
            raise PeerError("bad-ticket", f"its value does not begin with {bits} zeros")
        if not is_eligible(value, ticket.size, self._party.agent):
            raise PeerError("not-eligible", "the ticket did not draw this challenger")
        return value, turn.now

    def _round(
        self, session: bytes, number: int, seed: bytes, trip_ms: int, now: float
    ) -> Script[tuple[_Set, float]]:
        """Set four tasks, and hear the sealed answers."""
        tasks = self._party.tasks
        worlds: list[Any] = list(tasks.batch(seed, number, TASKS))
        answers = tuple(tasks.answers(worlds))
        texts = tuple(self._host.words(world) for world in worlds)
        allowed_ms, salt = limit_ms(texts, trip_ms), self._random()
        commit = round_commit(session, number, salt, answers)
        said = self.talk.say(Round(session, number, texts, commit, allowed_ms))
        end = now + allowed_ms / 1_000
        heard, then = yield from hear(Step((said,), end), late="too-late")
        if then > end:
            raise PeerError("too-late", f"answers after {then - now:.1f} s")
        if self.talk.hear(heard, Commit, session).number != number:
            raise PeerError("bad-statement", "the answers to another round")
        took_ms = round((then - now) * 1_000)
        return _Set(salt, answers, allowed_ms, took_ms), then

    def _judged(self, value: bytes, done: list[_Set], time_ms: int) -> Ending:
        """Attest what was seen, or tell the applicant, and nobody else, of failure."""
        party, seat = self._party, self._seat
        session = read_session(self.talk.heard, party.network)
        score = score_of(session)
        if score < PASS_SCORES[len(done)]:
            failed = Failed("not-passed", f"{score} answers were right and opened")
            return (Send(encode_message(Fail(score))),), failed
        attestation = Attestation(
            subject=session.apply.subject,
            issuer=party.agent,
            key=party.key,
            tasks=party.tasks.version,
            score=score,
            took_ms=sum(each.took_ms for each in done),
            limit_ms=sum(each.limit_ms for each in done),
            time_ms=time_ms,
            log=log_of(self.talk.heard),
            ticket=value or None,
            epoch=None if seat is None else seat.epoch,
            slot=None if seat is None else seat.slot,
            rounds=len(done) if seat is None else None,
        )
        statement = write(attestation, party.signer, party.network)
        attested = Attested(statement, attestation)
        said = Send(encode_message(statement))
        return (Keep(attested), said), Passed(attested)

    def _random(self) -> bytes:
        return self._party.random_bytes(NONCE_BYTES)

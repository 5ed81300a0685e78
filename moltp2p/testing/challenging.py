"""Two machines of a challenge, and what stands between them.

A pair makes a duet, and a duet runs to its end in virtual time:

    duet = Pair().duet(Between(think_s=31)).run()

Afterwards `duet.subject_end` and `duet.issuer_end` say how it ended for each.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count

from moltp2p.core.challenge.attested import Attested
from moltp2p.core.challenge.work import Ticket, ticket_value
from moltp2p.core.ids import AgentId, PublicKey
from moltp2p.proto.challenge.applicant import Challenged, Invited, applicant, invited
from moltp2p.proto.challenge.challenger import Host, Invite, challenger
from moltp2p.proto.challenge.desk import Desk, DeskSettings, Visitor
from moltp2p.proto.challenge.events import (
    Answered,
    Ask,
    ChallengeAction,
    ChallengeEvent,
    Done,
    Failed,
    Hashed,
    HashTicket,
    Keep,
    Party,
    Passed,
    Received,
    Send,
    Tasks,
    TimedOut,
    Words,
    is_first_key,
)
from moltp2p.proto.challenge.machine import Machine, Moment
from moltp2p.proto.challenge.messages import MAX_MESSAGE_BYTES
from moltp2p.proto.framing import encode_frame
from moltp2p.proto.ratelimit import Rate
from moltp2p.testing.factories import EPOCH_MS, TestAgent
from moltp2p.testing.proofs import known_agent, peer_of, tickets, value_of
from moltp2p.testing.toy_tasks import ToyTasks, solve_toy, word_toy

Solve = Callable[[str], str | None]
Tamper = Callable[[bytes], Sequence[bytes]]
Reigns = Callable[[AgentId, PublicKey], bool]

NETWORK = "test-net"
FREE = DeskSettings(sessions=64, visits=Rate(1e6, 1e6), hashes=Rate(1e6, 1e6))


def whole(payload: bytes) -> Sequence[bytes]:
    """Pass a frame on as it is."""
    return (payload,)


def dice(name: str) -> Callable[[int], bytes]:
    """Return what gives bytes that look random: SHA-256 of the name and a number."""
    numbers = count()

    def fall(size: int) -> bytes:
        return hashlib.sha256(f"{name} {next(numbers)}".encode()).digest()[:size]

    return fall


def party(agent: TestAgent, seed: int = 1, reigns: Reigns = is_first_key) -> Party:
    """Return an agent as a party; its dice fall alike in every run."""
    return Party(
        agent.id,
        agent.author.signer,
        peer_of(agent.name),
        agent.network,
        ToyTasks(),
        dice(f"{agent.name} {seed}"),
        reigns,
    )


def visitor(agent: TestAgent, address: str = "192.0.2.1") -> Visitor:
    """Return an agent's node as it stands at a door."""
    return Visitor(peer_of(agent.name), address)


@dataclass(frozen=True)
class Performed:
    """One event, and what a machine did."""

    machine: Machine
    event: ChallengeEvent
    now: float
    actions: tuple[ChallengeAction, ...]


@dataclass(frozen=True)
class Between:
    """The solver, the wire, and how long they take.

    Attributes:
        solve: the applicant's solver.
        think_s: how long it takes for a round.
        trip_s: how long a frame is under way.
        to_issuer: what a frame becomes on its way to the challenger.
        to_subject: what it becomes on its way to the applicant.
    """

    solve: Solve = solve_toy
    think_s: float = 5.0
    trip_s: float = 0.05
    to_issuer: Tamper = whole
    to_subject: Tamper = whole


@dataclass
class Duet:
    """A session between two machines, with a wire and a clock.

    Attributes:
        subject: the applicant's machine.
        issuer: the challenger's machine.
        between: what stands between them.
        now: seconds.
        wire_bytes: of all frames, with their lengths.
        turns: what was given to which machine, when, and what it did then.
        kept: the attestations that were to be published.
        subject_end: how it ended for the applicant.
        issuer_end: how it ended for the challenger.
    """

    subject: Machine
    issuer: Machine
    between: Between = field(default_factory=Between)
    now: float = 1_000.0
    wire_bytes: int = 0
    turns: list[Performed] = field(default_factory=list)
    kept: list[Attested] = field(default_factory=list)
    subject_end: Passed | Failed | None = None
    issuer_end: Passed | Failed | None = None
    _due: deque[tuple[Machine, ChallengeEvent]] = field(default_factory=deque)

    def run(self) -> Duet:
        """Let both talk until both have ended; whoever waits in vain times out."""
        self._do(self.issuer, self.issuer.first)
        self._do(self.subject, self.subject.first)
        while not (self.subject.is_done and self.issuer.is_done):
            if not self._due:
                waiting = [m for m in (self.subject, self.issuer) if not m.is_done]
                first = min(waiting, key=lambda machine: machine.deadline)
                self.now = max(self.now, first.deadline)
                self._due.append((first, TimedOut()))
            machine, event = self._due.popleft()
            actions = machine.handle(event, self.now)
            self.turns.append(Performed(machine, event, self.now, actions))
            self._do(machine, actions)
        return self

    def frames(self) -> list[bytes]:
        """Return all frames that arrived anywhere, in order."""
        events = (turn.event for turn in self.turns)
        return [each.payload for each in events if isinstance(each, Received)]

    def _do(self, machine: Machine, actions: Sequence[ChallengeAction]) -> None:
        for action in actions:
            match action:
                case Send(payload):
                    self._carry(machine, payload)
                case Done(outcome):
                    self._end(machine, outcome)
                case Keep(attested):
                    self.kept.append(attested)
                case HashTicket(subject, ticket):
                    value = ticket_value(NETWORK, subject, ticket)
                    self._due.append((machine, Hashed(value)))
                case Ask():
                    self._ask(machine, action)

    def _ask(self, machine: Machine, ask: Ask) -> None:
        self.now += self.between.think_s
        if self.now > machine.deadline:
            self._due.append((machine, TimedOut()))
        else:
            answers = tuple(map(self.between.solve, ask.texts))
            self._due.append((machine, Answered(answers)))

    def _carry(self, machine: Machine, payload: bytes) -> None:
        is_up = machine is self.subject
        other = self.issuer if is_up else self.subject
        self.now += self.between.trip_s
        tamper = self.between.to_issuer if is_up else self.between.to_subject
        for each in tamper(payload):
            self.wire_bytes += len(encode_frame(each, MAX_MESSAGE_BYTES))
            self._due.append((other, Received(each)))

    def _end(self, machine: Machine, outcome: Passed | Failed) -> None:
        if machine is self.subject:
            self.subject_end = outcome
        else:
            self.issuer_end = outcome


@dataclass(frozen=True)
class Pair:
    """Alice, who applies with a ticket, and bob, who challenges.

    Attributes:
        subject: who applies.
        issuer: who challenges.
        ticket: what was paid.
        desk: the challenger's.
        seed: of their dice.
        reigns: which keys they take for whose.
        tasks: what is asked.
        words: the challenger's wording.
    """

    subject: TestAgent = field(default_factory=lambda: known_agent("alice"))
    issuer: TestAgent = field(default_factory=lambda: known_agent("bob"))
    desk: Desk = field(default_factory=lambda: Desk(FREE))
    seed: int = 1
    reigns: Reigns = is_first_key
    tasks: Tasks = field(default_factory=ToyTasks)
    words: Words = word_toy

    @property
    def ticket(self) -> Ticket:
        """Return the subject's first ticket."""
        return next(tickets(self.subject))

    def party(self, agent: TestAgent) -> Party:
        """Return one of the two as a party."""
        own = party(agent, self.seed, self.reigns)
        return dataclasses.replace(own, tasks=self.tasks)

    def applying(self, ticket: Ticket | None = None, now: float = 1_000.0) -> Machine:
        """Return the applicant's machine."""
        paid = ticket or self.ticket
        other = Challenged(self.issuer.id, peer_of(self.issuer.name))
        value = value_of(self.subject, paid)
        own = self.party(self.subject)
        return applicant(own, other, paid, value, Moment(now, EPOCH_MS))

    def challenging(
        self,
        now: float = 1_000.0,
        invite: Invite | None = None,
        at_door: Visitor | None = None,
    ) -> Machine:
        """Return the challenger's machine."""
        who = at_door or visitor(self.subject)
        own = Host(self.party(self.issuer), self.words, self.desk)
        return challenger(own, who, Moment(now, EPOCH_MS), invite)

    def duet(self, between: Between | None = None) -> Duet:
        """Return a session by ticket."""
        return Duet(self.applying(), self.challenging(), between or Between())

    def check(
        self, rounds: int, between: Between | None = None, *, is_welcome: bool = True
    ) -> Duet:
        """Return a session that the challenger asked for."""
        asked = Invited(peer_of(self.issuer.name), lambda _: is_welcome)
        subject = invited(
            party(self.subject, self.seed), asked, Moment(1_000, EPOCH_MS)
        )
        issuer = self.challenging(invite=Invite(self.subject.id, rounds))
        return Duet(subject, issuer, between or Between())

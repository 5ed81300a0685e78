"""A network that admits by proof, growing in virtual time: who gets in, and who not.

    society = Society(1, [load_library()])
    society.join("ada", honest)          # one more, who knows nobody
    society.hour()                       # those who have to prove themselves do
    society.counted_by("ada")            # whom she lets speak

Each member has the protocol's own machines: a register of who counts, a desk, and both
sides of a session. What a real node's driver does is done here in turns of an hour, by
the same rules: direct challenges of the first peers, tickets, applications, proofs,
renewals. Records come at once to all who are not cut off. The seed decides everything.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Final

from moltp2p.core.author import Draft
from moltp2p.core.challenge.attested import QUORUM, Attested, Availability, Proof
from moltp2p.core.challenge.testimony import RENEW_MS, ROUNDS, VALID_MS
from moltp2p.core.challenge.work import (
    EPOCH_LENGTH_MS,
    SMALL_NETWORK,
    Ticket,
    epoch_of,
    is_eligible,
    least_size,
    usual_size,
)
from moltp2p.core.ids import AgentId, PublicKey
from moltp2p.core.kinds import Kind, check_claims, parse_body
from moltp2p.core.record import Record
from moltp2p.core.topics import NetworkParams
from moltp2p.node.proving.applying import SPARE
from moltp2p.node.proving.challenging import FIRST_PEERS
from moltp2p.proof.dice import Dice
from moltp2p.proof.pack import Library
from moltp2p.proof.tasks import Worlds
from moltp2p.proof.wording import word
from moltp2p.proof.world import Family, World
from moltp2p.proto.admission.register import Live, Register
from moltp2p.proto.admission.rules import State
from moltp2p.proto.challenge.applicant import Challenged, Invited, applicant, invited
from moltp2p.proto.challenge.challenger import Host, Invite, challenger
from moltp2p.proto.challenge.desk import Desk, DeskSettings
from moltp2p.proto.challenge.events import Failed, Party, Passed
from moltp2p.proto.challenge.machine import Machine, Moment
from moltp2p.testing.challenging import Between, Duet, Solve, dice, visitor
from moltp2p.testing.factories import EPOCH_MS, TestAgent
from moltp2p.testing.proofs import peer_of, tickets, value_of

NETWORK: Final = NetworkParams("test-net", admission=True)
TRIES: Final = 2
"""Tickets that a member tries in an hour, when one is not enough."""


@dataclass(frozen=True, slots=True)
class Told:
    """A task as it was put to an applicant.

    Attributes:
        family: what sort of task it is.
        text: what the challenger worded.
        right: its answer.
        earlier: the first text of the session, in later rounds.
    """

    family: Family
    text: str
    right: str
    earlier: tuple[str, ...] = ()


Mind = Callable[[Told, random.Random], str | None]
"""Answers a task; an honest one may look at what is right, with luck."""


def honest(told: Told, luck: random.Random) -> str | None:
    """Answer as a model does that is right 19 times in 20."""
    return told.right if luck.random() < 0.95 else "wrong"


@dataclass(eq=False)
class Member:
    """One node and its agent.

    Attributes:
        agent: signs its records.
        mind: answers its tasks.
        library: its phrases.
        register: who counts, in its view.
        desk: its slots.
        met: whom it has challenged itself.
        attested: what its ticket has brought, by issuer.
        ticket: the one in hand.
        published: how many of those its proof has.
    """

    agent: TestAgent
    mind: Mind
    library: Library
    register: Register
    desk: Desk = field(default_factory=lambda: Desk(DeskSettings()))
    met: set[AgentId] = field(default_factory=set)
    attested: dict[AgentId, Attested] = field(default_factory=dict)
    asked: set[AgentId] = field(default_factory=set)
    ticket: Ticket | None = None
    published: int = 0
    weak: int = 0

    @property
    def id(self) -> AgentId:
        """Return its agent."""
        return self.agent.id

    def until_ms(self) -> int | None:
        """Return until when it may speak, in its own view."""
        return self.register.admitted_until_ms(self.id)


class Society:
    """All members, and what they have said.

    Args:
        seed: of all chance.
        libraries: whose words the members set tasks with, in turns.

    Attributes:
        members: by name, in the order in which they joined.
        sessions: how many were held.
    """

    def __init__(self, seed: int, libraries: Sequence[Library]) -> None:
        self.members: dict[str, Member] = {}
        self.sessions = 0
        self.now_ms = EPOCH_MS - EPOCH_MS % EPOCH_LENGTH_MS
        self._by_id: dict[AgentId, Member] = {}
        self._libraries = libraries
        self._rng = random.Random(seed)  # noqa: S311  # repeatable
        self._seed = seed
        self._told: dict[str, Told] = {}
        self._said: list[tuple[frozenset[str], Record]] = []
        self._sides: list[set[str]] = [set()]

    # -- who is there ------------------------------------------------------------------

    def join(self, name: str, mind: Mind, side: int = 0) -> Member:
        """Let somebody in who knows nobody; it hears what was said on its side."""
        agent = TestAgent(name, NETWORK.id, self.now_ms)
        register = Register(agent.id, _owns, self.now_ms)
        library = self._libraries[len(self.members) % len(self._libraries)]
        self.members[name] = member = Member(agent, mind, library, register)
        self._by_id[agent.id] = member
        self._sides[side].add(name)
        heard = [record for reach, record in self._said if reach & self._sides[side]]
        register.note_all(heard)
        self._hear(agent.incept(), member)
        return member

    def split(self, *sides: Iterable[str]) -> None:
        """Cut the members into parts that do not hear each other."""
        self._sides = [set(side) for side in sides]

    def heal(self) -> None:
        """Let all hear each other again, and what was said meanwhile."""
        self._sides = [set(self.members)]
        for at, (reach, record) in enumerate(self._said):
            for name in self._sides[0] - reach:
                self.members[name].register.note(record)
            self._said[at] = frozenset(self._sides[0]), record

    def counted_by(self, name: str) -> set[str]:
        """Return those who may speak now, in the view of one; itself among them."""
        register = self.members[name].register
        return {
            other
            for other, member in self.members.items()
            if (register.admitted_until_ms(member.id) or 0) > self.now_ms
        }

    # -- time --------------------------------------------------------------------------

    def hour(self) -> None:
        """Let an hour pass in which everybody does what it has to do."""
        self.rest(1)
        order = list(self.members.values())
        self._rng.shuffle(order)
        for member in order:
            self._announce(member)
        for member in order:
            self._acquaint(member)
        for member in order:
            self._prove(member)

    def rest(self, hours: int) -> None:
        """Let hours pass in which nobody does anything."""
        self.now_ms += hours * EPOCH_LENGTH_MS
        for member in self.members.values():
            member.register.advance(self.now_ms)

    def challenge(self, name: str, other: str) -> bool:
        """Have one member challenge another on its own account; tell if it passed."""
        member, subject = self.members[name], self.members[other]
        asked = Invited(peer_of(name), lambda _: True)
        machine = invited(self._party(subject), asked, self._moment())
        invite = Invite(subject.id, ROUNDS)
        return self._meet(subject, machine, member, invite) is not None

    # -- what a node's driver does -----------------------------------------------------

    def _announce(self, member: Member) -> None:
        register = member.register
        is_needed = register.known(self.now_ms) < SMALL_NETWORK or _knows_none(member)
        if is_needed or register.now.state(member.id) is State.CHALLENGER:
            epoch = epoch_of(self.now_ms)
            slots, peer = member.desk.slots_left(epoch), peer_of(member.agent.name)
            said = Availability(epoch, slots, peer, (Worlds().version,))
            self._publish(member, Draft(Kind.AVAILABILITY, said))

    def _acquaint(self, member: Member) -> None:
        """Challenge the first peers; then one in an hour whom only others count."""
        strangers = self._live(member, is_known=False)
        self._rng.shuffle(strangers)
        asked = 0
        for live in strangers:
            register = member.register
            is_first = 0 < len(member.met) < FIRST_PEERS or _knows_none(member)
            is_counted = register.now.place(live.agent) is not None
            is_proved = bool(register.now.claims(live.agent)) and not is_counted
            if live.agent in member.met or not (is_first or (is_proved and not asked)):
                continue
            asked += 1
            other = self._member(live).agent.name
            if self.challenge(member.agent.name, other):
                member.met.add(live.agent)

    def _prove(self, member: Member) -> None:
        """Get a proof, or a thicker one, or a new one."""
        for _ in range(TRIES):
            until_ms = member.until_ms()
            if until_ms is not None and until_ms - VALID_MS + RENEW_MS > self.now_ms:
                self._thicken(member)
                return
            if not self._live(member, is_known=True):
                return
            size = usual_size(member.register.known(self.now_ms)) << member.weak
            member.weak = 0
            member.ticket = self._ticket(member, size)
            member.attested, member.asked, member.published = {}, set(), 0
            self._ask(member)

    def _thicken(self, member: Member) -> None:
        """Go on with a ticket: as far as newcomers need no slots, to all of four."""
        ticket, now_epoch = member.ticket, epoch_of(self.now_ms)
        if ticket is None or ticket.epoch + 1 < now_epoch:
            return
        time_ms = member.register.now.claims(member.id)[0].time_ms
        least = self._quorum(member, time_ms) + SPARE
        if member.published < (QUORUM if ticket.epoch < now_epoch else least):
            self._ask(member)

    def _ticket(self, member: Member, size: int) -> Ticket:
        """Return one of the hour's tickets, another each time."""
        found = tickets(member.agent, size, self.now_ms)
        skipped = self._rng.randrange(TRIES + 1)
        return next(islice(found, skipped, None))

    def _ask(self, member: Member) -> None:
        """Apply to whom the ticket drew, until there is enough; publish it."""
        ticket = member.ticket
        if ticket is None or ticket.size < least_size(
            member.register.known(self.now_ms)
        ):
            return
        value = value_of(member.agent, ticket)
        live = self._live(member, is_known=True)
        self._rng.shuffle(live)
        for each in live:
            if len(member.attested) >= self._plenty(member, ticket):
                break
            is_drawn = is_eligible(value, ticket.size, each.agent)
            if is_drawn and each.agent not in member.asked:
                member.asked.add(each.agent)
                self._apply(member, self._member(each), ticket, value)
        is_more = len(member.attested) > member.published
        if is_more and len(member.attested) >= self._quorum(member, self.now_ms):
            attested = tuple(member.attested.values())[:QUORUM]
            self._publish(member, Draft(Kind.PROOF, Proof(ticket, attested)))
            member.published = len(attested)

    def _apply(
        self, member: Member, other: Member, ticket: Ticket, value: bytes
    ) -> None:
        at = Challenged(other.id, peer_of(other.agent.name))
        machine = applicant(self._party(member), at, ticket, value, self._moment())
        if attested := self._meet(member, machine, other):
            member.attested[other.id] = attested

    def _meet(
        self,
        subject: Member,
        machine: Machine,
        issuer: Member,
        invite: Invite | None = None,
    ) -> Attested | None:
        """Hold a session; publish and return the attestation, if there is one."""
        self.sessions += 1
        issuer.desk.challengers = issuer.register.known(self.now_ms)
        who = visitor(subject.agent, subject.agent.name)
        host = Host(self._party(issuer), partial(self._word, issuer), issuer.desk)
        challenging = challenger(host, who, self._moment(), invite)
        between = Between(self._mind(subject))
        duet = Duet(machine, challenging, between, self._moment().now).run()
        for each in duet.kept:
            self._publish(issuer, Draft(Kind.ATTESTATION, each))
        ended = duet.subject_end
        if isinstance(ended, Failed) and ended.code == "weak-ticket":
            subject.weak = 1
        return ended.attested if isinstance(ended, Passed) else None

    # -- what it stands on -------------------------------------------------------------

    def _live(self, member: Member, *, is_known: bool) -> list[Live]:
        """Return who can be asked; all, or those who count as challengers."""
        names = self._reach(member)
        return [
            live
            for live in member.register.challengers(self.now_ms)
            if live.agent != member.id
            and self._member(live).agent.name in names
            and (
                not is_known
                or member.register.now.state(live.agent) is State.CHALLENGER
            )
        ]

    def _member(self, live: Live) -> Member:
        return self._by_id[live.agent]

    def _plenty(self, member: Member, ticket: Ticket) -> int:
        if ticket.epoch < epoch_of(self.now_ms):
            return QUORUM
        return min(self._quorum(member, self.now_ms) + SPARE, QUORUM)

    def _quorum(self, member: Member, time_ms: int) -> int:
        return member.register.now.bars()[-1].quorum(time_ms, 1)

    def _reach(self, member: Member) -> frozenset[str]:
        name = member.agent.name
        return frozenset(next(side for side in self._sides if name in side))

    def _publish(self, member: Member, draft: Draft) -> None:
        member.agent.time_ms = max(member.agent.time_ms, self.now_ms)
        self._hear(member.agent.write(draft), member)

    def _hear(self, record: Record, author: Member) -> None:
        """Have a record checked once, for all, and noted by whom it reaches."""
        body = record.body
        said = None if body is None else parse_body(record.header.kind, body)
        if said is not None:
            check_claims(record.header, said)
        reach = self._reach(author)
        self._said.append((reach, record))
        for name in reach:
            self.members[name].register.note(record)

    def _moment(self) -> Moment:
        return Moment(self.now_ms / 1_000, self.now_ms)

    def _party(self, member: Member) -> Party:
        name = f"{member.agent.name} {self._seed} {self.sessions}"
        agent = member.agent
        worlds = Worlds()
        peer = peer_of(agent.name)
        return Party(
            agent.id, agent.author.signer, peer, NETWORK.id, worlds, dice(name)
        )

    def _word(self, member: Member, world: World) -> str:
        seed = self._rng.randbytes(16)
        text = word(world, member.library, Dice(seed))
        self._told[text] = Told(world.family, text, Worlds().answer(world))
        return text

    def _mind(self, member: Member) -> Solve:
        heard: list[str] = []

        def solve(text: str) -> str | None:
            told = self._told[text]
            heard.append(text)
            earlier = tuple(heard[:1]) if len(heard) > 4 else ()
            told = Told(told.family, told.text, told.right, earlier)
            return member.mind(told, self._rng)

        return solve


def _owns(agent: AgentId, key: PublicKey) -> bool:
    return PublicKey(agent) == key


def _knows_none(member: Member) -> bool:
    return not member.register.now.agents().keys() - {member.id}

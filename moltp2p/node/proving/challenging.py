"""The challenger's side of a node, and what others may ask of it (spec 07).

/moltp2p/verify/1.0.0 ──▶ desk ──▶ apply: we challenge ──▶ kind 6, then `attest`
                              └──▶ check: we are challenged
once an epoch      ──▶ kind 9: we have slots
we count nobody    ──▶ direct challenges of the first peers
others count them  ──▶ direct challenges of those whom we do not, one in an hour
at random hours    ──▶ spot checks of those who count
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Final

import trio

from moltp2p.core.author import Draft
from moltp2p.core.challenge.attested import MAX_ADDRESSES, Availability
from moltp2p.core.challenge.spelling import read
from moltp2p.core.challenge.statements import Statement
from moltp2p.core.challenge.testimony import ROUNDS, SLOTS, Check
from moltp2p.core.challenge.work import SMALL_NETWORK, epoch_of
from moltp2p.core.errors import MoltError, PeerError
from moltp2p.core.ids import AgentId, agent_text
from moltp2p.core.kinds import Kind
from moltp2p.net.base import Stream
from moltp2p.net.log import get_logger
from moltp2p.node.proving.account import Account
from moltp2p.node.proving.challenge_means import Means
from moltp2p.node.proving.verify_stream import Ended, Line, converse
from moltp2p.proto.admission.register import Live
from moltp2p.proto.admission.rules import State
from moltp2p.proto.challenge.applicant import Invited, invited
from moltp2p.proto.challenge.challenger import Host, Invite, challenger
from moltp2p.proto.challenge.desk import Desk, Visitor
from moltp2p.proto.challenge.events import Passed, Words
from moltp2p.proto.challenge.machine import Machine
from moltp2p.proto.challenge.messages import (
    FIRST_WAIT_S,
    Refuse,
    decode_message,
    encode_message,
)
from moltp2p.proto.ratelimit import Rate, RateLimiter

DAY_S: Final = 86_400.0
TICK_S: Final = 0.5
"""How often to look whether somebody has come who can be asked."""

FIRST_PEERS: Final = 3  # SPEC 07: "challenge the first 3 peers or more"
REPEAT_S: Final = 5.0
"""Until what could not be written is tried again."""
ANOTHER_TRY_S: Final = 60.0
"""Until a peer that could not be challenged is asked again."""

OTHERS: Final = Rate(1 / 3_600, 4)  # SPEC 07: "one in an hour"
"""Direct challenges of those who have a proof that is not enough here."""

SPOT_S: Final = 3 * DAY_S  # SPEC 07: "one in three days to each agent"
SPOT_CHECKS: Final = Rate(2 / DAY_S, 2)  # SPEC 07: "at most 2 a day"
CHECKS_BY_ONE: Final = Rate(2 / DAY_S, 2)
CHECKS_BY_STRANGERS: Final = Rate(24 / DAY_S, 16)
CHECKS_BY_KNOWN: Final = Rate(24 / DAY_S, 16)
"""Checks that we answer: each costs the solver up to eight tasks; beyond it
`declined`. Strangers cannot use up what is there for those who count."""
MAX_RATED: Final = 1_024

log = get_logger(__name__)


class Challenging:
    """Challenges whoever applies, and those whom it wants to know itself.

    Args:
        means: the node.
        words: our private wording of the tasks.
        desk: whom we have time for.

    Attributes:
        counters: sessions that ended here, by how: `passed`, or a code.
    """

    def __init__(self, means: Means, words: Words, desk: Desk) -> None:
        self.counters: Counter[str] = Counter()
        self._means = means
        self._words = words
        self._desk = desk
        self._by_one = RateLimiter[AgentId](CHECKS_BY_ONE, MAX_RATED)
        self._by_strangers = RateLimiter[None](CHECKS_BY_STRANGERS, 1)
        self._by_known = RateLimiter[None](CHECKS_BY_KNOWN, 1)
        self._spots = RateLimiter[AgentId](SPOT_CHECKS, MAX_RATED)
        self._others = RateLimiter[None](OTHERS, 1)
        self._met: set[AgentId] = set()
        self._groups: Counter[str] = Counter()
        self._tried_at: dict[AgentId, float] = {}

    def slots_left(self) -> int:
        """Return how many attestations may still be given in this epoch."""
        return self._desk.slots_left(epoch_of(self._means.now_ms()))

    # -- what others ask ---------------------------------------------------------

    async def serve(self, stream: Stream) -> None:
        """Serve a stream that a peer has opened.

        Raises:
            PeerError: the peer did what it must not.
        """
        line = Line(stream)
        visitor = self._means.visitor(stream.peer)
        self._desk.challengers = self._means.agents.known
        try:
            self._desk.enter(visitor, trio.current_time())
        except PeerError as error:
            self.counters[error.code] += 1
            await line.send(encode_message(Refuse(error.code)))
            return
        try:
            await self._serve(line, visitor)
        finally:
            self._desk.leave(visitor)

    async def _serve(self, line: Line, visitor: Visitor) -> None:
        heard = b""
        with trio.move_on_after(FIRST_WAIT_S):
            heard = await line.receive()
        if not heard:
            return
        machine = self._machine(heard, visitor)
        hands = self._means.hands()
        account = Account(hands.ask)
        ended = await converse(machine, line, replace(hands, ask=account.ask), heard)
        self.counters[ended.code] += 1
        if account.is_of_tasks:
            self._means.tell(_checked(heard) | account.told(ended))
        await self._means.settle(visitor.peer, ended)

    def _machine(self, heard: bytes, visitor: Visitor) -> Machine:
        """Return our side of a session that begins with this frame."""
        message, moment = decode_message(heard), self._means.moment()
        party = self._means.party()
        if not isinstance(message, Statement):
            raise PeerError("bad-statement", "a session begins with a statement")
        if message.word == "check":
            # Looked at here: the machine runs in a thread.
            is_ready = self._means.answering.solver.is_ready
            invitation = Invited(
                visitor.peer,
                lambda check: is_ready and self._welcomes(check, moment.now),
            )
            return invited(party, invitation, moment)
        return challenger(Host(party, self._words, self._desk), visitor, moment)

    def _welcomes(self, check: Check, now: float) -> bool:
        """Tell whether we let ourselves be checked; counts those whom we let."""
        counts = self._means.agents.state(check.issuer) is not State.UNVERIFIED
        shared = self._by_known if counts else self._by_strangers
        return shared.take(None, 1, now) and self._by_one.take(check.issuer, 1, now)

    # -- what we ask -------------------------------------------------------------

    async def check(self, live: Live, rounds: int) -> Ended:
        """Challenge an agent on our own account.

        Raises:
            PeerError: it cannot be reached.
        """
        stream = await self._means.open_stream(live)
        try:
            visitor = self._means.visitor(stream.peer)
            host = Host(self._means.party(), self._words, self._desk)
            invite = Invite(live.agent, rounds)
            machine = challenger(host, visitor, self._means.moment(), invite)
            ended = await converse(machine, Line(stream), self._means.hands())
        finally:
            await stream.close()
        await self._means.settle(stream.peer, ended)
        self.counters[f"check-{ended.code}"] += 1
        return ended

    async def acquaint(self) -> None:
        """Challenge the first peers, and then whom only others count, for ever."""
        while True:
            if live := self._stranger():
                await self._meet(live)
            else:
                await trio.sleep(TICK_S)

    def _stranger(self) -> Live | None:
        """Return whom to challenge next, if there is somebody."""
        able = self._able()
        if self._is_new():
            # SPEC 07: "from at least 2 groups of addresses"
            means = self._means
            near = (each for each in able if means.is_connected(each.says.peer))
            met = self._groups
            return min(
                near, key=lambda each: met[means.group(each.says.peer)], default=None
            )
        agents = self._means.agents
        others = [
            each
            for each in able
            if agents.has_proof(each.agent)
            and agents.state(each.agent) is State.UNVERIFIED
        ]
        if others and self._others.take(None, 1, trio.current_time()):
            return self._means.dice.choice(others)
        return None

    def _is_new(self) -> bool:
        # Those whom it knows by itself make a node hard to fool: it goes on to
        # three even when others vouch for somebody by then.
        return 0 < len(self._met) < FIRST_PEERS or self._means.agents.counts_nobody

    def _able(self) -> list[Live]:
        """Return who says that it can be asked, and was not, or not lately."""
        now = trio.current_time()
        return [
            live
            for live in self._means.agents.challengers(self._means.now_ms())
            if live.agent not in self._met
            and live.agent != self._means.agent
            and now >= self._tried_at.get(live.agent, 0.0) + ANOTHER_TRY_S
        ]

    async def _meet(self, live: Live) -> None:
        self._tried_at[live.agent] = trio.current_time()
        try:
            ended = await self.check(live, ROUNDS)
        except MoltError as error:
            log.info("not challenged", code=error.code)
            return
        if isinstance(ended.outcome, Passed):
            self._met.add(live.agent)
            self._groups[self._means.group(live.says.peer)] += 1

    async def spot(self) -> None:
        """Check those who count at random hours, for ever."""
        while True:
            known = self._means.counting()
            mean_s = SPOT_S / max(len(known), 1)
            await trio.sleep(self._means.dice.expovariate(1 / mean_s))
            if known := self._means.counting():
                await self._spot(self._means.dice.choice(known))

    async def _spot(self, live: Live) -> None:
        if not self._spots.take(live.agent, 1, trio.current_time()):
            return
        try:
            await self.check(live, 1)
        except MoltError as error:
            log.info("no spot check", code=error.code)

    # -- what we say -------------------------------------------------------------

    async def announce(self) -> None:
        """Say once in an epoch that we have slots, for ever."""
        announced = None
        while True:
            epoch = epoch_of(self._means.now_ms())
            if epoch != announced and self._may_announce(epoch):
                try:
                    await self._announce(epoch)
                    announced = epoch
                except MoltError as error:
                    log.info("not announced", code=error.code)
                    await trio.sleep(REPEAT_S)
            await trio.sleep(TICK_S)

    def _may_announce(self, epoch: int) -> bool:
        agents = self._means.agents
        # In a small network those who know nobody must find each other.
        is_needed = agents.known < SMALL_NETWORK or agents.counts_nobody
        counts = agents.own().state is State.CHALLENGER
        return (is_needed or counts) and self._desk.slots_left(epoch) > 0

    async def _announce(self, epoch: int) -> None:
        means = self._means
        addresses = tuple(means.network.addresses()[:MAX_ADDRESSES])
        slots = min(self._desk.slots_left(epoch), SLOTS)
        peer = means.network.peer_id
        tasks = (means.party().tasks.version,)
        said = Availability(epoch, slots, peer, tasks, addresses)
        await means.publish(Draft(Kind.AVAILABILITY, said))


def _checked(heard: bytes) -> dict[str, object]:
    """Return the event that somebody has challenged us on its own account."""
    first = decode_message(heard)
    agent = None
    if isinstance(first, Statement) and first.word == "check":
        agent = agent_text(read(first, Check).issuer)
    return {"event": "checked", "agent": agent}

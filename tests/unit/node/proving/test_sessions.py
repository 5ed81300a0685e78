"""Sessions on streams: whatever the other side does, they end, and others go on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

import pytest
import trio
from trio.testing import MockClock

from moltp2p.core.challenge.testimony import SLOTS
from moltp2p.core.challenge.work import epoch_of
from moltp2p.core.errors import PeerError
from moltp2p.net.base import Stream
from moltp2p.node.proving.account import Account
from moltp2p.node.proving.applying import Attempt
from moltp2p.node.proving.ticket_search import Found
from moltp2p.node.proving.verify_stream import Ended, Line, converse
from moltp2p.proto.admission.register import Live
from moltp2p.proto.challenge.applicant import Challenged, applicant
from moltp2p.proto.challenge.challenger import Host, challenger
from moltp2p.proto.challenge.desk import DeskSettings
from moltp2p.proto.challenge.messages import PROTOCOL
from moltp2p.testing.proofs import tickets, value_of
from moltp2p.testing.toy_tasks import word_toy
from tests.provers import House, Town, Toy, open_houses

LONGEST_S = 150.0
"""Two rounds of 30 s and every other wait."""
ENDINGS = {
    "too-slow",
    "too-late",
    "stream-reset",
    "bad-frame",
    "frame-too-large",
    "bad-statement",
    "malformed",
    "not-canonical",
}


class Saboteur(Line):
    """Says all that an honest party says, up to one frame."""

    def __init__(self, stream: Stream, place: int, how: str) -> None:
        super().__init__(stream)
        self._place, self._how = place, how
        self._said: list[bytes] = []
        self._is_gone = False

    async def receive(self) -> bytes:
        if self._is_gone:
            await trio.sleep_forever()
        return await super().receive()

    async def send(self, payload: bytes) -> None:
        if len(self._said) == self._place:
            await SABOTAGE[self._how](self, payload)
        else:
            await super().send(payload)
        self._said.append(payload)

    async def garbage(self, _: bytes) -> None:
        await super().send(b"\xff" * 100)

    async def stall(self, _: bytes) -> None:
        await trio.sleep_forever()

    async def close(self, _: bytes) -> None:
        self._is_gone = True
        await self.stream.close()
        raise PeerError("stream-reset", "gone")

    async def reset(self, _: bytes) -> None:
        self._is_gone = True
        await self.stream.reset()
        raise PeerError("stream-reset", "gone")

    async def halve(self, payload: bytes) -> None:
        await self.stream.send_all(b"\x80\x04" + payload[:40])
        await self.close(payload)

    async def burst(self, _: bytes) -> None:
        await self.stream.send_all(b"\x81\x40" + bytes(8_193))

    async def repeat(self, payload: bytes) -> None:
        await super().send(self._said[-1] if self._said else payload[:-1])

    async def trickle(self, payload: bytes) -> None:
        for byte in payload:
            await self.stream.send_all(bytes([byte]))
            await trio.sleep(1)


Sabotage = Callable[[Saboteur, bytes], Awaitable[None]]
SABOTAGE: dict[str, Sabotage] = {
    "garbage": Saboteur.garbage,
    "stall": Saboteur.stall,
    "close": Saboteur.close,
    "reset": Saboteur.reset,
    "half a frame": Saboteur.halve,
    "a frame too large": Saboteur.burst,
    "out of order": Saboteur.repeat,
    "a byte a second": Saboteur.trickle,
}
HOW = pytest.mark.parametrize("how", SABOTAGE)
PLACE = pytest.mark.parametrize("place", range(5))


def live_of(town: Town, name: str, asked_by: str) -> Live:
    agents = town[asked_by].agents
    (live,) = [
        each
        for each in agents.challengers(town.clock.now_ms())
        if each.agent == town[name].agent.id
    ]
    return live


def attempts(house: House) -> Callable[[], Attempt]:
    """Return what gives one paid ticket after the other."""
    paid = tickets(house.agent, 1, house.town.clock.now_ms())

    def attempt() -> Attempt:
        ticket = next(paid)
        return Attempt(Found(ticket, value_of(house.agent, ticket)))

    return attempt


async def apply(town: Town, name: str, to: str, attempt: Attempt) -> Ended:
    house = town[name]
    account = Account(house.means.answering.answer)
    live = live_of(town, to, name)
    ended = await house.applying._session(attempt, live, account)
    await trio.sleep(1)  # until the other has seen us out
    return ended


def free_slots(house: House) -> int:
    return house.desk.slots_left(epoch_of(house.town.clock.now_ms()))


def _has_asked(solver: Toy, before: int) -> bool:
    return len(solver.asked) > before


async def until(is_so: Callable[[], object]) -> None:
    while not is_so():  # noqa: ASYNC110  # of a counter nobody signals
        await trio.sleep(0.1)


async def sabotaged(town: Town, attempt: Attempt, place: int, how: str) -> None:
    """Have alice apply to bob, and misbehave."""
    means = town["alice"].means
    stream = await means.open_stream(live_of(town, "bob", "alice"))
    found, bob = attempt.found, town["bob"].agent.id
    machine = applicant(
        means.party(),
        Challenged(bob, stream.peer),
        found.ticket,
        found.value,
        means.moment(),
    )
    await converse(machine, Saboteur(stream, place, how), means.hands())


@HOW
@PLACE
async def test_a_challenger_gets_over_any_applicant(
    how: str, place: int, autojump_clock: MockClock
) -> None:
    async with open_houses("alice", "bob") as town:
        town.announce("bob")
        bob, attempt = town["bob"], attempts(town["alice"])
        begun = trio.current_time()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(sabotaged, town, attempt(), place, how)
            with trio.fail_after(LONGEST_S):
                await until(
                    lambda: bob.challenging.counters or trio.current_time() > begun + 20
                )
                await until(lambda: not bob.desk._visitors)
            nursery.cancel_scope.cancel()

        assert set(bob.challenging.counters) <= ENDINGS
        assert free_slots(bob) == SLOTS
        assert town.attested(bob.agent.id) == []
        assert (await apply(town, "alice", "bob", attempt())).code == "passed"


@HOW
@PLACE
async def test_an_applicant_gets_over_any_challenger(
    how: str, place: int, autojump_clock: MockClock
) -> None:
    async with open_houses("alice", "bob") as town:
        town.announce("bob")
        bob, attempt = town["bob"], attempts(town["alice"])

        async def hostile(stream: Stream) -> None:
            means = bob.means
            host = Host(means.party(), word_toy, bob.desk)
            machine = challenger(host, means.visitor(stream.peer), means.moment())
            await converse(machine, Saboteur(stream, place, how), means.hands())

        bob.network.handle(PROTOCOL, hostile)
        with trio.fail_after(LONGEST_S):
            ended = await apply(town, "alice", "bob", attempt())

        assert ended.code in ENDINGS
        bob.start()
        assert (await apply(town, "alice", "bob", attempt())).code == "passed"


@pytest.mark.parametrize(
    "settings",
    [
        DeskSettings(sessions=1),
        DeskSettings(sessions_per_address=1),
        DeskSettings(sessions_per_peer=1),
    ],
)
async def test_who_finds_no_seat_is_told_so_and_may_come_again(
    settings: DeskSettings, autojump_clock: MockClock
) -> None:
    async with open_houses("alice", "bob") as town:
        bob, attempt = town["bob"], attempts(town["alice"])
        bob.settings = settings
        bob.start()
        town.announce("bob")
        codes = list[str]()

        async def one() -> None:
            codes.append((await apply(town, "alice", "bob", attempt())).code)

        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(one)

        assert sorted(codes) == ["busy", "busy", "passed"]
        assert (await apply(town, "alice", "bob", attempt())).code == "passed"


async def test_four_slots_in_an_epoch_and_no_fifth(autojump_clock: MockClock) -> None:
    async with open_houses("alice", "bob") as town:
        town.announce("bob")
        attempt = attempts(town["alice"])

        codes = [(await apply(town, "alice", "bob", attempt())).code for _ in range(5)]

        assert codes == ["passed"] * 4 + ["no-slots"]
        slots = [says.slot for says in town.attested(town["bob"].agent.id)]
        assert slots == [0, 1, 2, 3]


async def test_a_challenger_that_restarts_remembers_what_it_has_signed(
    autojump_clock: MockClock,
) -> None:
    async with open_houses("alice", "bob") as town:
        town.announce("bob")
        bob, attempt = town["bob"], attempts(town["alice"])
        first = attempt()
        assert (await apply(town, "alice", "bob", first)).code == "passed"

        bob.start()

        assert free_slots(bob) == SLOTS - 1
        assert (await apply(town, "alice", "bob", first)).code == "ticket-used"
        assert (await apply(town, "alice", "bob", attempt())).code == "passed"
        slots = [says.slot for says in town.attested(bob.agent.id)]
        assert slots == [0, 1]


async def test_either_may_restart_in_the_middle(autojump_clock: MockClock) -> None:
    async with open_houses("alice", "bob") as town:
        town.announce("bob")
        alice, bob, attempt = town["alice"], town["bob"], attempts(town["alice"])
        alice.solver.think_s = 5
        peers = alice.network.peer_id, bob.network.peer_id
        for house in bob, alice:
            codes = list[str]()

            async def one(codes: list[str] = codes) -> None:
                codes.append((await apply(town, "alice", "bob", attempt())).code)

            async with trio.open_nursery() as nursery:
                asked = len(alice.solver.asked)
                solver = alice.solver
                nursery.start_soon(one)
                await until(partial(_has_asked, solver, asked))
                town.hub.cut(*peers)
                house.start()
                town.hub.heal(*peers)
            assert codes == ["stream-reset"]
            await until(lambda: not bob.desk._visitors)

        assert free_slots(bob) == SLOTS
        assert (await apply(town, "alice", "bob", attempt())).code == "passed"


async def test_a_slow_solver_fails_and_holds_nobody_up(
    autojump_clock: MockClock,
) -> None:
    async with open_houses("alice", "bob") as town:
        town.announce("bob")
        alice, attempt = town["alice"], attempts(town["alice"])
        alice.solver.think_s = 1_000

        ended = await apply(town, "alice", "bob", attempt())

        assert ended.code == "not-passed"
        assert trio.current_time() < LONGEST_S
        assert "too-late" in alice.means.answering.last_error
        assert town.attested(town["bob"].agent.id) == []


async def test_a_first_word_that_does_not_come_costs_ten_seconds(
    autojump_clock: MockClock,
) -> None:
    async with open_houses("alice", "bob") as town:
        town.announce("bob")
        bob = town["bob"]
        stream = await town["alice"].means.open_stream(live_of(town, "bob", "alice"))
        begun = trio.current_time()

        assert await stream.receive_some(1) == b""

        assert trio.current_time() == begun + 10
        assert not bob.desk._visitors

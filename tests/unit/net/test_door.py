"""The door: who stands there is seen to at once, and a crowd in one go."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Callable

import pytest
import trio
import trio.testing

from moltp2p.net import door as door_module
from moltp2p.net.admission import Slots
from moltp2p.net.base import ConnectionLimits
from moltp2p.net.containment import Counts
from moltp2p.net.door import SHUT_S, Arrival, Door
from moltp2p.net.sockets import open_listeners
from moltp2p.proto.address import parse_endpoint
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.slow

LIMITS = ConnectionLimits(exempt_loopback=False, per_address=2)


class Flaky:
    """A listening socket whose first calls of `accept` fail.

    Attributes:
        calls: of `accept`.
    """

    def __init__(self, sock: socket.socket, *errors: int) -> None:
        self.calls = 0
        self._sock = sock
        self._errors = list(errors)

    def accept(self) -> tuple[socket.socket, tuple[str, int]]:
        self.calls += 1
        if self._errors:
            raise OSError(self._errors.pop(0), "refused by the test")
        return self._sock.accept()

    def fileno(self) -> int:
        return self._sock.fileno()

    def close(self) -> None:
        self._sock.close()


class House:
    """A door, and who came in."""

    def __init__(self, port: int, door: Door, counts: Counts) -> None:
        self.port = port
        self.door = door
        self.counts = counts
        self.inside: list[Arrival] = []

    async def take(self, arrival: Arrival) -> None:
        self.inside.append(arrival)
        with arrival.hold:
            async with arrival.stream:
                await trio.sleep_forever()

    def knock(self) -> socket.socket:
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex(("127.0.0.1", self.port))
        return sock

    async def until(self, condition: Callable[[], bool]) -> None:
        with trio.fail_after(PATIENCE_S):
            while not condition():
                await trio.lowlevel.checkpoint()


@pytest.fixture
async def house() -> House:
    (listener,) = await open_listeners(parse_endpoint("/ip4/127.0.0.1/tcp/0"))
    port = listener.getsockname()[1]
    counts = Counts()
    return House(port, Door(listener, Slots(LIMITS), counts), counts)


async def test_a_crowd_is_turned_away_in_one_go(house: House) -> None:
    knocks = [house.knock() for _ in range(50)]
    flaky = house.door._sock = Flaky(house.door._sock)  # type: ignore[assignment]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(house.door.keep, nursery, house.take)
        await house.until(lambda: sum(house.counts.refused.values()) == 48)
        nursery.cancel_scope.cancel()

    assert len(house.inside) == 2
    assert house.counts.refused == {"too-many-from-address": 48}
    assert flaky.calls <= 52
    for sock in knocks:
        sock.close()


@pytest.mark.parametrize(("each_s", "shut_s"), [(0.001, 0.07), (0.0, SHUT_S)])
async def test_a_crowd_has_an_eighth_of_the_time(
    house: House, each_s: float, shut_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    def needed_s() -> float:
        return sum(house.counts.refused.values()) * each_s

    monkeypatch.setattr(house.door._slots, "refusal", lambda *_: "banned")
    monkeypatch.setattr(time, "thread_time", needed_s)
    knocks = [house.knock() for _ in range(10)]
    async with trio.open_nursery() as nursery:
        told_s = house.door._see_to_all(nursery, house.take)
    house.door._sock.close()

    assert house.counts.refused == {"banned": 10}
    assert told_s == pytest.approx(shut_s)
    for sock in knocks:
        sock.close()


@pytest.mark.parametrize(
    ("number", "waits"), [(errno.EMFILE, True), (errno.ECONNABORTED, False)]
)
async def test_an_error_of_accept_closes_no_door(
    house: House, number: int, waits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door_module, "NO_ROOM_S", 0.3)
    house.door._sock = Flaky(house.door._sock, number)  # type: ignore[assignment]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(house.door.keep, nursery, house.take)
        begun = trio.current_time()
        with house.knock():
            await house.until(lambda: len(house.inside) == 1)
            waited_s = trio.current_time() - begun
            nursery.cancel_scope.cancel()

    assert waited_s >= 0.3 or not waits
    assert house.counts.refused == {}


async def test_a_door_that_is_closed_listens_no_more(house: House) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(house.door.keep, nursery, house.take)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()

    with socket.socket() as sock, pytest.raises(ConnectionRefusedError):
        sock.connect(("127.0.0.1", house.port))

"""The address book from one run of a node to the next."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import trio
from trio.testing import MockClock

from moltp2p.core.errors import LocalError
from moltp2p.net.memory import (
    MemoryHub,
)
from tests.seekers import BOOT, HOME, open_node


@dataclass
class Drawer:
    """A shelf that keeps what is put there.

    Attributes:
        data: what is there.
        filled: set once something is: threads know nothing of an autojump clock.
    """

    data: bytes = b""
    filled: trio.Event = field(default_factory=trio.Event)

    def read(self) -> bytes:
        return self.data

    def write(self, data: bytes) -> None:
        self.data = data
        trio.from_thread.run_sync(self.filled.set)


class Broken:
    """A shelf that nothing can be put on, or taken from."""

    def read(self) -> bytes:
        raise LocalError("home-failed", "no")

    def write(self, data: bytes) -> None:
        raise LocalError("home-failed", "no")


async def test_a_node_restarted_needs_no_bootstrap_peer(
    autojump_clock: MockClock,
) -> None:
    hub = MemoryHub()
    drawer = Drawer()
    async with AsyncExitStack() as stack:
        boot = await stack.enter_async_context(
            open_node(hub, "boot", [], endpoint=HOME)
        )
        others = [
            await stack.enter_async_context(open_node(hub, f"{n}", [BOOT]))
            for n in range(5)
        ]
        async with open_node(hub, "alice", [BOOT], shelf=drawer) as alice:
            await trio.sleep(40)
        hub.cut(alice.network.peer_id, boot.network.peer_id)
        ids = {other.network.peer_id for other in others}

        async with open_node(hub, "alice", [], shelf=drawer) as alice:
            await trio.sleep(10)

            assert alice.peers() == ids
            tried = [each for each in alice.discovery.status() if each.tried]
            assert len(tried) == 5


async def test_the_book_is_put_away_while_the_node_runs(
    autojump_clock: MockClock,
) -> None:
    hub = MemoryHub()
    drawer = Drawer()
    async with open_node(hub, "alice", [], shelf=drawer):
        await drawer.filled.wait()

        assert trio.current_time() >= 60


async def test_without_a_shelf_that_works_a_node_runs_on(
    autojump_clock: MockClock,
) -> None:
    hub = MemoryHub()
    async with (
        open_node(hub, "boot", [], endpoint=HOME),
        open_node(hub, "alice", [BOOT], shelf=Broken()) as alice,
    ):
        await trio.sleep(1_000)

        assert len(alice.peers()) == 1

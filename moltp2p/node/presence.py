"""A listener's own log: when it ran, when it had peers, and which those were.

    RUNNING   from the start; its end moves on with each beat, so that a crash is seen
    HEARING   the same, of the times in which a peer of its network was connected
    peers     who stayed for a moment or longer, of any network

What lies between two spans is a gap: the node was off, or heard nobody. That nobody was
there for less than a beat is not seen. The first peer is written soon; who comes and
goes besides with the next beat, with the time at which that was.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

import trio

from moltp2p.core.errors import LocalError
from moltp2p.core.ids import PeerId
from moltp2p.net.base import Network, PeerDown, PeerUp
from moltp2p.net.log import get_logger
from moltp2p.store.arrivals import SeenPeer, Span, State
from moltp2p.store.base import Store

BEAT_S: Final = 10.0
SETTLE_S: Final = 1.0
"""By then a peer has said which topics it is in."""
STAY_MS: Final = 500
"""Who goes sooner is not noted: peers that try whether this node can be dialled do so
under a name that they make for once, some hundred times a day."""

REWATCH_S: Final = 0.1
FAREWELL_S: Final = 2.0
"""How long the last note may wait for the disk."""

log = get_logger(__name__)


class Presence:
    """What has been so since when; made by `open_presence`.

    Args:
        store: where it is noted.
        heard: returns the peers that are in a topic of ours now.
        clock_ms: our clock, milliseconds since 1970 UTC.
    """

    def __init__(
        self,
        store: Store,
        heard: Callable[[], AbstractSet[PeerId]],
        clock_ms: Callable[[], int],
    ) -> None:
        self._store = store
        self._heard = heard
        self._clock_ms = clock_ms
        self._running = Span(State.RUNNING, clock_ms(), clock_ms(), ended=False)
        self._hears_from_ms: int | None = None
        self._heard_until_ms = 0
        self._first_came = trio.Event()
        self._came_ms: dict[PeerId, int] = {}
        self._hears: set[PeerId] = set()
        self._seen: dict[PeerId, SeenPeer] = {}

    async def watch(self, network: Network) -> None:
        """Follow who comes and goes, for ever."""
        while True:
            connected = {info.peer for info in network.peers()}
            for peer in connected - self._came_ms.keys():
                self._come(peer)
            for peer in self._came_ms.keys() - connected:
                self._go(peer)
            async for event in network.watch():
                match event:
                    case PeerUp(info):
                        self._come(info.peer)
                    case PeerDown(peer):
                        self._go(peer)
            await trio.sleep(REWATCH_S)

    async def beat(self) -> None:
        """Note how it is, now and every so often, for ever."""
        while True:
            self._first_came = trio.Event()
            await self.note()
            with trio.move_on_after(BEAT_S):
                await self._first_came.wait()
                await trio.sleep(SETTLE_S)

    async def note(self, *, is_last: bool = False) -> None:
        """Write down how it is now."""
        now_ms = max(self._clock_ms(), self._running.from_ms)
        self._running = replace(self._running, until_ms=now_ms, ended=is_last)
        spans = [self._running, *self._hear(now_ms, is_last=is_last)]
        for peer in self._came_ms:
            self._see(peer, now_ms)
        seen, self._seen = self._seen, {}
        try:
            await trio.to_thread.run_sync(
                self._store.note_presence, spans, list(seen.values())
            )
        except LocalError as error:
            for peer, known in seen.items():
                self._seen[peer] = replace(
                    self._seen.get(peer, known), first_ms=known.first_ms
                )
            log.warning("cannot note that this node listens", code=error.code)

    def _come(self, peer: PeerId) -> None:
        self._came_ms.setdefault(peer, self._clock_ms())
        if not self._hears:
            self._first_came.set()

    def _go(self, peer: PeerId) -> None:
        now_ms = self._clock_ms()
        if peer in self._came_ms:
            self._see(peer, now_ms)
            del self._came_ms[peer]
        if peer in self._hears:
            self._hears.remove(peer)
            self._heard_until_ms = now_ms

    def _see(self, peer: PeerId, now_ms: int) -> None:
        came_ms = self._came_ms[peer]
        if now_ms - came_ms >= STAY_MS:
            known = self._seen.get(peer, SeenPeer(peer, came_ms, now_ms))
            self._seen[peer] = replace(known, last_ms=max(known.last_ms, now_ms))

    def _hear(self, now_ms: int, *, is_last: bool) -> list[Span]:
        """Return the span in which peers were heard, if there is or was just one."""
        self._hears |= self._heard() & self._came_ms.keys()
        if self._hears_from_ms is None and self._hears:
            first_ms = min(self._came_ms[peer] for peer in self._hears)
            self._hears_from_ms = max(first_ms, self._heard_until_ms)
        begin_ms = self._hears_from_ms
        if begin_ms is None:
            return []
        until_ms, ended = now_ms, is_last
        if not self._hears:
            until_ms, ended = self._heard_until_ms, True
            self._hears_from_ms = None
        return [Span(State.HEARING, begin_ms, max(until_ms, begin_ms), ended=ended)]


@asynccontextmanager
async def open_presence(
    store: Store,
    network: Network,
    heard: Callable[[], AbstractSet[PeerId]],
    clock_ms: Callable[[], int],
) -> AsyncIterator[Presence]:
    """Note that the node runs, and with whom, for the length of the block."""
    presence = Presence(store, heard, clock_ms)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(presence.watch, network)
        nursery.start_soon(presence.beat)
        try:
            yield presence
        finally:
            nursery.cancel_scope.cancel()
            with trio.move_on_after(FAREWELL_S) as scope:
                scope.shield = True
                await presence.note(is_last=True)

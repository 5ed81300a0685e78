"""What peers do to the layers around the router, held against them at each heartbeat.

- The network counts faults: streams that broke a protocol's rules.
- A queue tells that its peer is behind: nothing leaves it, or others have waited
  for it too long. That is a fault a heartbeat, which soon takes the peer out of
  every mesh; whoever stays behind is dropped within 30 s of having stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from moltp2p.core.ids import PeerId
from moltp2p.net.base import Network, PeerInfo
from moltp2p.net.gossip.outbox import Outbox
from moltp2p.proto.gossip.events import Faulted

BEHIND_S: Final = 20.0
"""How long a peer may be behind."""

CALM_S: Final = 8.0
"""How long it must keep up for its time behind to be over. Longer than a write
takes to fail (`ConnectionLimits.write_s`) and the next stream to open: an empty
queue on a new stream proves nothing."""


@dataclass(slots=True)
class _Delay:
    since: float
    last: float


class Supervision:
    """Watches over the peers of one driver.

    Args:
        network: counts faults.
        outboxes: the queue to each peer that the router knows.
        hold: gives the router a fault.

    Attributes:
        dropped: peers dropped for being too slow.
    """

    def __init__(
        self,
        network: Network,
        outboxes: Mapping[PeerId, Outbox],
        hold: Callable[[Faulted], None],
    ) -> None:
        self.dropped = 0
        self._network = network
        self._outboxes = outboxes
        self._hold = hold
        self._infos: dict[PeerId, PeerInfo] = {}
        self._delays: dict[PeerId, _Delay] = {}

    def behind_s(self, peer: PeerId, now: float) -> float:
        """Return for how long a peer has been behind; 0 when it keeps up."""
        delay = self._delays.get(peer)
        return now - delay.since if delay else 0.0

    def look(self, now: float) -> list[PeerId]:
        """Hold against peers what happened; return whom to disconnect."""
        for peer, count in self._new_faults():
            self._hold(Faulted(peer, count))
        # While our own limit on bandwidth holds us up, no queue tells of a peer.
        ours = self._network.is_throttled()
        boxes = {} if ours else self._outboxes
        behind = [p for p, box in boxes.items() if box.is_behind(now)]
        for peer in behind:
            self._hold(Faulted(peer))
            self._delays.setdefault(peer, _Delay(now, now)).last = now
        self._delays = {
            peer: delay
            for peer, delay in self._delays.items()
            if now - delay.last < CALM_S
        }
        too_slow = [peer for peer in behind if self.behind_s(peer, now) >= BEHIND_S]
        for peer in too_slow:
            del self._delays[peer]
            self._network.report(peer, "too-slow")
        self.dropped += len(too_slow)
        return too_slow

    def _new_faults(self) -> Iterator[tuple[PeerId, int]]:
        """Yield who did what since the last look."""
        before, infos = self._infos, self._network.peers()
        self._infos = {info.peer: info for info in infos}
        for info in infos:
            known = before.get(info.peer)
            old = known.faults if known and _goes_on(known, info) else 0
            if info.faults > old:
                yield info.peer, info.faults - old


def _goes_on(before: PeerInfo, now: PeerInfo) -> bool:
    """Tell whether a peer's faults are still counted from where they were."""
    is_same = before.connected_at == now.connected_at
    return is_same or (now.punched and not before.punched)

"""What is wrong between one node and its peers now, and how often it struck."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import trio

from moltp2p.core.errors import UsageError
from moltp2p.core.ids import PeerId

BITS_PER_MBIT: Final = 1e6


@dataclass(frozen=True, slots=True)
class Orders:
    """What a node is to bear from now on; all absent by default.

    Attributes:
        latency_s: one way, seconds, by peer id.
        default_latency_s: the same for whoever is not named.
        jitter: how much of that comes on top at most, drawn for each read.
        loss: the share of gossip's messages and announcements that vanish.
        uplink_mbit: what the node can send, all peers together; 0 is without limit.
        downlink_mbit: what it can take, likewise.
        notice_s: after how long a connection to a peer that is cut off is given up.
        seed: of the dice for jitter and loss.

    Raises:
        UsageError: `bad-option` for a share beyond 1, or anything below 0.
    """

    latency_s: Mapping[str, float] = field(default_factory=dict)
    default_latency_s: float = 0.0
    jitter: float = 0.0
    loss: float = 0.0
    uplink_mbit: float = 0.0
    downlink_mbit: float = 0.0
    notice_s: float = 15.0
    seed: str = "0"

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        shares = {"jitter": self.jitter, "loss": self.loss}
        others = {
            "default_latency_s": self.default_latency_s,
            "latency_s": min(self.latency_s.values(), default=0),
            "uplink_mbit": self.uplink_mbit,
            "downlink_mbit": self.downlink_mbit,
            "notice_s": self.notice_s,
        }
        for name, value in (shares | others).items():
            if not 0 <= value <= (1 if name in shares else math.inf):
                raise UsageError("bad-option", f"{name}: {value:g} cannot be")


class Faults:
    """One node's faults, to be changed while it runs. All times are trio's.

    Attributes:
        orders: what holds now.
        counts: what was injected: `lost`, `delayed`, `held`, `refused`, `hung-up`.
    """

    def __init__(self, orders: Orders | None = None) -> None:
        self.orders = orders or Orders()
        self.counts: Counter[str] = Counter()
        self._dice = random.Random(self.orders.seed)  # noqa: S311 - seeded dice
        self._cut: frozenset[PeerId] = frozenset()
        self._cut_at = 0.0
        self._changed = trio.Event()
        self._up_free_at = 0.0
        self._down_free_at = 0.0

    def face(self, orders: Orders) -> None:
        """Bear this instead of what was before; who is cut off stays so."""
        self.orders = orders
        self._dice = random.Random(orders.seed)  # noqa: S311 - seeded dice
        self._tell()

    def cut(self, peers: Collection[PeerId]) -> None:
        """Cut these peers off, and no others; nobody heals."""
        self._cut = frozenset(peers)
        self._cut_at = trio.current_time()
        self._tell()

    def is_cut(self, peer: PeerId) -> bool:
        """Tell whether nothing passes between us and a peer."""
        return peer in self._cut

    @property
    def gone(self) -> frozenset[PeerId]:
        """Return who is cut off."""
        return self._cut

    @property
    def noticed_at(self) -> float:
        """Return when connections to those who are cut off are given up."""
        return self._cut_at + self.orders.notice_s

    async def changed(self) -> None:
        """Wait until something else holds."""
        await self._changed.wait()

    def latency_s(self, peer: PeerId) -> float:
        """Return how long bytes travel between us and a peer, without jitter."""
        return self.orders.latency_s.get(peer, self.orders.default_latency_s)

    def arrives_at(self, peer: PeerId, size_bytes: int) -> float:
        """Return when what a peer sent, and what has come just now, is here."""
        travel_s = self.latency_s(peer)
        if travel_s:
            travel_s *= 1 + self.orders.jitter * self._dice.random()
            self.counts["delayed"] += 1
        now = trio.current_time()
        if self.orders.downlink_mbit:
            pace = 8 / (self.orders.downlink_mbit * BITS_PER_MBIT)
            self._down_free_at = max(now, self._down_free_at) + size_bytes * pace
            return self._down_free_at + travel_s
        return now + travel_s

    async def wait_for_uplink(self, size_bytes: int) -> None:
        """Wait until so much more can be sent."""
        if not self.orders.uplink_mbit:
            return
        pace = 8 / (self.orders.uplink_mbit * BITS_PER_MBIT)
        self._up_free_at = max(trio.current_time(), self._up_free_at)
        self._up_free_at += size_bytes * pace
        await trio.sleep_until(self._up_free_at)

    def loses(self) -> bool:
        """Draw whether something vanishes."""
        lost = self.orders.loss > 0 and self._dice.random() < self.orders.loss
        self.counts["lost"] += lost
        return lost

    def _tell(self) -> None:
        self._changed.set()
        self._changed = trio.Event()


def orders_of(fields: Mapping[str, Any]) -> Orders:
    """Return the orders that `dataclasses.asdict` wrote."""
    return Orders(**fields)

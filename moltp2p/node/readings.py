"""All that a running node counts, in one piece: what metrics and health are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from moltp2p.net.base import NetworkStats
from moltp2p.node.status import Status

if TYPE_CHECKING:  # libp2p takes a second, and an offline node goes without
    from moltp2p.net.gossip.pubsub_stats import PubSubStats


@dataclass(frozen=True, slots=True)
class Readings:
    """A node's figures at one moment.

    Attributes:
        status: what `status` says.
        network: the connections; None when offline.
        pubsub: gossip; None when offline.
    """

    status: Status
    network: NetworkStats | None
    pubsub: PubSubStats | None

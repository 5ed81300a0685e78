"""What an operator does to a running node: bans, connections, and looks inside."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from moltp2p.core.errors import UsageError
from moltp2p.core.ids import PeerId
from moltp2p.node.access import AccessDesk

if TYPE_CHECKING:
    from moltp2p.node.online import Online


@dataclass(frozen=True, slots=True)
class TopicMesh:
    """One topic that this node joined.

    Attributes:
        topic: its name.
        subscribers: connected peers that joined it too.
        mesh: those of them that messages are pushed to, and come from.
    """

    topic: str
    subscribers: int
    mesh: tuple[PeerId, ...]


class Administration:
    """The operator's hand on a node that is online.

    Args:
        online: the network side.
    """

    def __init__(self, online: Online) -> None:
        self._online = online

    @property
    def access(self) -> AccessDesk:
        """Return who makes and undoes bans and allowances."""
        return self._online.access

    async def disconnect(self, peer: PeerId) -> None:
        """End the connection to a peer; it may come again.

        Raises:
            UsageError: `not-connected`.
        """
        if self._online.network.info(peer) is None:
            raise UsageError(
                "not-connected",
                f"{peer} is not connected",
                "see: moltp2p admin peers",
            )
        await self._online.network.disconnect(peer)

    def mesh(self) -> list[TopicMesh]:
        """Return every topic that was joined, in order of names."""
        pubsub = self._online.pubsub
        counts = Counter(
            topic for peer in pubsub.stats().gossip.peers for topic in peer.topics
        )
        return [
            TopicMesh(topic, counts[topic], tuple(pubsub.mesh(topic)))
            for topic in sorted(pubsub.topics())
        ]

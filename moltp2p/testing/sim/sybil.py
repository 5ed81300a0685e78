"""A Sybil: an honest router that its owner does not tell everything, and habits."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from moltp2p.core.ids import MessageId, PeerId
from moltp2p.core.verdict import Verdict
from moltp2p.proto.address import IpAddress
from moltp2p.proto.gossip.events import Judged, RpcReceived, Validate
from moltp2p.proto.gossip.rpc import Message, Rpc
from moltp2p.proto.gossip.settings import Degrees, GossipSettings
from moltp2p.testing.sim.behaviours import Habit
from moltp2p.testing.sim.messages import (
    HEADER_BYTES,
    forge,
    is_valid,
    publisher_of,
)
from moltp2p.testing.sim.party import Party, Surroundings
from moltp2p.testing.sim.scenario import Scenario

MEMORY: Final = 2000
"""Messages that a Sybil remembers."""

_EVERYBODY: Final = Degrees(wanted=10_000, low=10_000, high=10_000, outbound=0)
GREEDY: Final = GossipSettings(degrees=_EVERYBODY, small_degrees=_EVERYBODY)
"""A router that is never content grafts to everybody whose backoff has passed."""


class Sybil(Party):
    """One of an attacker's nodes.

    Args:
        index: its number among the Sybils.
        ip: its address.
        region: where it is.
        around: the simulation.
        scenario: what it does once it attacks, and to whom.

    Attributes:
        is_attacking: whether its habits show.
    """

    is_honest = False

    def __init__(
        self,
        index: int,
        ip: IpAddress,
        region: str,
        around: Surroundings,
        scenario: Scenario,
    ) -> None:
        super().__init__(index, PeerId(f"s{index}"), ip, region, around)
        self.is_attacking = False
        self.rng = around.rng(f"sybil/{index}")
        self.salt = self.rng.getrandbits(32)
        self._victim = scenario.victim
        self.topics = around.topics
        self._size_bytes = scenario.load.size_bytes
        self._habits: Sequence[Habit] = ()
        self._remembered: dict[MessageId, Message] = {}
        if orders := scenario.sybils:
            self._habits = orders.behaviours
            self.dials = orders.dials
            self.max_inbound = scenario.nodes.max_inbound
            if orders.are_greedy:
                self.settings = GREEDY

    # What habits see.

    def peers(self) -> Sequence[PeerId]:
        """Return the honest nodes that it is connected to."""
        return [peer for peer, link in self.links.items() if link.receiver.is_honest]

    def say(self, peer: PeerId, rpc: Rpc) -> None:
        """Send an RPC past the router."""
        self.send(peer, rpc)

    def remembered(self) -> Sequence[Message]:
        """Return the valid messages that it met, oldest first."""
        return list(self._remembered.values())

    def remembered_ids(self) -> Sequence[MessageId]:
        """Return their ids."""
        return list(self._remembered)

    def mark(self, data: bytes) -> bytes:
        """Return what tells a valid message from any other."""
        return data[:HEADER_BYTES]

    def is_victims(self, data: bytes) -> bool:
        """Return whether the victim published a valid message."""
        return publisher_of(data) == self._victim

    def forge(self) -> bytes:
        """Return a message that no judge accepts, unlike any other."""
        return forge(self.rng, self._size_bytes)

    # What habits change.

    def receive(self, event: RpcReceived) -> None:
        """Take an RPC from the network, and remember what it brought."""
        for message in event.rpc.messages:
            self._remember(message)
        super().receive(event)

    def beat(self) -> None:
        """Let a heartbeat pass, and the habits act."""
        super().beat()
        if self.is_attacking:
            for habit in self._habits:
                habit.acts(self)

    def judge(self, action: Validate) -> None:
        """Decide at once what the router may know of a message."""
        judged = Judged(action.message_id, self._verdict(action.data))
        self.perform(self.router.handle(judged, self._timeline.now))

    def _verdict(self, data: bytes) -> Verdict:
        if not is_valid(data):
            return Verdict.REJECT
        kept = all(habit.keeps(self, data) for habit in self._habits)
        return Verdict.ACCEPT if kept or not self.is_attacking else Verdict.IGNORE

    def _remember(self, message: Message) -> None:
        if not is_valid(message.data):
            return
        if len(self._remembered) >= MEMORY:
            for key in list(self._remembered)[: MEMORY // 4]:
                del self._remembered[key]
        key = MessageId(sha256(message.data).digest())
        self._remembered[key] = message

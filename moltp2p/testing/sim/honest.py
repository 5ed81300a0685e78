"""An honest node: it judges what it is handed, and keeps what it accepts."""

from __future__ import annotations

from hashlib import sha256

from moltp2p.core.ids import MessageId, PeerId
from moltp2p.core.verdict import Verdict
from moltp2p.proto.address import IpAddress
from moltp2p.proto.gossip.events import (
    Judged,
    Publish,
    Push,
    RpcReceived,
    Validate,
)
from moltp2p.testing.sim import messages
from moltp2p.testing.sim.latency import MS
from moltp2p.testing.sim.messages import Published
from moltp2p.testing.sim.meter import Memory, Meter
from moltp2p.testing.sim.party import Party, Surroundings
from moltp2p.testing.sim.scenario import Judge
from moltp2p.testing.sim.wire import Link


class HonestNode(Party):
    """A node that nobody paid.

    Args:
        index: its number.
        ip: its address.
        region: where it is.
        around: the simulation.
        judge: how long verdicts take.
        meter: what counts and watches.

    Attributes:
        memory: what it has met; survives a restart, as a store does.
        sessions: from when until when it was online; the last one may be open.
    """

    def __init__(
        self,
        index: int,
        ip: IpAddress,
        region: str,
        around: Surroundings,
        judge: Judge,
        meter: Meter,
    ) -> None:
        super().__init__(index, PeerId(f"n{index}"), ip, region, around)
        self.memory = Memory()
        self.sessions: list[tuple[float, float]] = []
        self._meter = meter
        self._judge_free_at = 0.0
        self._cost_s = judge.cost_ms * MS
        self._delay_s = judge.delay_ms * MS

    def stop(self) -> None:
        """Go offline."""
        super().stop()
        self.sessions.append((self.started_at, self._timeline.now))

    def was_online(self, from_s: float, until_s: float) -> bool:
        """Return whether it was, without a break."""
        if self.is_online and self.started_at <= from_s:
            return True
        return any(start <= from_s and until_s <= end for start, end in self.sessions)

    def publish(self, topic: str, size_bytes: int) -> None:
        """Say something new."""
        now, number = self._timeline.now, len(self._meter.published)
        data = messages.make(number, self.index, size_bytes)
        key = MessageId(sha256(data).digest())
        message = Published(number, now, self.index, topic)
        self._meter.publishes(self.memory, message, key)
        self.perform(self.router.handle(Publish(topic, data), now))

    def receive(self, event: RpcReceived) -> None:
        """Take an RPC from the network, and count the copies in it."""
        if event.rpc.messages:
            self._count(event)
        super().receive(event)

    def _count(self, event: RpcReceived) -> None:
        """Count all copies as duplicates; `judge` takes the first of them back."""
        valid = sum(messages.is_valid(m.data) for m in event.rpc.messages)
        self._traffic.invalid += len(event.rpc.messages) - valid
        if self._is_honest_peer(event.peer):
            self._traffic.duplicates += valid
        else:
            self._traffic.sybil_duplicates += valid

    def judge(self, action: Validate) -> None:
        """Judge a message when its turn has come."""
        now, key = self._timeline.now, action.message_id
        self._meter.judges(self.memory, action, now, restarted_at=self.started_at)
        if messages.is_valid(action.data) and key not in self.memory.accepted:
            if self._is_honest_peer(action.peer):
                self._traffic.duplicates -= 1
            else:
                self._traffic.sybil_duplicates -= 1
        turn_at = max(now, self._judge_free_at)
        self._judge_free_at = turn_at + self._cost_s
        verdict_at = self._judge_free_at + self._delay_s
        self._timeline.at(verdict_at, self._decide, (self.session, action))

    def _decide(self, case: tuple[int, Validate]) -> None:
        session, action = case
        if session != self.session or not self.is_online:
            return
        now, key = self._timeline.now, action.message_id
        verdict = self._verdict(action)
        if verdict is Verdict.ACCEPT:
            self._meter.accepts(self.index, self.memory, key, action.data, now)
        self.perform(self.router.handle(Judged(key, verdict), now))

    def _verdict(self, action: Validate) -> Verdict:
        if not messages.is_valid(action.data):
            return Verdict.REJECT
        if action.message_id in self.memory.accepted:
            return Verdict.IGNORE  # as for any record that the store holds
        return Verdict.ACCEPT

    def push(self, action: Push) -> None:
        """Send a message to several peers, if it may be sent at all."""
        self._meter.pushes(self.memory, action.message_id)
        super().push(action)

    def honest_links(self) -> list[Link]:
        """Return its links to honest nodes."""
        return [link for link in self.links.values() if link.receiver.is_honest]

    def _is_honest_peer(self, peer: PeerId) -> bool:
        link = self.links.get(peer)
        return link is not None and link.receiver.is_honest

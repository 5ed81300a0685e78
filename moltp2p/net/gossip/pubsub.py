"""The gossip driver: the router's events from streams and clock, its actions done.

    streams ─► Peering ─► router ─► Inbox ─► judge ─► router ─► Outboxes ─► streams
                            ▲                                        │
    publish ── waits for room in the queues (Backpressure) ──────────┘

Judging is done in batches: what arrives while two are being judged is the next one.
Two, so that the judge need not wait for us between them; their verdicts are heard in
order. One task for each peer writes, in bulk: what is queued while a write
is under way goes with the next. Both take what there is and wait for no more, so
that batches grow with the load and a quiet node is quick.
"""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Final, assert_never

import trio

from moltp2p.core.ids import PeerId
from moltp2p.core.verdict import Verdict
from moltp2p.net.base import Network
from moltp2p.net.gossip.backpressure import Backpressure
from moltp2p.net.gossip.inbox import Inbox, Incoming, Judgement
from moltp2p.net.gossip.outbox import Outbox, Parcel
from moltp2p.net.gossip.peering import PROTOCOLS, Peering
from moltp2p.net.gossip.pubsub_stats import PubSubPeer, PubSubStats, pubsub_peer
from moltp2p.net.gossip.rpc_codec import encode_message, encode_rpc
from moltp2p.net.gossip.supervision import Supervision
from moltp2p.proto.gossip.events import (
    GossipAction,
    GossipEvent,
    Heartbeat,
    Join,
    Judged,
    Leave,
    Overflowed,
    Publish,
    Push,
    Send,
    Validate,
    Withdraw,
)
from moltp2p.proto.gossip.router import Gossip
from moltp2p.proto.gossip.rpc import Rpc
from moltp2p.proto.gossip.settings import HEARTBEAT_S
from moltp2p.proto.gossip.stats import PeerStats

GOODBYE_S: Final = 1.0
"""How long the end of the block waits for what is still queued to be sent."""

BATCHES: Final = 2
"""Judged at once."""

PUBLISH_BYTES: Final = 32 * 1024
"""Of our own messages, queued between two looks at how full the queues are, and at
most one message more: less than what lies between the publish mark and the forward
mark of an outbox."""

Judge = Callable[[Sequence[Incoming]], Awaitable[Sequence[Verdict | Judgement]]]
"""Judges a batch; one answer for each message, in order. A bare verdict is one that
needs no more words: what is accepted is passed on. It is called again before it has
returned, for at most `BATCHES` at once and in order, does its work off the event loop,
and knows for ever what the store holds: the router's own memory is short."""


class PubSub:
    """Gossip with the peers of a network. Opened by `open_pubsub`."""

    def __init__(
        self, network: Network, router: Gossip, judge: Judge, rng: random.Random
    ) -> None:
        self._router = router
        self._judge = judge
        self._rng = rng
        self._inbox = Inbox()
        self._pressure = Backpressure()
        self._network = network
        self._peering = Peering(
            network=network,
            router=router,
            inbox=self._inbox,
            handle=self._handle,
            on_moved=self._pressure.on_moved,
            rng=rng,
        )
        self._supervision = Supervision(network, self._peering.outboxes, self._handle)

    async def join(self, topic: str) -> None:
        """Subscribe to a topic; its messages go to the judge from now on.

        Raises:
            UsageError: `unknown-topic`.
        """
        await trio.lowlevel.checkpoint()
        self._handle(Join(topic))

    async def leave(self, topic: str) -> None:
        """Unsubscribe from a topic; harmless when we are not in it."""
        await trio.lowlevel.checkpoint()
        self._handle(Leave(topic))

    async def publish(self, topic: str, *messages: bytes) -> None:
        """Queue messages for every peer in the topic, in order.

        They wait for room while a peer is behind and keeps reading, so that a
        burst arrives whole; a peer that does not keep up is not waited for
        (`net.backpressure`). The judge does not see our own messages.

        Raises:
            UsageError: `unknown-topic` or `too-large`.
        """
        await trio.lowlevel.checkpoint()
        targets = partial(self._publish_targets, topic)
        room = 0
        for data in messages:
            if room <= 0:
                await self._pressure.before_publishing(targets)
                room = PUBLISH_BYTES
            self._handle(Publish(topic, data))
            room -= len(data)

    def mesh(self, topic: str) -> list[PeerId]:
        """Return the peers in our mesh of a topic."""
        return self._router.mesh(topic)

    def targets(self, topic: str) -> list[PeerId]:
        """Return the peers that a message of ours on a topic would go to now."""
        return self._router.publish_targets(topic, trio.current_time())

    def topics(self) -> list[str]:
        """Return the topics we joined."""
        return self._router.topics

    def stats(self) -> PubSubStats:
        """Return the counters, and what is held now."""
        gossip = self._router.stats()
        traffic = self._peering.traffic
        boxes = self._peering.outboxes
        drops = Counter(gossip.drops) + traffic.drops
        for box in boxes.values():
            drops += box.drops
        return PubSubStats(
            gossip=gossip,
            drops=dict(drops),
            sent_messages=traffic.sent_messages
            + sum(box.sent_messages for box in boxes.values()),
            sent_bytes=traffic.sent_bytes,
            writes=traffic.writes,
            received_bytes=traffic.received_bytes,
            received_rpcs=traffic.received_rpcs,
            inbox=len(self._inbox),
            waited_s=self._pressure.waited_s,
            paused_s=self._peering.pacing.paused_s,
            slow_peers=self._supervision.dropped,
            peers=tuple(map(self._peer, gossip.peers)),
        )

    def _peer(self, peer: PeerStats) -> PubSubPeer:
        behind_s = self._supervision.behind_s(peer.peer, trio.current_time())
        return pubsub_peer(peer, self._peering.outboxes[peer.peer], behind_s)

    async def run(self) -> None:
        """Gossip until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._peering.run)
            nursery.start_soon(self._beat, nursery)
            await self._judge_all(nursery)

    def serve_on(self, network: Network) -> None:
        """Take the streams that peers open to us."""
        for protocol in PROTOCOLS:
            network.handle(protocol, self._peering.serve)

    async def flush(self) -> None:
        """Return once everything queued has been sent."""
        while not all(box.is_idle for box in self._peering.outboxes.values()):
            await self._pressure.wait_for_move()

    def close(self) -> None:
        """Stop reading from peers."""
        self._peering.close()

    async def _beat(self, nursery: trio.Nursery) -> None:
        # Nodes that start together, as in a test, should not beat together.
        next_beat = trio.current_time() + self._rng.uniform(0, HEARTBEAT_S)
        while True:
            await trio.sleep_until(next_beat)
            for peer in self._supervision.look(trio.current_time()):
                nursery.start_soon(self._network.disconnect, peer)
            self._handle(Heartbeat())
            next_beat = max(next_beat + HEARTBEAT_S, trio.current_time())

    async def _judge_all(self, nursery: trio.Nursery) -> None:
        under_way: deque[trio.Event] = deque()
        while True:
            await self._inbox.wait()
            while under_way and (len(under_way) >= BATCHES or under_way[0].is_set()):
                await under_way.popleft().wait()
            batch = self._inbox.take()
            await self._pressure.before_judging(partial(self._forward_targets, batch))
            before, heard = under_way[-1] if under_way else None, trio.Event()
            under_way.append(heard)
            nursery.start_soon(self._judge_batch, batch, before, heard)
            # It has called the judge before the next batch can.
            await trio.lowlevel.checkpoint()

    async def _judge_batch(
        self, batch: Sequence[Incoming], before: trio.Event | None, heard: trio.Event
    ) -> None:
        verdicts = await self._judge(batch)
        if before is not None:
            await before.wait()
        for incoming, verdict in zip(batch, verdicts, strict=True):
            if isinstance(verdict, Verdict):
                self._handle(Judged(incoming.message_id, verdict))
            else:
                self._handle(verdict.of(incoming.message_id))
        self._inbox.done(batch)
        heard.set()

    def _publish_targets(self, topic: str) -> list[Outbox]:
        return [self._peering.outboxes[peer] for peer in self.targets(topic)]

    def _forward_targets(self, batch: Sequence[Incoming]) -> list[Outbox]:
        """Return the queues of those to whom some message of the batch may go."""
        routes = dict.fromkeys((each.topic, each.peer) for each in batch)
        peers = {
            peer: None
            for topic, source in routes
            for peer in self._router.mesh(topic)
            if peer != source
        }
        return [self._peering.outboxes[peer] for peer in peers]

    def _handle(self, event: GossipEvent) -> None:
        self._act(self._router.handle(event, trio.current_time()))

    def _act(self, actions: Sequence[GossipAction]) -> None:
        for action in actions:
            match action:
                case Push():
                    self._push(action)
                case Validate():
                    self._inbox.put(action)
                case Withdraw(peer, ids):
                    self._peering.outboxes[peer].withdraw(ids)
                case Send(peer, rpc):
                    self._send(peer, rpc)
                case _:
                    assert_never(action)

    def _push(self, push: Push) -> None:
        parcel = Parcel(push.topic, encode_message(push.topic, push.data))
        for peer in push.peers:
            box = self._peering.outboxes[peer]
            put = box.put_answer if push.asked else box.put_message
            for topic in put(push.message_id, parcel):
                self._handle(Overflowed(peer, topic))

    def _send(self, peer: PeerId, rpc: Rpc) -> None:
        box = self._peering.outboxes[peer]
        encoding = encode_rpc(rpc)
        if rpc.ihave:
            box.put_announcement(encoding)
            return
        request = bool(rpc.iwant or rpc.idontwant)
        if not box.put_control(encoding, request=request) and not request:
            # It has not read for long; on a new stream it hears everything anew.
            self._peering.hang_up(peer)


@asynccontextmanager
async def open_pubsub(
    network: Network, router: Gossip, judge: Judge, rng: random.Random
) -> AsyncGenerator[PubSub]:
    """Gossip with the peers of `network` for the length of the block.

    Args:
        network: outlives the block.
        router: used by nobody else.
        judge: what it raises ends the block, and is raised by it as it is.
        rng: spreads heartbeats and attempts to open streams.

    At the end of the block, what is queued is sent for up to `GOODBYE_S`; not
    when it ends by an error or is cancelled.
    """
    failures: list[Exception] = []
    pubsub = PubSub(network, router, judge, rng)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_run, pubsub, nursery.cancel_scope, failures)
        pubsub.serve_on(network)
        try:
            yield pubsub
            with trio.move_on_after(GOODBYE_S):
                await pubsub.flush()
        except Exception as error:  # noqa: BLE001 - raised again, outside the nursery
            failures.append(error)
        finally:
            pubsub.close()
            nursery.cancel_scope.cancel()
    if failures:
        raise failures[0]


async def _run(
    pubsub: PubSub, scope: trio.CancelScope, failures: list[Exception]
) -> None:
    """Run, and hand an error of the judge to whoever opened the block."""
    try:
        await pubsub.run()
    except* Exception as group:  # noqa: BLE001 - raised again by `open_pubsub`
        failures.extend(_leaves(group))
        scope.cancel()


def _leaves(group: BaseExceptionGroup[Exception]) -> list[Exception]:
    found: list[Exception] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found

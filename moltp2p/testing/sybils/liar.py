"""A router with habits: what a Sybil keeps back, and what it says besides."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final

from moltp2p.core.errors import PeerError
from moltp2p.core.ids import AgentId, MessageId, PeerId
from moltp2p.core.record import parse
from moltp2p.core.verdict import Verdict
from moltp2p.net.gossip.inbox import Incoming
from moltp2p.proto.gossip.events import (
    GossipAction,
    GossipEvent,
    Heartbeat,
    PeerJoined,
    PeerLeft,
    Push,
    Send,
)
from moltp2p.proto.gossip.router import Gossip
from moltp2p.proto.gossip.rpc import Message, Rpc
from moltp2p.testing.sim.behaviours import Habit
from moltp2p.testing.sim.sybil import MEMORY

GARBAGE_BYTES: Final = 200
"""Sent for a record by a Sybil that has met none yet."""


class LyingRouter:
    """Stands before a router: what goes in and out of it passes here.

    It is what habits see of a Sybil (`sim.behaviours.Liar`).

    Args:
        router: an honest one.
        habits: what it does while it attacks.
        topics: the network's.
        rng: all its chance.
        victim: whose records `censor` keeps back.

    Attributes:
        friends: other Sybils, who are spared.
        is_attacking: whether its habits show.
        counts: what it did: `forged`, `said`, `kept-back`.
    """

    def __init__(
        self,
        router: Gossip,
        habits: Sequence[Habit],
        topics: list[str],
        rng: random.Random,
        victim: AgentId | None = None,
    ) -> None:
        self.is_attacking = False
        self.counts: Counter[str] = Counter()
        self.friends: frozenset[PeerId] = frozenset()
        self.topics = topics
        self.rng = rng
        self.salt = rng.getrandbits(32)
        self._router = router
        self._habits = habits
        self._victim = victim
        self._peers: dict[PeerId, None] = {}
        self._remembered: dict[MessageId, Message] = {}
        self._said: list[GossipAction] = []

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - the router's own
        """Return what habits do not change."""
        return getattr(self._router, name)

    def handle(self, event: GossipEvent, now: float) -> list[GossipAction]:
        """Return what the router wants done, and what the habits want said."""
        match event:
            case PeerJoined(peer):
                self._peers[peer] = None
            case PeerLeft(peer):
                self._peers.pop(peer, None)
            case _:
                pass
        actions = list(self._router.handle(event, now))
        if isinstance(event, Heartbeat) and self.is_attacking:
            for habit in self._habits:
                habit.acts(self)
        said, self._said = self._said, []
        return actions + said

    def judge(self, incoming: Incoming) -> Verdict:
        """Return what the router may know of a message, and remember a valid one."""
        if not is_record(incoming.data):
            return Verdict.REJECT
        self._remember(incoming)
        kept = all(habit.keeps(self, incoming.data) for habit in self._habits)
        if kept or not self.is_attacking:
            return Verdict.ACCEPT
        self.counts["kept-back"] += 1
        return Verdict.IGNORE

    def _remember(self, incoming: Incoming) -> None:
        if len(self._remembered) >= MEMORY:
            for key in list(self._remembered)[: MEMORY // 4]:
                del self._remembered[key]
        message = Message(incoming.topic, incoming.data)
        self._remembered[incoming.message_id] = message

    # What habits see.

    def peers(self) -> Sequence[PeerId]:
        """Return the honest nodes that it can say something to."""
        return [peer for peer in self._peers if peer not in self.friends]

    def say(self, peer: PeerId, rpc: Rpc) -> None:
        """Send an RPC past the router."""
        self.counts["said"] += 1
        for message in rpc.messages:
            key = MessageId(sha256(message.data).digest())
            self._said.append(Push((peer,), message.topic, key, message.data))
        if not rpc.messages:
            self._said.append(Send(peer, rpc))

    def remembered(self) -> Sequence[Message]:
        """Return the valid messages that it met, oldest first."""
        return list(self._remembered.values())

    def remembered_ids(self) -> Sequence[MessageId]:
        """Return their ids."""
        return list(self._remembered)

    def mark(self, data: bytes) -> bytes:
        """Return what tells a valid message from any other."""
        return data

    def is_victims(self, data: bytes) -> bool:
        """Return whether the victim wrote a record."""
        return parse(data).header.agent == self._victim

    def forge(self) -> bytes:
        """Return a record that somebody wrote, with one byte of it changed."""
        self.counts["forged"] += 1
        if not self._remembered:
            return self.rng.randbytes(GARBAGE_BYTES)
        forged = bytearray(self.rng.choice(self.remembered()).data)
        place = self.rng.randrange(len(forged))
        forged[place] ^= self.rng.randrange(1, 256)
        return bytes(forged)


def is_record(data: bytes) -> bool:
    """Tell whether these are a record's bytes, signed by whom it says."""
    try:
        return parse(data).is_signed()
    except PeerError:
        return False

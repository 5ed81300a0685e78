"""What waits to be sent to one peer, all of it bounded.

Control goes first, then messages, then announcements (IHAVE): those come after
the messages that were queued before them, or the peer would ask for these again.

The bounds on messages, in bytes of encoded RPC::

    0 ······· 128 Ki ····· 256 Ki ············ 384 Ki ················ 704 Ki
    │         │            │                   │                       │
    │         LOW_MARK     PUBLISH_MARK        FORWARD_MARK            CAPACITY
    │         a slow peer  our own messages    judging waits,          the oldest
    │         has caught   wait for room       answers to IWANT        message is
    │         up           from here on        are dropped             dropped

Why three marks: spec/decisions/0005-gossip-backpressure.md. With control,
announcements and what a write has in flight, a peer costs 1 Mi at most.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import trio

from moltp2p.core.ids import MessageId
from moltp2p.net.gossip.rpc_codec import frame
from moltp2p.net.streams import PIECE_BYTES
from moltp2p.proto.gossip.rpc import MAX_RPC_MESSAGES

LOW_MARK: Final = 128 * 1024
PUBLISH_MARK: Final = 256 * 1024
FORWARD_MARK: Final = 384 * 1024
CAPACITY: Final = 704 * 1024

CONTROL_CAPACITY: Final = 96 * 1024
REQUEST_CAPACITY: Final = 64 * 1024
"""Of control; and the part of it that may be IWANT and IDONTWANT. A request that
finds no room is dropped; no room for a GRAFT ends the stream."""

ANNOUNCEMENT_CAPACITY: Final = 160 * 1024
"""Of announcements, which is one heartbeat's; the oldest is dropped."""

WRITE_BYTES: Final = PIECE_BYTES - 16
"""Sent at once: one yamux frame, less the lengths of a few frames of ours."""

STALL_S: Final = 2.0
PATIENCE_S: Final = 10.0
PATIENCE_REGAIN: Final = 0.5
"""How long others wait for this peer (see `net.backpressure`): `STALL_S` while
nothing moves; `PATIENCE_S` in all, growing back by so many seconds a second."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """An encoded message, shared by the queues of all peers it goes to."""

    topic: str
    encoding: bytes


@dataclass(slots=True)
class _Lane:
    """RPCs in order, and their bytes."""

    encodings: deque[bytes] = field(default_factory=deque)
    size_bytes: int = 0

    def put(self, encoding: bytes) -> None:
        self.encodings.append(encoding)
        self.size_bytes += len(encoding)

    def pop(self) -> bytes:
        encoding = self.encodings.popleft()
        self.size_bytes -= len(encoding)
        return encoding

    def take(self, parts: list[bytes], room: int) -> int:
        """Move frames into `parts` while they fit; return the room that is left."""
        while self.encodings and len(self.encodings[0]) <= room:
            parts.append(frame([self.pop()]))
            room -= len(parts[-1])
        return room


class Outbox:
    """The queue to one peer.

    Attributes:
        drops: messages, requests and announcements dropped, by cause.
        moved_at: when something last left, or came while nothing waited or was sent.
        is_slow: whether nobody waits for this peer until it has caught up.
        sent_messages: messages whose write has ended well.
    """

    def __init__(self) -> None:
        self.drops: Counter[str] = Counter()
        self.moved_at = trio.current_time()
        self.is_slow = False
        self.sent_messages = 0
        self._in_flight = 0
        self._is_writing = False
        self._control = _Lane()
        self._announcements = _Lane()
        self._messages: OrderedDict[MessageId, Parcel] = OrderedDict()
        self._message_bytes = 0
        self._filled = trio.Event()
        self._patience_s = PATIENCE_S
        self._patience_at = self.moved_at

    def __len__(self) -> int:
        """Return how many RPCs and messages wait."""
        control = len(self._control.encodings) + len(self._announcements.encodings)
        return control + len(self._messages)

    @property
    def is_idle(self) -> bool:
        """Whether everything was sent."""
        return not len(self) and not self._is_writing

    def is_behind(self, now: float) -> bool:
        """Return whether the peer does not keep up, or nothing has moved for long."""
        return self.is_slow or (not self.is_idle and now - self.moved_at >= STALL_S)

    @property
    def size_bytes(self) -> int:
        """All bytes that wait."""
        return (
            self._control.size_bytes
            + self._message_bytes
            + self._announcements.size_bytes
        )

    @property
    def message_bytes(self) -> int:
        """The bytes of messages that wait: what the marks are about."""
        return self._message_bytes

    def put_control(self, encoding: bytes, *, request: bool) -> bool:
        """Queue control; return whether there was room.

        Args:
            encoding: an RPC without messages and announcements.
            request: whether it is only IWANT or IDONTWANT, which can be missed.
        """
        capacity = REQUEST_CAPACITY if request else CONTROL_CAPACITY
        if self._control.size_bytes + len(encoding) > capacity:
            self.drops["request-queue-full" if request else "control-queue-full"] += 1
            return False
        self._wake()
        self._control.put(encoding)
        return True

    def put_announcement(self, encoding: bytes) -> None:
        """Queue an RPC of IHAVE, to be sent once no message waits."""
        self._wake()
        self._announcements.put(encoding)
        while self._announcements.size_bytes > ANNOUNCEMENT_CAPACITY:
            self._announcements.pop()
            self.drops["announcement-queue-full"] += 1

    def put_message(self, message_id: MessageId, parcel: Parcel) -> list[str]:
        """Queue a message; return the topics of those dropped to make room.

        The oldest goes first: it is the most likely to have come another way.
        """
        if message_id in self._messages:
            return []
        dropped = []
        self._message_bytes += len(parcel.encoding)
        while self._message_bytes > CAPACITY:
            _, oldest = self._messages.popitem(last=False)
            self._message_bytes -= len(oldest.encoding)
            self.drops["queue-full"] += 1
            dropped.append(oldest.topic)
        self._wake()
        self._messages[message_id] = parcel
        return dropped

    def put_answer(self, message_id: MessageId, parcel: Parcel) -> list[str]:
        """Queue a message that the peer asked for; it never displaces another."""
        if message_id not in self._messages and self._message_bytes > FORWARD_MARK:
            self.drops["answer-queue-full"] += 1
            return [parcel.topic]
        return self.put_message(message_id, parcel)

    def withdraw(self, ids: Iterable[MessageId]) -> None:
        """Take out messages that the peer has got elsewhere."""
        for message_id in ids:
            parcel = self._messages.pop(message_id, None)
            if parcel is not None:
                self._message_bytes -= len(parcel.encoding)

    def lose_patience(self, waited_s: float) -> None:
        """Note that others waited so long for this peer; too long, and it is slow."""
        now = trio.current_time()
        regained_s = PATIENCE_REGAIN * (now - self._patience_at)
        self._patience_s = min(PATIENCE_S, self._patience_s + regained_s) - waited_s
        self._patience_at = now
        self.is_slow = self._patience_s <= 0 or now - self.moved_at >= STALL_S

    async def wait(self) -> None:
        """Return once something waits to be sent."""
        while not len(self):
            await self._filled.wait()
            self._filled = trio.Event()

    def take(self) -> bytes:
        """Take out what one write can carry: several frames, or one large message."""
        parts: list[bytes] = []
        room = self._control.take(parts, WRITE_BYTES)
        while encodings := self._take_messages(room, anyhow=not parts):
            parts.append(frame(encodings))
            room -= len(parts[-1])
        if not self._messages:
            self._announcements.take(parts, room)
        self._is_writing = True
        self.moved_at = trio.current_time()
        self.is_slow = self.is_slow and self._message_bytes > LOW_MARK
        return b"".join(parts)

    def sent(self) -> None:
        """Note that the write of what was taken last has ended well."""
        self.sent_messages += self._in_flight
        self._in_flight = 0
        self._is_writing = False

    def abandon(self) -> None:
        """Count what was not sent, or perhaps not: the peer has gone."""
        self.drops["peer-gone"] += len(self._messages) + self._in_flight
        self._in_flight = 0
        self._messages.clear()
        self._message_bytes = 0

    def _take_messages(self, room: int, *, anyhow: bool) -> list[bytes]:
        """Take out the messages of one RPC; one that is too large goes alone."""
        taken: list[bytes] = []
        while self._messages and len(taken) < MAX_RPC_MESSAGES:
            message_id, parcel = self._messages.popitem(last=False)
            size = len(parcel.encoding)
            if size > room and (taken or not anyhow):
                self._messages[message_id] = parcel
                self._messages.move_to_end(message_id, last=False)
                break
            room -= size
            self._message_bytes -= size
            taken.append(parcel.encoding)
        self._in_flight += len(taken)
        return taken

    def _wake(self) -> None:
        """Let the writer go on; called before something is put in."""
        if self.is_idle:
            self.moved_at = trio.current_time()
        if not self._filled.is_set():
            self._filled.set()

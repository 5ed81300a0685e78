"""What both ends of `/moltp2p/reconcile/1.0.0` share (spec 06, section 3).

    initiator                                   responder
    Open: one fingerprint over all topics   ->
                                            <-  Same, Refusal, or Sums: one for each
    Round: Negentropy for those that differ ->
                                            <-  Round: the same topics
    … until nothing is left to ask, or one session's limits are reached

Frames go in and come out; nothing here waits or knows the time. Each call opens the
sets that it needs and closes them again, so it belongs in a worker thread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Final, Protocol

from moltp2p.proto.sync.messages import MAX_FRAME_BYTES, Round
from moltp2p.proto.sync.negentropy import Room
from moltp2p.proto.sync.ranges import MAX_RANGES, Range, read_ranges
from moltp2p.proto.sync.reconcile import ReconcileSet, SetSum

MAX_ROUNDS: Final = 32  # SPEC 06: "| rounds in one session | 32 |"

_FRAME_BYTES: Final = 16
_SET_BYTES: Final = 12
"""At most so many bytes stand round all messages of a frame, and round each."""


class Holdings(Protocol):
    """What a node holds, as reconciliation sees it; a store."""

    def sums(self, topics: Sequence[int], since_ms: int, until_ms: int) -> list[SetSum]:
        """Return the sum of each topic's records of that time, in order."""
        ...

    def open_set(
        self, topic: int, since_ms: int, until_ms: int
    ) -> AbstractContextManager[ReconcileSet]:
        """Open a topic's records of that time for the length of a block."""
        ...


def read_round(message: Round) -> dict[int, list[Range]]:
    """Return the ranges of each topic, in order.

    Raises:
        PeerError: `bad-ranges`, also when there are too many in all.
    """
    ranges: dict[int, list[Range]] = {}
    left = MAX_RANGES
    for topic, data in message.sets:
        ranges[topic] = read_ranges(data, left)
        left -= len(ranges[topic])
    return ranges


def make_round(
    topics: Sequence[int], make: Callable[[int, Room], bytes]
) -> dict[int, bytes]:
    """Return a message for each topic, so that all fit into one frame.

    What one does not use of its share of bytes goes to those that follow.

    Args:
        topics: which, in order.
        make: makes a topic's message, of a limited length.
    """
    messages: dict[int, bytes] = {}
    bytes_left = MAX_FRAME_BYTES - _FRAME_BYTES - _SET_BYTES * len(topics)
    for made, topic in enumerate(topics):
        share = bytes_left // (len(topics) - made)
        messages[topic] = make(topic, Room(share, MAX_RANGES // len(topics)))
        bytes_left -= len(messages[topic])
    return messages

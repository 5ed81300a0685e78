"""Who is asked in a reconciliation, and keeps its limits (spec 06, section 3)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from moltp2p.core.errors import PeerError
from moltp2p.proto.sync import negentropy
from moltp2p.proto.sync.messages import (
    Message,
    Open,
    Refusal,
    Round,
    Same,
    Sums,
    TopicSum,
    Window,
    decode_message,
    encode_message,
)
from moltp2p.proto.sync.negentropy import Room
from moltp2p.proto.sync.reconcile import SetSum
from moltp2p.proto.sync.rounds import MAX_ROUNDS, Holdings, make_round, read_round

AGENTS: Final = 0
"""The number of the agents' topic."""

MAX_WINDOW_RECORDS: Final = 1_048_576
# SPEC 06: "more than 1,048,576 records"


@dataclass(frozen=True, slots=True)
class Scope:
    """What a responder reconciles.

    Attributes:
        topics: the numbers of those that it keeps.
        since_ms: its horizon, before which it keeps nothing but what is on the agents'
            topic.
        max_records: how many at most, in a window that differs.
    """

    topics: Collection[int]
    since_ms: int = 0
    max_records: int = MAX_WINDOW_RECORDS


class Responder:
    """Answers one initiator.

    Attributes:
        is_over: whether the last answer ended the session.

    Args:
        holdings: what we have.
        scope: what of it we reconcile.
    """

    def __init__(self, holdings: Holdings, scope: Scope) -> None:
        self.is_over = False
        self._holdings = holdings
        self._scope = scope
        self._window: Window | None = None
        self._rounds = 0

    def receive(self, frame: bytes) -> bytes:
        """Return the answer to a frame of the initiator.

        Raises:
            PeerError: `malformed`, `not-canonical`, `bad-session`, `bad-ranges`, or
                `too-many-rounds`.
        """
        match decode_message(frame), self._window:
            case Open(window, digest), None if not self.is_over:
                answer = self._open(window, digest)
                self.is_over = not isinstance(answer, Sums)
                self._window = window
                return encode_message(answer)
            case Round() as asked, Window() as window if not self.is_over:
                return encode_message(self._respond(asked, window))
            case _:
                raise PeerError("bad-session", "not what comes next in a session")

    def _open(self, window: Window, digest: bytes) -> Message:
        narrower = self._kept(window)
        if narrower != window:
            return Refusal("narrower", narrower.since_ms, narrower.topics)
        sums = self._sums(window, window.since_ms)
        total = sum(sums, SetSum())
        if total.fingerprint() == digest:
            return Same()
        if total.count > self._scope.max_records and _can_be_split(window):
            return Refusal("too-big", self._since_that_fits(window), window.topics)
        return Sums(tuple(TopicSum(each.count, each.fingerprint()) for each in sums))

    def _kept(self, window: Window) -> Window:
        topics = tuple(each for each in window.topics if each in self._scope.topics)
        since_ms = max(window.since_ms, self._scope.since_ms)
        if topics == (AGENTS,):
            since_ms = window.since_ms  # no horizon counts for it (spec 11)
        return Window(topics, since_ms, window.until_ms)

    def _sums(self, window: Window, since_ms: int) -> list[SetSum]:
        return self._holdings.sums(window.topics, since_ms, window.until_ms)

    def _since_that_fits(self, window: Window) -> int:
        """Return from when on the window is not too big: the newest come first.

        Half as much as may be is enough. The last millisecond is answered however
        much it holds, since no window splits it.
        """
        too_early_ms, since_ms = window.since_ms, window.until_ms - 1
        while since_ms - too_early_ms > 1:
            middle_ms = (too_early_ms + since_ms) // 2
            count = sum(each.count for each in self._sums(window, middle_ms))
            if count > self._scope.max_records:
                too_early_ms = middle_ms
            else:
                since_ms = middle_ms
                if count > self._scope.max_records // 2:
                    break
        return since_ms

    def _respond(self, asked: Round, window: Window) -> Round:
        self._rounds += 1
        if self._rounds > MAX_ROUNDS:
            raise PeerError("too-many-rounds", f"more than {MAX_ROUNDS} in a session")
        ranges = read_round(asked)
        if not ranges.keys() <= set(window.topics):
            raise PeerError("bad-session", "a topic that the session is not about")

        def respond(topic: int, room: Room) -> bytes:
            since_ms, until_ms = window.since_ms, window.until_ms
            with self._holdings.open_set(topic, since_ms, until_ms) as own:
                return negentropy.respond(own, ranges[topic], room)

        return Round(tuple(make_round(tuple(ranges), respond).items()))


def _can_be_split(window: Window) -> bool:
    return window.until_ms - window.since_ms > 1

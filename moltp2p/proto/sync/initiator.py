"""Who opens a reconciliation: it wants to know what it lacks (spec 06, section 3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from moltp2p.core.errors import PeerError, UsageError
from moltp2p.core.ids import RecordId
from moltp2p.proto.sync import negentropy
from moltp2p.proto.sync.messages import (
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
from moltp2p.proto.sync.negentropy import NOTHING_MORE, Room
from moltp2p.proto.sync.reconcile import SetSum
from moltp2p.proto.sync.rounds import MAX_ROUNDS, Holdings, make_round, read_round

MAX_NEED: Final = 65_536
# SPEC 06: "| ids found, after which the initiator ends it | 65,536 |"


@dataclass(frozen=True, slots=True)
class Done:
    """All that one session finds was found.

    Attributes:
        is_complete: whether nothing else differs; if not, another session goes on
            once that which this one found was fetched.
        have_count: how many records we have and the responder lacks, as far as it
            told the truth; 0 when not complete.
    """

    is_complete: bool
    have_count: int = 0


@dataclass(frozen=True, slots=True)
class Narrower:
    """The responder would reconcile no more than this.

    Attributes:
        code: `too-big` when the rest can be asked for by windows of its own,
            `narrower` when the responder does not keep the rest.
        window: what it would reconcile.
    """

    code: str
    window: Window


@dataclass(frozen=True, slots=True)
class Refused:
    """The responder reconciles nothing now; `code` is its word for why."""

    code: str


Outcome: TypeAlias = Same | Done | Narrower | Refused


@dataclass(frozen=True, slots=True)
class Step:
    """What came of a frame.

    Attributes:
        reply: the next frame to send; None exactly when there is an outcome.
        need: what the responder says it has and we lack, each once a session: the
            topic, and the id. Nothing proves it until the record is there.
        outcome: how the session ended.
    """

    reply: bytes | None = None
    need: tuple[tuple[int, RecordId], ...] = ()
    outcome: Outcome | None = None


class Initiator:
    """Finds out what a peer has that we lack.

    Attributes:
        counts: for each topic that differs, how many records we have, and how many
            the responder says it has; known from its first answer on.

    Args:
        holdings: what we have.
        window: what to reconcile.

    Raises:
        UsageError: `bad-query` when the window holds nothing.
    """

    def __init__(self, holdings: Holdings, window: Window) -> None:
        if not window.is_sound():
            raise UsageError("bad-query", f"not a window: {window}")
        self.counts: dict[int, tuple[int, int]] = {}
        self._holdings = holdings
        self._window = window
        self._asked: tuple[int, ...] | None = None
        self._rounds = 0
        self._found: dict[RecordId, int] = {}

    def open(self) -> bytes:
        """Return the first frame."""
        total = sum(self._own_sums(), SetSum())
        return encode_message(Open(self._window, total.fingerprint()))

    def receive(self, frame: bytes) -> Step:
        """Return what came of a frame of the responder.

        Raises:
            PeerError: `malformed`, `not-canonical`, `bad-session` or `bad-ranges`.
        """
        match decode_message(frame):
            case Same() as same if self._asked is None:
                return self._end(same)
            case Sums(sums) if self._asked is None:
                return self._compare(sums)
            case Round() as answer if self._asked:
                return self._advance(answer, self._asked)
            case Refusal() as refusal if self._asked != ():
                return self._end(self._refused(refusal))
            case _:
                raise PeerError("bad-session", "an answer to what was not asked")

    def _own_sums(self) -> list[SetSum]:
        window = self._window
        return self._holdings.sums(window.topics, window.since_ms, window.until_ms)

    def _compare(self, theirs: Sequence[TopicSum]) -> Step:
        topics = self._window.topics
        if len(theirs) != len(topics):
            raise PeerError("bad-session", "not one sum for each topic")
        for topic, own, their in zip(topics, self._own_sums(), theirs, strict=True):
            if own.fingerprint() != their.digest:
                self.counts[topic] = (own.count, their.count)
        asked = [topic for topic, (_, count) in self.counts.items() if count]
        return self._ask(make_round(asked, self._initiate), ())

    def _initiate(self, topic: int, room: Room) -> bytes:
        since_ms, until_ms = self._window.since_ms, self._window.until_ms
        with self._holdings.open_set(topic, since_ms, until_ms) as own:
            return negentropy.initiate(own, room)

    def _advance(self, answer: Round, asked: tuple[int, ...]) -> Step:
        if tuple(topic for topic, _ in answer.sets) != asked:
            raise PeerError("bad-session", "an answer about other topics")
        ranges = read_round(answer)
        since_ms, until_ms = self._window.since_ms, self._window.until_ms
        need: list[tuple[int, RecordId]] = []

        def advance(topic: int, room: Room) -> bytes:
            with self._holdings.open_set(topic, since_ms, until_ms) as own:
                turn = negentropy.advance(own, ranges[topic], room)
            new = [record for record in turn.need if record not in self._found]
            self._found |= dict.fromkeys(new, topic)
            need.extend((topic, record) for record in new)
            return turn.reply

        return self._ask(make_round(asked, advance), need)

    def _ask(
        self, messages: dict[int, bytes], need: Sequence[tuple[int, RecordId]]
    ) -> Step:
        """Send what is not empty of the messages, or end."""
        sets = [pair for pair in messages.items() if pair[1] != NOTHING_MORE]
        self._rounds += 1
        if sets and self._rounds <= MAX_ROUNDS and len(self._found) < MAX_NEED:
            self._asked = tuple(topic for topic, _ in sets)
            return Step(encode_message(Round(tuple(sets))), tuple(need))
        done = Done(is_complete=False) if sets else Done(True, self._have_count())
        return self._end(done, need)

    def _end(self, outcome: Outcome, need: Sequence[tuple[int, RecordId]] = ()) -> Step:
        self._asked = ()
        return Step(None, tuple(need), outcome)

    def _have_count(self) -> int:
        need = Counter(self._found.values())
        return sum(
            max(0, own - (their - need[topic]))
            for topic, (own, their) in self.counts.items()
        )

    def _refused(self, refusal: Refusal) -> Narrower | Refused:
        asked = self._window
        if refusal.since_ms is None:
            return Refused(refusal.code)
        window = Window(refusal.topics, refusal.since_ms, asked.until_ms)
        is_part = window.since_ms >= asked.since_ms and (
            set(window.topics) <= set(asked.topics)
        )
        if not is_part or window == asked:
            raise PeerError("bad-session", "not less than was asked for")
        if not window.is_sound():
            return Refused(refusal.code)
        return Narrower(refusal.code, window)

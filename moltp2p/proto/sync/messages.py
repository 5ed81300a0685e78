"""The messages of `/moltp2p/reconcile/1.0.0` (spec 06, section 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, TypeAlias, assert_never

from moltp2p.core.codec import MAX_INT, Value, decode, encode
from moltp2p.core.errors import PeerError
from moltp2p.proto.sync.reconcile import FINGERPRINT_BYTES

PROTOCOL: Final = "/moltp2p/reconcile/1.0.0"
# SPEC 06: "/moltp2p/reconcile/1.0.0"
MAX_FRAME_BYTES: Final = 524_288
# SPEC 06: "| frame | 524,288 bytes |"
MAX_TOPIC: Final = 256
# SPEC 06: "a number from 0 to 256"

_MAX_CODE_CHARS: Final = 64


@dataclass(frozen=True, slots=True)
class Window:
    """Which records are reconciled.

    Attributes:
        topics: their topics' numbers, ascending.
        since_ms: the earliest time of theirs.
        until_ms: the time before which they are.
    """

    topics: tuple[int, ...]
    since_ms: int
    until_ms: int

    def is_sound(self) -> bool:
        """Tell whether it names something, in the one way that it can be named."""
        return (
            0 <= self.since_ms < self.until_ms <= MAX_INT
            and bool(self.topics)
            and _is_ascending(self.topics)
        )


@dataclass(frozen=True, slots=True)
class Open:
    """The initiator's first: what it wants, and the fingerprint of all it has of it."""

    window: Window
    digest: bytes


@dataclass(frozen=True, slots=True)
class Same:
    """The responder has exactly the same."""


@dataclass(frozen=True, slots=True)
class TopicSum:
    """How many records the responder has on a topic, and their fingerprint."""

    count: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Sums:
    """The responder has something else: one sum for each topic asked for, in order."""

    sums: tuple[TopicSum, ...]


@dataclass(frozen=True, slots=True)
class Refusal:
    """The responder does not do it.

    Attributes:
        code: why (spec 09).
        since_ms: from when on it would do it; None when it says nothing of the kind.
        topics: for which of the topics.
    """

    code: str
    since_ms: int | None = None
    topics: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Round:
    """Negentropy messages, each with its topic, ascending."""

    sets: tuple[tuple[int, bytes], ...]


Message: TypeAlias = Open | Same | Sums | Refusal | Round


def encode_message(message: Message) -> bytes:
    """Return the bytes of a message."""
    return encode(_fields(message))


def _fields(message: Message) -> dict[str, object]:
    match message:
        case Open(window, digest):
            topics, since, until = window.topics, window.since_ms, window.until_ms
            asked = {"topics": list(topics), "since": since, "until": until}
            return {**asked, "sum": digest}
        case Same():
            return {"same": True}
        case Sums(sums):
            digests = b"".join(each.digest for each in sums)
            return {"counts": [each.count for each in sums], "sums": digests}
        case Refusal(code, None):
            return {"code": code}
        case Refusal(code, since, topics):
            return {"code": code, "since": since, "topics": list(topics)}
        case Round(sets):
            return {"sets": [list(each) for each in sets]}
        case _:
            assert_never(message)


def decode_message(data: bytes) -> Message:
    """Return the message that `data` spells; unknown fields are passed over.

    Raises:
        PeerError: `malformed`, `not-canonical` or `bad-session`.
    """
    fields = decode(data)
    if not isinstance(fields, dict):
        raise PeerError("bad-session", "not a map")
    match fields:
        case {"code": str(code)}:
            return _refusal(code, fields.get("since"), fields.get("topics"))
        case {"same": True}:
            return Same()
        case {"counts": list(counts), "sums": bytes(digests)}:
            return Sums(_sums(counts, digests))
        case {"sets": list(sets)}:
            return _round(sets)
        case {"topics": topics, "since": since, "until": until, "sum": digest}:
            window = Window(_topics(topics), _natural(since), _natural(until))
            return _open(window, digest)
        case _:
            raise PeerError("bad-session", "not a message of a reconciliation")


def _open(window: Window, digest: Value) -> Open:
    if not isinstance(digest, bytes) or len(digest) != FINGERPRINT_BYTES:
        raise PeerError("bad-session", "not a fingerprint")
    if not window.is_sound():
        raise PeerError("bad-session", "a window without topics, or without time")
    return Open(window, digest)


def _sums(counts: list[Value], digests: bytes) -> tuple[TopicSum, ...]:
    if len(digests) != len(counts) * FINGERPRINT_BYTES:
        raise PeerError("bad-session", "not a fingerprint for each count")
    starts = range(0, len(digests), FINGERPRINT_BYTES)
    parts = (digests[start : start + FINGERPRINT_BYTES] for start in starts)
    return tuple(map(TopicSum, map(_natural, counts), parts))


def _refusal(code: str, since: Value, topics: Value) -> Refusal:
    if not 0 < len(code) <= _MAX_CODE_CHARS:
        raise PeerError("bad-session", "a code that is empty or too long")
    if since is None:
        return Refusal(code)
    return Refusal(code, _natural(since), _topics(topics))


def _round(sets: list[Value]) -> Round:
    parts: list[tuple[int, bytes]] = []
    for each in sets:
        match each:
            case [topic, bytes(message)]:
                parts.append((_natural(topic), message))
            case _:
                raise PeerError("bad-session", "not a topic and its message")
    if not parts or not _is_ascending([topic for topic, _ in parts]):
        raise PeerError("bad-session", "no topics, or not in order")
    return Round(tuple(parts))


def _topics(value: Value) -> tuple[int, ...]:
    if not isinstance(value, list):
        raise PeerError("bad-session", "not a list of topics")
    topics = tuple(map(_natural, value))
    if not _is_ascending(topics):
        raise PeerError("bad-session", "topics out of order, or unknown")
    return topics


def _natural(value: Value) -> int:
    if type(value) is not int or value < 0:
        raise PeerError("bad-session", "not a natural number")
    return value


def _is_ascending(topics: Sequence[int]) -> bool:
    in_order = all(before < after for before, after in pairwise(topics))
    return in_order and all(0 <= topic <= MAX_TOPIC for topic in topics)

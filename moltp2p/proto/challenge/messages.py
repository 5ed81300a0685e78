"""The frames of `/moltp2p/verify/1.0.0`: statements, refusals, failures (spec 07)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from moltp2p.core.challenge.spelling import MAX_LIMIT_MS, integer
from moltp2p.core.challenge.statements import Statement
from moltp2p.core.challenge.testimony import ROUNDS, TASKS
from moltp2p.core.codec import Value, decode, encode
from moltp2p.core.errors import PeerError

PROTOCOL: Final = "/moltp2p/verify/1.0.0"  # SPEC 07: "/moltp2p/verify/1.0.0"
MAX_MESSAGE_BYTES: Final = 8_192  # SPEC 07: "at most 8,192 bytes"

WORD_MS: Final = 130  # SPEC 07: "130 ms for each word"
MAX_ROUND_TRIP_MS: Final = 1_000  # SPEC 07: "the lesser of 1,000 ms"
LEAST_LIMIT_MS: Final = 30_000  # SPEC 07: "at least 30,000 ms"

FIRST_WAIT_S: Final = 10.0  # SPEC 07: "for the first word | 10"
OFFER_WAIT_S: Final = 20.0  # SPEC 07: "for the offer | 20"
WAIT_S: Final = 10.0  # SPEC 07: "for any other word | 10"

_CODE: Final = re.compile(r"[a-z][a-z-]{0,39}")
_SCORE: Final = integer(0, ROUNDS * TASKS)


@dataclass(frozen=True, slots=True)
class Refuse:
    """The other party ends the session, and says why; signed by nobody."""

    code: str


@dataclass(frozen=True, slots=True)
class Fail:
    """The challenger has seen too few right answers; signed by nobody."""

    score: int


Message: TypeAlias = Statement | Refuse | Fail


def encode_message(message: Message) -> bytes:
    """Return the payload of a frame."""
    match message:
        case Refuse(code):
            return encode(["refuse", {"code": code}])
        case Fail(score):
            return encode(["fail", {"code": "not-passed", "score": score}])
        case Statement():
            return encode(message.to_value())


def decode_message(payload: bytes) -> Message:
    """Return what the payload of a frame says.

    Raises:
        PeerError: `bad-statement`, or a code of `codec.decode`.
    """
    value = decode(payload)
    match value:
        case ["refuse", {"code": str(code)}] if _CODE.fullmatch(code):
            return Refuse(code)
        case ["fail", {"score": score}] if _SCORE(score):
            return Fail(_integer(score))
        case _:
            return Statement.from_value(value)


def _integer(value: Value) -> int:
    if not isinstance(value, int):
        raise PeerError("bad-statement", "not a number")
    return value


def limit_ms(texts: Sequence[str], round_trip_ms: int = 0) -> int:
    """Return how long an applicant has for these tasks.

    Args:
        texts: the tasks of a round.
        round_trip_ms: from the offer to its acceptance.
    """
    words = sum(len(text.split()) for text in texts)
    allowed = WORD_MS * words + min(round_trip_ms, MAX_ROUND_TRIP_MS)
    return min(max(LEAST_LIMIT_MS, allowed), MAX_LIMIT_MS)

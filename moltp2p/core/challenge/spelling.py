"""How the statements of a challenge are spelt: the tables of spec 07.

A table has a row for each field: its key on the wire, the attribute it fills, and
what must hold of its value. Reading makes exactly what writing spells.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar, cast

from moltp2p.core import codec
from moltp2p.core.challenge.statements import Statement, state
from moltp2p.core.challenge.testimony import (
    PASS_SCORES,
    ROUNDS,
    SPOT_ROUNDS,
    TASKS,
    TEST_SLOTS,
    Accept,
    Apply,
    Attestation,
    Check,
    Commit,
    Offer,
    Open,
    Reveal,
    Round,
    Testimony,
)
from moltp2p.core.challenge.work import MAX_NONCE, MAX_SIZE, Ticket
from moltp2p.core.codec import Value
from moltp2p.core.errors import PeerError
from moltp2p.core.keys import Signer
from moltp2p.core.limits import ANSWER_PATTERN, MAX_TASK_CHARS, TASK_PATTERN

NONCE_BYTES: Final = 16  # SPEC 07: "16 random bytes"
VERSION_PATTERN: Final = r"[a-z0-9./-]{1,16}"
# SPEC 07: "1 to 16 characters of a-z, 0-9, ., / and -"
PEER_PATTERN: Final = r"12D3Koo[1-9A-HJ-NP-Za-km-z]{45}"
MAX_VERSIONS: Final = 4  # SPEC 07: "1 to 4 versions"
MAX_LIMIT_MS: Final = 600_000  # SPEC 07: "at most 600,000"

Holds = Callable[[Value], bool]


@dataclass(frozen=True, slots=True)
class Field:
    """A row of a table.

    Attributes:
        key: the field's name on the wire.
        attribute: what it fills.
        holds: what must hold of its value.
        is_optional: whether it may be missing.
    """

    key: str
    attribute: str
    holds: Holds
    is_optional: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """What a word says.

    Attributes:
        says: the dataclass.
        fields: the table.
        whole: what must hold of all fields together.
    """

    says: type[Testimony]
    fields: tuple[Field, ...]
    whole: Callable[[Mapping[str, Value]], bool] = bool


Said = TypeVar("Said", bound=Testimony)


def word_of(testimony: Testimony) -> str:
    """Return the word with which it is said."""
    return _WORDS[type(testimony)]


def write(testimony: Testimony, signer: Signer, network: str) -> Statement:
    """Return the signed statement of a testimony."""
    return state(word_of(testimony), fields_of(testimony), signer, network)


def fields_of(testimony: Testimony) -> dict[str, Value]:
    """Return the map that is signed."""
    layout = LAYOUTS[word_of(testimony)]
    values = {each.key: getattr(testimony, each.attribute) for each in layout.fields}
    return {key: _thaw(value) for key, value in values.items() if value is not None}


def read(statement: Statement, says: type[Said]) -> Said:
    """Return what a statement says, if it is of that kind. Not who signed it.

    Raises:
        PeerError: `bad-statement`, or a code of `codec.decode`.
    """
    word = _WORDS[says]
    if statement.word != word:
        raise PeerError("bad-statement", f"a {statement.word[:20]!r} for a {word!r}")
    fields = codec.decode(statement.payload)
    if not isinstance(fields, dict):
        raise PeerError("bad-statement", f"{word}: not a map")
    layout = LAYOUTS[word]
    known = {
        each.attribute: _checked(word, each, fields)
        for each in layout.fields
        if each.key in fields or not each.is_optional
    }
    if not layout.whole(fields):
        raise PeerError("bad-statement", f"{word}: fields that contradict each other")
    optional = {each.attribute: None for each in layout.fields if each.is_optional}
    return cast("Said", layout.says(**cast("dict[str, object]", optional | known)))  # type: ignore[arg-type]


def _checked(word: str, field: Field, fields: dict[str, Value]) -> object:
    if field.key not in fields or not field.holds(fields[field.key]):
        raise PeerError("bad-statement", f"{word}: field {field.key!r}")
    return _freeze(fields[field.key])


def _freeze(value: Value) -> object:
    if isinstance(value, list):
        return tuple(map(_freeze, value))
    if isinstance(value, dict):
        return Ticket(*(cast("int", value[key]) for key in _TICKET))
    return value


def _thaw(value: object) -> Value:
    if isinstance(value, tuple):
        return list(map(_thaw, value))
    if isinstance(value, Ticket):
        return {"epoch": value.epoch, "size": value.size, "nonce": value.nonce}
    return cast("Value", value)


def bytes_of(size: int) -> Holds:
    """Return the check for so many bytes."""
    return lambda value: isinstance(value, bytes) and len(value) == size


def integer(low: int, high: int) -> Holds:
    """Return the check for an integer within bounds."""
    return lambda value: type(value) is int and low <= value <= high


def matching(pattern: str) -> Holds:
    """Return the check for a text that matches a pattern as a whole."""
    whole = re.compile(pattern)
    return lambda value: isinstance(value, str) and bool(whole.fullmatch(value))


def array(low: int, high: int, holds: Holds) -> Holds:
    """Return the check for an array of so many values."""
    return lambda value: (
        isinstance(value, list) and low <= len(value) <= high and all(map(holds, value))
    )


_TICKET: Final = {
    "epoch": integer(0, 2**40),
    "size": integer(1, MAX_SIZE),
    "nonce": integer(0, MAX_NONCE),
}


def is_ticket(value: Value) -> bool:
    """Tell whether a value spells a ticket."""
    return isinstance(value, dict) and all(
        key in value and holds(value[key]) for key, holds in _TICKET.items()
    )


def _is_salt_or_null(value: Value) -> bool:
    return value is None or _NONCE(value)


_HASH: Final = bytes_of(32)
_NONCE: Final = bytes_of(NONCE_BYTES)
_PEER: Final = matching(PEER_PATTERN)
VERSION: Final = matching(VERSION_PATTERN)
_TIME: Final = integer(0, codec.MAX_INT)
_ANSWERS: Final = array(TASKS, TASKS, matching(ANSWER_PATTERN))
_OPENED: Final = array(TASKS, TASKS, _is_salt_or_null)
_LINE: Final = matching(TASK_PATTERN)


def is_task_text(value: Value) -> bool:
    """Tell whether a value is a text that a solver may be shown (spec 08)."""
    return _LINE(value) and len(str(value)) <= MAX_TASK_CHARS


def _per_round(holds: Holds) -> Holds:
    return array(SPOT_ROUNDS, ROUNDS, holds)


def _is_paid_or_asked(fields: Mapping[str, Value]) -> bool:
    return ("ticket" in fields) != ("check" in fields)


def _is_attestation(fields: Mapping[str, Value]) -> bool:
    """Tell whether it is all of a ticket's attestation, or all of a spot one."""
    of_ticket = {key for key in ("ticket", "epoch", "slot") if key in fields}
    rounds = fields.get("rounds", ROUNDS)
    if len(of_ticket) != (0 if "rounds" in fields else 3):
        return False
    if fields["sub"] == fields["iss"]:
        return False
    least, most = PASS_SCORES[cast("int", rounds)], TASKS * cast("int", rounds)
    return integer(least, most)(fields["score"])


def _is_of_one_shape(fields: Mapping[str, Value]) -> bool:
    salts, answers = fields["salts"], fields["answers"]
    return len(cast("list[Value]", salts)) == len(cast("list[Value]", answers))


def _key(attribute: str = "key") -> Field:
    return Field("key", attribute, _HASH, is_optional=True)


_SUB: Final = Field("sub", "subject", _HASH)
_ISS: Final = Field("iss", "issuer", _HASH)
_FROM: Final = Field("peer", "peer", _PEER)
_TO: Final = Field("to", "to", _PEER)
_OWN_NONCE: Final = Field("nonce", "nonce", _NONCE)
_SESSION: Final = Field("sid", "session", _HASH)
_NUMBER: Final = Field("round", "number", integer(0, ROUNDS - 1))
_COMMITMENT: Final = Field("commit", "commit", _HASH)
_SLOT: Final = Field("slot", "slot", integer(0, TEST_SLOTS - 1), is_optional=True)
_TASKS: Final = Field("tasks", "tasks", VERSION)
_ROUNDS: Final = integer(SPOT_ROUNDS, ROUNDS)

LAYOUTS: Final[Mapping[str, Layout]] = {
    "check": Layout(
        Check,
        (
            _ISS,
            _key(),
            _FROM,
            _TO,
            _SUB,
            _OWN_NONCE,
            Field("rounds", "rounds", _ROUNDS),
        ),
    ),
    "apply": Layout(
        Apply,
        (
            *(_SUB, _key(), _FROM, _ISS, _TO, _OWN_NONCE),
            Field("tasks", "tasks", array(1, MAX_VERSIONS, VERSION)),
            Field("ticket", "ticket", is_ticket, is_optional=True),
            Field("check", "check", _HASH, is_optional=True),
        ),
        _is_paid_or_asked,
    ),
    "offer": Layout(Offer, (_SESSION, _ISS, _key(), _COMMITMENT, _TASKS, _SLOT)),
    "accept": Layout(Accept, (_SESSION, _OWN_NONCE)),
    "round": Layout(
        Round,
        (
            *(_SESSION, _NUMBER, _COMMITMENT),
            Field("texts", "texts", array(TASKS, TASKS, is_task_text)),
            Field("limit", "limit_ms", integer(1, MAX_LIMIT_MS)),
        ),
    ),
    "commit": Layout(
        Commit,
        (_SESSION, _NUMBER, Field("items", "items", array(TASKS, TASKS, _HASH))),
    ),
    "reveal": Layout(
        Reveal,
        (
            *(_SESSION, _OWN_NONCE),
            Field("salts", "salts", _per_round(_NONCE)),
            Field("answers", "answers", _per_round(_ANSWERS)),
        ),
        _is_of_one_shape,
    ),
    "open": Layout(Open, (_SESSION, Field("salts", "salts", _per_round(_OPENED)))),
    "attest": Layout(
        Attestation,
        (
            *(_SUB, _ISS, _key(), _TASKS, _SLOT),
            Field("score", "score", integer(0, ROUNDS * TASKS)),
            Field("took", "took_ms", integer(0, ROUNDS * MAX_LIMIT_MS)),
            Field("limit", "limit_ms", integer(0, ROUNDS * MAX_LIMIT_MS)),
            Field("time", "time_ms", _TIME),
            Field("log", "log", _HASH),
            Field("ticket", "ticket", _HASH, is_optional=True),
            Field("epoch", "epoch", _TICKET["epoch"], is_optional=True),
            Field("rounds", "rounds", _ROUNDS, is_optional=True),
        ),
        _is_attestation,
    ),
}
"""What each word says; `fields` of an attestation stand in no order, as in any map."""

_WORDS: Final[Mapping[type, str]] = {
    layout.says: word for word, layout in LAYOUTS.items()
}

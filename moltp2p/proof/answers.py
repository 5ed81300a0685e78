"""From what a solver says to an answer that can be committed to (spec 08, section 4).

A model may think aloud, quote, or write numbers as text; the answer is what
remains when form is taken away. It is short and of few characters, so that a
text written to draw secrets out of an agent has nowhere to put them.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Final

from moltp2p.core.codec import encode
from moltp2p.core.errors import UsageError
from moltp2p.core.limits import ANSWER_PATTERN

MAX_SAID_CHARS: Final = 16_384
"""Of what a solver said, the last so many characters are looked at."""
MARK: Final = "answer:"  # SPEC 08: "what follows the last `ANSWER:`"
MAX_JSON_DEPTH: Final = 3  # SPEC 08: "nested more than 3 deep"

_FENCE: Final = re.compile(r"```[a-z]*")
_EDGES: Final = " \t\r\n.\"'`*_()[]"
_JOINTS: Final = re.compile(r"\s*[-,;/\s]\s*")


def read_answer(said: str) -> str:
    """Return the answer in what a solver said.

    Raises:
        UsageError: `bad-answer` when there is none of the form that tasks have.
    """
    said = said[-MAX_SAID_CHARS:]
    at = said.lower().rfind(MARK)
    said = said[at + len(MARK) :] if at >= 0 else said
    said = _FENCE.sub("", said).strip()
    if "{" in said and "}" in said:
        return _json_answer(said[said.index("{") : said.rindex("}") + 1])
    answer = _JOINTS.sub("-", said.strip(_EDGES)).lower()
    if not re.fullmatch(ANSWER_PATTERN, answer):
        raise UsageError(
            "bad-answer",
            f"not an answer: {answer[:40]!r}",
            "answer with at most 32 letters, digits, `:` and `-`, or with JSON",
        )
    return answer


def _json_answer(text: str) -> str:
    try:
        return json_answer(json.loads(text))
    except (ValueError, RecursionError):
        raise UsageError("bad-answer", "an answer that is not JSON") from None


def json_answer(value: object) -> str:
    """Return the answer that stands for a JSON value: a hash of its canonical form.

    Raises:
        UsageError: `bad-answer` when the value is no such answer.
    """
    try:
        canonical = encode(_canonical(value, MAX_JSON_DEPTH))
    except (UsageError, ValueError):  # too many items, too many digits, no Unicode
        raise UsageError("bad-answer", "JSON beyond what an answer may hold") from None
    # SPEC 08: "`json:` and the first 24 hexadecimal digits"
    return "json:" + hashlib.sha256(canonical).hexdigest()[:24]


def _canonical(value: object, depth: int) -> object:
    """Return a value with all that a writer is free in taken away."""
    match value:
        case bool() | None:
            return json.dumps(value)
        case int() | str():
            return " ".join(str(value).lower().split())
        case float() if value.is_integer():
            return str(int(value))
        case list() if depth:
            return [_canonical(item, depth - 1) for item in value]
        case dict() if depth:
            return {
                " ".join(key.lower().split()): _canonical(item, depth - 1)
                for key, item in value.items()
            }
        case _:
            raise ValueError("too deep, or a fraction")

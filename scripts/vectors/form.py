"""How a vector spells bytes and values (spec/vectors/README.md)."""

from __future__ import annotations

import re
from typing import Final, TypeAlias

from moltp2p.core.codec import Value

Case: TypeAlias = dict[str, object]
"""One vector: a name, an operation, what goes in and what must come out."""

MAX_JSON_INT: Final = 2**53 - 1
"""Beyond it a JSON number loses digits in half of the world's parsers."""

_RUN: Final = re.compile(rb"(.)\1{63,}", re.DOTALL)


def spell(data: bytes) -> object:
    """Return bytes as a vector spells them: hex, long runs of one byte told short."""
    parts: list[object] = []
    end = 0
    for run in _RUN.finditer(data):
        parts.append(data[end : run.start()].hex())
        parts.append({"hex": run[1].hex(), "times": len(run[0])})
        end = run.end()
    if not parts:
        return data.hex()
    return [part for part in (*parts, data[end:].hex()) if part]


def read(spelt: object) -> bytes:
    """Return the bytes that a vector spells."""
    match spelt:
        case str(text):
            return bytes.fromhex(text)
        case list(parts):
            return b"".join(map(read, parts))
        case {"hex": str(text), "times": int(times)}:
            return bytes.fromhex(text) * times
        case _:
            raise TypeError(f"not bytes: {spelt!r}")


def to_json(value: Value) -> object:
    """Return a value of spec 02 as JSON: bytes and great integers in a map."""
    match value:
        case bytes():
            return {"hex": spell(value)}
        case int() if abs(value) > MAX_JSON_INT:
            return {"int": str(value)}
        case list():
            return [to_json(item) for item in value]
        case dict():
            return {key: to_json(item) for key, item in value.items()}
        case _:
            return value


def from_json(value: object) -> object:
    """Return the value that `to_json` spelt."""
    match value:
        case {"hex": spelt, **rest} if not rest:
            return read(spelt)
        case {"int": str(digits), **rest} if not rest:
            return int(digits)
        case list():
            return [from_json(item) for item in value]
        case dict():
            return {key: from_json(item) for key, item in value.items()}
        case _:
            return value

"""Making of valid bytes what a stranger might send: near enough to be read on.

A mutation takes dice, a seed and the corpus that the seed is from, and returns a
case. Bytes that are merely random end at the first check of any parser; these
know how their format is built, and break it at one place, or say within it what
nobody expects.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Final

import cbor2

from moltp2p.core import codec
from moltp2p.core.errors import PeerError
from moltp2p.proto.framing import encode_varint

Mutation = Callable[[random.Random, bytes, Sequence[bytes]], bytes]
Step = Callable[[random.Random, bytes, Sequence[bytes]], bytes]

RAW_SHARE: Final = 0.25
"""How many cases know nothing of their format."""

EDGES: Final = (
    0, 1, 23, 24, 127, 128, 255, 256, 65535, 65536, 2**31, 2**32 - 1, 2**32,
    2**53, 2**62, 2**63 - 1, 2**63, 2**64 - 1,
)  # fmt: skip


def deep(levels: int) -> list[Any]:
    """Return lists within lists."""
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


ODD: Final[tuple[Any, ...]] = (
    *EDGES, -1, -(2**63), -(2**63) - 1, 2**64, None, True, False, 1.5, math.nan, "",
    "a", "\0", "\u202e", "\U0001f916", "x" * 300, b"", bytes(31), bytes(32), bytes(33),
    bytes(70_000), [], {}, deep(6), deep(20), {"": {}}, {1: 2}, [[]] * 5000,
    cbor2.CBORTag(18, []), cbor2.undefined,
)  # fmt: skip


# Bytes.


def _flip(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    if not data:
        return b"\0"
    place = rng.randrange(len(data))
    return (
        data[:place] + bytes([data[place] ^ 1 << rng.randrange(8)]) + data[place + 1 :]
    )


def _cut(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    start, end = _span(rng, data)
    return data[:start] + data[end:]


def _end(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _again(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    start, end = _span(rng, data)
    times = rng.choice((1, 1, 2, 50))
    return data[:end] + data[start:end] * times + data[end:]


def _edge(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    size = rng.choice((1, 2, 4, 8))
    number = rng.choice(EDGES) % (1 << 8 * size)
    place = rng.randrange(len(data) + 1)
    return data[:place] + number.to_bytes(size, "big") + data[place + size :]


def _noise(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    place = rng.randrange(len(data) + 1)
    return data[:place] + rng.randbytes(rng.randrange(1, 9)) + data[place:]


def _graft(rng: random.Random, data: bytes, corpus: Sequence[bytes]) -> bytes:
    other: bytes = rng.choice(corpus)
    start, end = _span(rng, other)
    place = rng.randrange(len(data) + 1)
    return data[:place] + other[start:end] + data[place:]


def _span(rng: random.Random, data: bytes) -> tuple[int, int]:
    start = rng.randrange(len(data) + 1)
    return start, min(len(data), start + rng.choice((1, 2, 4, 16, 64, 1024)))


_STEPS: Final[tuple[Step, ...]] = (_flip, _cut, _end, _again, _edge, _noise, _graft)


def raw(rng: random.Random, seed: bytes, corpus: Sequence[bytes]) -> bytes:
    """Change bytes, whatever they mean."""
    data: bytes = rng.choice(_STEPS)(rng, seed, corpus)
    while rng.random() < 0.4:
        data = rng.choice(_STEPS)(rng, data, corpus)
    return data


def _mostly(structured: Mutation) -> Mutation:
    def mutate(rng: random.Random, seed: bytes, corpus: Sequence[bytes]) -> bytes:
        chosen = raw if rng.random() < RAW_SHARE else structured
        return chosen(rng, seed, corpus)

    return mutate


# CBOR.


def changed(rng: random.Random, value: Any) -> Any:
    """Return a CBOR value with one place in it changed."""
    if isinstance(value, list) and value and rng.random() < 0.8:
        return _changed_list(rng, value)
    if isinstance(value, dict) and value and rng.random() < 0.8:
        return _changed_map(rng, value)
    if isinstance(value, bytes) and rng.random() < 0.6:
        return _changed_bytes(rng, value)
    if isinstance(value, str) and rng.random() < 0.6:
        return characters(rng, value)
    if type(value) is int and rng.random() < 0.6:
        return value + rng.choice((-1, 1, 2**31, 2**62))
    return rng.choice(ODD)


def _changed_bytes(rng: random.Random, value: bytes) -> bytes:
    """Change what was signed or framed within a value as CBOR, when it is that."""
    with suppress(PeerError):
        inner = codec.decode(value)
        if isinstance(inner, list | dict) and rng.random() < 0.7:
            return cbor2.dumps(changed(rng, inner), canonical=True)
    return raw(rng, value, [value])


def _changed_list(rng: random.Random, value: list[Any]) -> list[Any]:
    place = rng.randrange(len(value))
    how = rng.randrange(8)
    if how == 0:
        return value[:place] + value[place + 1 :]
    if how == 1:
        return [*value[:place], rng.choice(ODD), *value[place:]]
    if how == 2:
        return value * 2
    return [*value[:place], changed(rng, value[place]), *value[place + 1 :]]


def _changed_map(rng: random.Random, value: dict[Any, Any]) -> dict[Any, Any]:
    key = rng.choice(list(value))
    how = rng.randrange(8)
    rest = {name: each for name, each in value.items() if name != key}
    if how == 0:
        return rest
    if how == 1:
        return value | {rng.choice(("", "zz", "v", "x" * 300)): rng.choice(ODD)}
    if how == 2 and isinstance(key, str):
        return rest | {characters(rng, key): value[key]}
    if how == 3:
        return value | {key: value[rng.choice(list(value))]}
    return value | {key: changed(rng, value[key])}


def _cbor(rng: random.Random, seed: bytes, corpus: Sequence[bytes]) -> bytes:
    try:
        value = codec.decode(seed)
    except PeerError:
        return raw(rng, seed, corpus)
    return cbor2.dumps(changed(rng, value), canonical=rng.random() < 0.9)


cbor: Final = _mostly(_cbor)
"""Say something else in well-formed CBOR, mostly in the shortest spelling."""


# Protobuf.


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield the fields of a protobuf that was written well.

    Raises:
        IndexError: it was not.
    """
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, at = _varint(data, at)
        if tag & 7 == 0:
            yield tag, number
        elif tag & 7 == 2 and at + number <= len(data):
            yield tag, data[at : at + number]
            at += number
        else:
            raise IndexError(tag)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _spelt(fields: Sequence[tuple[int, int | bytes]]) -> bytes:
    out = bytearray()
    for tag, value in fields:
        out += encode_varint(tag)
        if isinstance(value, int):
            out += encode_varint(value)
        else:
            out += encode_varint(len(value)) + value
    return bytes(out)


def _protobuf(rng: random.Random, seed: bytes, corpus: Sequence[bytes]) -> bytes:
    try:
        fields = list(_fields(seed))
    except IndexError:
        fields = []
    if not fields:
        return raw(rng, seed, corpus)
    place = rng.randrange(len(fields))
    tag, value = fields[place]
    how = rng.randrange(10)
    if how == 0:
        del fields[place]
    elif how == 1:
        fields[place:place] = [fields[place]] * rng.choice((1, 2, 70, 1100))
    elif how == 2:
        fields[place] = (tag ^ 1 << rng.randrange(6), value)
    elif how == 3:
        fields += list(_whole(rng.choice(corpus)))
    elif isinstance(value, int):
        fields[place] = (tag, rng.choice(EDGES))
    else:
        fields[place] = (tag, _protobuf(rng, value, [value]))
    return _spelt(fields)


def _whole(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    try:
        yield from _fields(data)
    except IndexError:
        return


protobuf: Final = _mostly(_protobuf)
"""Drop, repeat, rename and join fields, at any depth."""


# Frames, text, and lines.


def framed(inner: Mutation) -> Mutation:
    """Return a mutation of frames whose payloads are seeds: some, or their lengths."""

    def mutate(rng: random.Random, seed: bytes, corpus: Sequence[bytes]) -> bytes:
        payloads = [seed, *rng.choices(corpus, k=rng.randrange(3))]
        broken = rng.randrange(len(payloads))
        out = bytearray()
        for place, payload in enumerate(payloads):
            data = inner(rng, payload, corpus) if place == broken else payload
            size = rng.choice(EDGES) if rng.random() < 0.1 else len(data)
            out += encode_varint(size) + data
        return raw(rng, bytes(out), corpus) if rng.random() < 0.1 else bytes(out)

    return mutate


_STRANGE: Final = "/.:-_%+ \0\t\n\r\"'\\{}[]0٣Ⅷé🤖\u202e\ufeff"


def characters(rng: random.Random, seed: str) -> str:
    """Change characters of a text; it can still be written in UTF-8."""
    text = seed
    for _ in range(rng.choice((1, 1, 2, 5))):
        place = rng.randrange(len(text) + 1)
        match rng.randrange(5):
            case 0:
                text = text[:place] + text[place + rng.choice((1, 2, 8)) :]
            case 1:
                text = text[:place] + rng.choice(_STRANGE) + text[place:]
            case 2:
                text = text[:place] + str(rng.choice(EDGES)) + text[place:]
            case 3:
                text = text[:place] + text[: rng.choice((1, 8, 64))] + text[place:]
            case _:
                text = text[:place] + text[place:].swapcase()
    return text


def text(rng: random.Random, seed: bytes, corpus: Sequence[bytes]) -> bytes:
    """Change characters, and mix parts of several texts at their slashes."""
    said = seed.decode(errors="replace")
    if rng.random() < 0.3:
        other = rng.choice(corpus).decode(errors="replace").split("/")
        parts = said.split("/")
        parts[rng.randrange(len(parts))] = rng.choice(other)
        said = "/".join(parts)
    return characters(rng, said).encode()


def lines(rng: random.Random, seed: bytes, corpus: Sequence[bytes]) -> bytes:
    """Drop, repeat, swap and break lines, and take some from elsewhere."""
    rows = seed.split(b"\r\n")
    place, other = rng.randrange(len(rows)), rng.randrange(len(rows))
    match rng.randrange(6):
        case 0:
            del rows[place]
        case 1:
            rows[place:place] = [rows[other]] * rng.choice((1, 2, 200))
        case 2:
            rows[place], rows[other] = rows[other], rows[place]
        case 3:
            rows[place:place] = [rng.choice(rng.choice(corpus).split(b"\r\n"))]
        case _:
            rows[place] = raw(rng, rows[place], corpus)
    return rng.choice((b"\r\n", b"\r\n", b"\r\n", b"\n")).join(rows)

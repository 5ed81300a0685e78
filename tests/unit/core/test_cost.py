"""No stranger sets the price of a judgement."""

from __future__ import annotations

import itertools
import time
from typing import cast

import pytest

from moltp2p.core import codec
from moltp2p.core.codec import MAX_ITEMS
from moltp2p.core.limits import MAX_RECORD_BYTES
from moltp2p.core.topics import NetworkParams
from moltp2p.core.validate import Bench, Road, judge
from moltp2p.testing.factories import EPOCH_MS
from scripts.vectors import forge
from tests.facts import facts

BENCH = Bench(NetworkParams("test-net"), EPOCH_MS, Road.SYNC)
LONGEST_S = 0.05
ROOM = 64_800
"""Bytes for what is costly; the rest is the record around it."""

ITEMS = {
    "zeros": "00",
    "empty-texts": "60",
    "empty-arrays": "80",
    "empty-maps": "a0",
    "simple-values": "e0",
    "deep-arrays": "818181818100",
    "maps": "a1616100",
    "unknown-tags": "c600",
    "dates": "c100",
    "regular-expressions": "d8236161",
    "big-floats": "c5821b7fffffffffffffff01",
}
"""What an array of 64 KiB can be filled with."""


def array(item: bytes) -> bytes:
    count = ROOM // len(item)
    return b"\x99" + count.to_bytes(2) + item * count


def colliding_keys() -> bytes:
    """Return a map whose keys, arrays of two integers, have one hash as tuples.

    CPython's hash of a tuple is linear in its last member, so that the second
    integer can be solved for whatever the first one is.
    """
    one, two, five = 11400714785074694791, 14029467366897019727, 2870177450012600261
    whole, wanted = 2**64, 1234567890123456789
    keys: list[bytes] = []
    for first in itertools.count():
        lane = (five + first * two) % whole
        lane = (lane << 31 | lane >> 33) % whole * one % whole
        second = (wanted - lane) * pow(two, -1, whole) % whole
        if second < 2**61 - 1:
            keys.append(codec.encode([first, second]))
        if len(keys) == 3_000:
            break
    pairs = {tuple(cast("list[int]", codec.decode(key))) for key in keys}
    assert (len(pairs), len(set(map(hash, pairs)))) == (3_000, 1)
    return b"\xb9" + len(keys).to_bytes(2) + b"".join(key + b"\x00" for key in keys)


def many_keys() -> bytes:
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = itertools.islice(itertools.product(letters, repeat=3), 0x3000)
    return b"\xb9\x30\x00" + b"".join(
        b"\x63" + "".join(word).encode() + b"\x00" for word in words
    )


VALUES = {
    **{name: array(bytes.fromhex(item)) for name, item in ITEMS.items()},
    "one-big-number": b"\xc2\x59\xf0\x00" + b"\xff" * 0xF000,
    "tags-in-tags": b"\xc6" * ROOM,
    "arrays-in-arrays": b"\x81" * ROOM,
    "repeated-keys": b"\xb9\x54\x00" + b"\x61a\x00" * 0x5400,
    "many-keys": many_keys(),
    "colliding-keys": colliding_keys(),
    "text-in-pieces": b"\x7f" + b"\x61a" * 32_000 + b"\xff",
}


@pytest.mark.parametrize("place", ["record", "body"])
@pytest.mark.parametrize("name", VALUES)
def test_no_record_takes_long_to_judge(name: str, place: str) -> None:
    wire = VALUES[name]
    if place == "body":
        wire = forge.post(b"\xa2\x61x" + wire + b"\x64text\x61a")

    assert len(wire) <= MAX_RECORD_BYTES
    assert min(judging_s(wire) for _ in range(3)) < LONGEST_S


@pytest.mark.parametrize("item", ["00", "80", "a0", "1b7fffffffffffffff", "6161"])
def test_no_record_that_is_accepted_takes_long(item: str) -> None:
    count = MAX_ITEMS - 3
    crowd = b"\x99" + count.to_bytes(2) + bytes.fromhex(item) * count
    wire = forge.post(b"\xa2\x61x" + crowd + b"\x64text\x61a")

    assert judge(wire, BENCH, facts()).code == "ok"
    assert min(judging_s(wire) for _ in range(3)) < LONGEST_S


def judging_s(wire: bytes) -> float:
    """Return this thread's processor seconds, which a busy machine leaves alone."""
    begun_s = time.thread_time()
    judge(wire, BENCH, facts())
    return time.thread_time() - begun_s

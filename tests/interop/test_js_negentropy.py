"""Our Negentropy against two others: what differs is found, whoever asks.

One is the reference in JS by the protocol's author. The other, of nostr-tools, plays
the client even when it is asked: it answers no list of ids, but knows then itself
what differs, so there both sides together must know all.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest

from moltp2p.core.ids import RecordId
from moltp2p.proto.sync import negentropy
from moltp2p.proto.sync.negentropy import NOTHING_MORE, Room
from moltp2p.proto.sync.ranges import MAX_RANGES, read_ranges
from moltp2p.proto.sync.reconcile import Item, MemorySet
from tests.interop.js_negentropy import MAX_TIME, JsNegentropy

pytestmark = pytest.mark.slow

LIMITS = [4_096, 60_000]
MANY_ROUNDS = 1_000


@dataclass
class Known:
    """What one side believes after a conversation."""

    have: set[RecordId] = field(default_factory=set)
    need: set[RecordId] = field(default_factory=set)


def ids(items: Iterable[Item]) -> set[RecordId]:
    return {item.id for item in items}


def drawn(rng: random.Random, count: int, last: int) -> list[Item]:
    return sorted(
        Item(rng.randint(0, last), RecordId(rng.randbytes(32))) for _ in range(count)
    )


def near(count: int) -> list[Item]:
    """Return items of one time whose ids differ in the last bytes only."""
    return [
        Item(7, RecordId(bytes(30) + number.to_bytes(2, "big")))
        for number in range(count)
    ]


Pair = tuple[list[Item], list[Item]]


def pairs(rng: random.Random) -> dict[str, Pair]:
    """Return what two sides hold: ordinary and contrary."""
    many = drawn(rng, 3_000, MAX_TIME)
    crowd = drawn(rng, 2_000, 3)
    return {
        "both empty": ([], []),
        "nothing against many": ([], many),
        "many against nothing": (many, []),
        "equal": (many, many),
        "one apart": (many[:1_500] + many[1_501:], many),
        "one too many": (many, many[:-1]),
        "scattered": ([each for each in many if rng.random() < 0.95], many),
        "both ways": (many[:2_900], many[100:]),
        "disjoint": (many[::2], many[1::2]),
        "before and after": (many[:1_000], many[1_000:]),
        "all of one time": (
            [Item(0, each.id) for each in many[:2_000]],
            [Item(0, each.id) for each in many[500:]],
        ),
        "few times": (crowd[:1_990], crowd[10:]),
        "near ids": (near(700)[::3], near(701)),
        "ten against many": (drawn(rng, 10, MAX_TIME), many),
        "the last time": (
            [Item(MAX_TIME, each.id) for each in many[:90]],
            [*[Item(MAX_TIME, each.id) for each in many[40:100]], *many[100:]],
        ),
    }


def random_pairs(rng: random.Random, count: int) -> list[Pair]:
    found = []
    for _ in range(count):
        items = drawn(rng, rng.choice([20, 100, 600]), rng.choice([0, 50, MAX_TIME]))
        ours, theirs = rng.random(), rng.random()
        found.append(
            (
                [each for each in items if rng.random() < ours],
                [each for each in items if rng.random() < theirs],
            )
        )
    return found


def all_pairs(rng: random.Random) -> list[Pair]:
    return [*pairs(rng).values(), *random_pairs(rng, 20)]


def we_ask(
    peer: JsNegentropy, name: str, pair: Pair, limit: int
) -> tuple[Known, Known]:
    """Let us ask and the other answer; return what each then knows."""
    ours, known, theirs = MemorySet(pair[0]), Known(), Known()
    peer.open(name, pair[1], limit, initiates=False)
    message = negentropy.initiate(ours, Room(limit))
    for _ in range(MANY_ROUNDS):
        if message == NOTHING_MORE:
            return known, theirs
        said = peer.receive(message)
        theirs.have |= said.have
        theirs.need |= said.need
        ranges = read_ranges(said.message or NOTHING_MORE, MAX_RANGES)
        turn = negentropy.advance(ours, ranges, Room(limit))
        known.need.update(turn.need)
        known.have.update(*turn.have)
        message = turn.reply
    raise AssertionError("no end")


def they_ask(peer: JsNegentropy, name: str, pair: Pair, limit: int) -> Known:
    """Let the other ask and us answer; return what it then knows."""
    ours, theirs = MemorySet(pair[0]), Known()
    message = peer.open(name, pair[1], limit, initiates=True)
    for _ in range(MANY_ROUNDS):
        if message is None:
            return theirs
        ranges = read_ranges(message, MAX_RANGES)
        said = peer.receive(negentropy.respond(ours, ranges, Room(limit)))
        theirs.have |= said.have
        theirs.need |= said.need
        message = said.message
    raise AssertionError("no end")


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("name", ["reference", "nostr-tools"])
def test_another_that_asks_us_finds_what_differs(
    js_negentropy: JsNegentropy, rng: random.Random, name: str, limit: int
) -> None:
    for ours, theirs in all_pairs(rng):
        known = they_ask(js_negentropy, name, (ours, theirs), limit)

        assert known.need == ids(ours) - ids(theirs)
        assert known.have == ids(theirs) - ids(ours)


@pytest.mark.parametrize("limit", LIMITS)
def test_we_find_what_differs_when_we_ask_the_reference(
    js_negentropy: JsNegentropy, rng: random.Random, limit: int
) -> None:
    for ours, theirs in all_pairs(rng):
        known, _ = we_ask(js_negentropy, "reference", (ours, theirs), limit)

        assert known.need == ids(theirs) - ids(ours)
        assert known.have == ids(ours) - ids(theirs)


@pytest.mark.parametrize("limit", LIMITS)
def test_nostr_tools_and_we_know_together_what_differs_when_we_ask(
    js_negentropy: JsNegentropy, rng: random.Random, limit: int
) -> None:
    for ours, theirs in all_pairs(rng):
        known, other = we_ask(js_negentropy, "nostr-tools", (ours, theirs), limit)

        assert known.need | other.have == ids(theirs) - ids(ours)
        assert known.have | other.need == ids(ours) - ids(theirs)


@pytest.mark.parametrize("name", ["reference", "nostr-tools"])
def test_large_sets_are_told_apart(
    js_negentropy: JsNegentropy, rng: random.Random, name: str
) -> None:
    items = drawn(rng, 20_000, MAX_TIME)
    pair = (items[100:19_000], [each for each in items if rng.random() < 0.99])
    known, other = we_ask(js_negentropy, name, pair, 500_000)
    asked = they_ask(js_negentropy, name, pair, 500_000)

    lacking, ahead = ids(pair[1]) - ids(pair[0]), ids(pair[0]) - ids(pair[1])
    assert known.need | other.have == asked.have == lacking
    assert known.have | other.need == asked.need == ahead

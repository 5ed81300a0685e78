"""Asks and answers: both ends of a fetch, and peers that cheat in it."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moltp2p.core.codec import encode
from moltp2p.core.errors import PeerError
from moltp2p.core.ids import RecordId
from moltp2p.core.record import Record
from moltp2p.proto.sync import fetch, fetch_answer
from moltp2p.proto.sync.fetch import (
    MAX_ANSWER_BYTES,
    MAX_ANSWER_RECORDS,
    MAX_ASKED,
    MAX_PART_BYTES,
    Ask,
    AskChain,
    AskRecords,
    AskSequence,
    Collector,
    End,
    Part,
    Refusal,
    decode_answer,
    decode_ask,
    encode_answer,
    encode_ask,
)
from moltp2p.testing.factories import TestAgent
from scripts.vectors import fetching
from tests.refusal import code_of
from tests.strategies import damaged


class Shelf(fetching.Shelf):
    """Records held in memory; counts how many are read."""

    def __init__(self, *records: Record) -> None:
        super().__init__(records)
        self.reads = 0

    def wires(self, records: Sequence[RecordId]) -> list[bytes | None]:
        self.reads += len(records)
        return super().wires(records)


def fetched(ask: Ask, shelf: Shelf) -> tuple[list[bytes], End]:
    """Let a client ask a server, over frames; return what the client has then."""
    collector = Collector(decode_ask(encode_ask(ask)))
    wires: list[bytes] = []
    for answer in fetch_answer.answer(decode_ask(encode_ask(ask)), shelf):
        frame = encode_answer(answer)
        assert len(frame) <= MAX_PART_BYTES
        wires += collector.receive(frame)
    assert collector.ended is not None
    return wires, collector.ended


def _posts(count: int, text: str = "hello") -> list[Record]:
    alice = TestAgent("alice")
    return [alice.post(f"{text} {number}") for number in range(count)]


def _ids(records: Sequence[Record]) -> tuple[RecordId, ...]:
    return tuple(record.id for record in records)


def test_what_is_held_comes_and_what_is_not_is_named() -> None:
    posts = _posts(5)

    wires, end = fetched(AskRecords(_ids(posts)), Shelf(*posts[:3]))

    assert wires == [post.wire() for post in posts[:3]]
    assert end == End(absent=_ids(posts[3:]))


def test_a_large_answer_is_cut_and_says_what_was_left_out() -> None:
    posts = _posts(150, "x" * 39_000)

    wires, end = fetched(AskRecords(_ids(posts)), Shelf(*posts))

    assert MAX_ANSWER_BYTES <= sum(map(len, wires)) < MAX_ANSWER_BYTES + 65_536
    assert end == End()
    assert len(wires) < len(posts)


def test_a_client_that_asks_for_the_rest_gets_all() -> None:
    posts = _posts(150, "x" * 39_000)
    shelf, missing, asks = Shelf(*posts), dict.fromkeys(_ids(posts)), 0

    while missing:
        wires, _ = fetched(AskRecords(tuple(missing)), shelf)
        held = {post.wire(): post.id for post in posts}
        for wire in wires:
            del missing[held[wire]]
        asks += 1

    assert asks == 2


def test_only_what_is_sent_is_read() -> None:
    posts = _posts(200, "x" * 39_000)
    shelf = Shelf(*posts)

    fetched(AskRecords(_ids(posts)), shelf)

    assert shelf.reads < 180


def test_a_body_that_was_dropped_is_absent_for_whoever_wants_bodies() -> None:
    whole, bare = _posts(2)
    shelf = Shelf(whole, bare.without_body())

    wires, end = fetched(AskRecords((whole.id, bare.id), bodies=True), shelf)

    assert wires == [whole.wire()]
    assert end.absent == (bare.id,)
    assert len(fetched(AskRecords((whole.id, bare.id)), shelf)[0]) == 2


def test_a_part_of_a_sequence_comes_in_order_with_both_branches_of_a_fork() -> None:
    alice = TestAgent("alice")
    alice.post("one")
    fork = TestAgent("alice", records=list(alice.records), time_ms=alice.time_ms)
    branches = [alice.post("left"), fork.post("right")]
    alice.post("three")
    shelf = Shelf(*alice.records, branches[1])

    wires, end = fetched(AskSequence(alice.id, 1, 2), shelf)

    assert end == End()
    assert wires[0] == alice.records[1].wire()
    assert set(wires[1:]) == {branch.wire() for branch in branches}


def test_a_long_sequence_is_asked_for_piece_by_piece() -> None:
    alice = TestAgent("alice")
    for number in range(MAX_ANSWER_RECORDS + 10):
        alice.post(str(number))
    shelf, first, got = Shelf(*alice.records), 0, 0

    sizes = []
    while True:
        wires, end = fetched(AskSequence(alice.id, first, 10**6), shelf)
        sizes.append(len(wires))
        got += len(wires)
        if end.next_seq is None:
            break
        first = end.next_seq

    assert got == len(alice.records)
    assert sizes == [MAX_ANSWER_RECORDS, 11]


def test_a_key_chain_comes_oldest_first_and_without_the_rest() -> None:
    alice = TestAgent("alice")
    alice.post()
    alice.rotate()
    alice.post()
    alice.rotate()
    chain = [alice.records[0], alice.records[2], alice.records[4]]

    wires, end = fetched(AskChain(alice.id), Shelf(*alice.records))

    assert wires == [record.wire() for record in chain]
    assert end == End()
    assert fetched(AskChain(TestAgent("bob").id), Shelf()) == ([], End())


HELD = _posts(3)
ASK = AskRecords(_ids(HELD))

CHEATS: dict[str, tuple[Ask, list[fetch.Answer]]] = {
    "more records than ids": (ASK, [Part((b"a", b"b", b"c", b"d"))]),
    "more records than ids, in two parts": (
        ASK,
        [Part((b"a", b"b", b"c")), Part((b"d",))],
    ),
    "an absent id that nobody asked for": (ASK, [End((RecordId(bytes(32)),))]),
    "neither records nor absent ids": (ASK, [End()]),
    "a place in no sequence": (ASK, [Part((b"a",)), End(next_seq=1)]),
    "a part after the end": (ASK, [End((HELD[0].id,)), Part((b"a",))]),
    "a second end": (ASK, [End((HELD[0].id,)), End((HELD[0].id,))]),
    "a sequence that does not go on": (
        AskSequence(HELD[0].header.agent, 5, 9),
        [End(next_seq=5)],
    ),
    "a sequence that goes on behind its end": (
        AskSequence(HELD[0].header.agent, 5, 9),
        [End(next_seq=10)],
    ),
    "an absent id in a sequence": (
        AskSequence(HELD[0].header.agent, 5, 9),
        [End((HELD[0].id,))],
    ),
    "a chain that goes on": (AskChain(HELD[0].header.agent), [End(next_seq=5)]),
}


@pytest.mark.parametrize("cheat", CHEATS)
def test_an_answer_to_something_else_is_refused(cheat: str) -> None:
    ask, answers = CHEATS[cheat]
    collector = Collector(ask)

    code = code_of(
        lambda: [collector.receive(encode_answer(answer)) for answer in answers]
    )

    assert code == "bad-fetch"


def test_an_endless_answer_is_refused_after_what_is_allowed() -> None:
    collector = Collector(AskSequence(HELD[0].header.agent, 0, 10**9))
    part = encode_answer(Part((b"x" * 65_536,) * 3))

    taken = 0
    while code_of(lambda: collector.receive(part)) is None:
        taken += 3 * 65_536

    assert MAX_ANSWER_BYTES <= taken < MAX_ANSWER_BYTES + 3 * 65_536


def test_a_refusal_comes_out_with_its_code() -> None:
    collector = Collector(ASK)

    assert code_of(lambda: collector.receive(encode_answer(Refusal("too-busy")))) == (
        "too-busy"
    )


BAD_ASKS: dict[str, object] = {
    "a list": [],
    "nothing": {},
    "two things": {"ids": bytes(32), "chain": bytes(32)},
    "no ids": {"ids": b""},
    "half an id": {"ids": bytes(48)},
    "too many ids": {
        "ids": b"".join(n.to_bytes(32, "big") for n in range(MAX_ASKED + 1))
    },
    "an id twice": {"ids": bytes(64)},
    "a short agent": {"chain": bytes(31)},
    "no last": {"agent": bytes(32), "first": 1},
    "last before first": {"agent": bytes(32), "first": 2, "last": 1},
    "a negative place": {"agent": bytes(32), "first": -1, "last": 1},
    "true for a place": {"agent": bytes(32), "first": True, "last": 1},
}


@pytest.mark.parametrize("ask", BAD_ASKS)
def test_what_is_no_ask_is_refused(ask: str) -> None:
    assert code_of(lambda: decode_ask(encode(BAD_ASKS[ask]))) == "bad-fetch"


BAD_ANSWERS: dict[str, object] = {
    "a list": [],
    "nothing": {},
    "no records": {"records": []},
    "an empty record": {"records": [b""]},
    "too large a record": {"records": [bytes(65_537)]},
    "too many records": {"records": [b"a"] * (MAX_ANSWER_RECORDS + 1)},
    "text for a record": {"records": ["a"]},
    "half an id": {"absent": bytes(48)},
    "text for ids": {"absent": "a"},
    "a negative place": {"next": -1},
    "an empty code": {"code": ""},
    "a long code": {"code": "x" * 65},
    "a number for a code": {"code": 1},
}


@pytest.mark.parametrize("answer", BAD_ANSWERS)
def test_what_is_no_answer_is_refused(answer: str) -> None:
    assert code_of(lambda: decode_answer(encode(BAD_ANSWERS[answer]))) == "bad-fetch"


messages = st.sampled_from(
    [
        encode_ask(ASK),
        encode_ask(AskSequence(HELD[0].header.agent, 5, 9)),
        encode_answer(Part(tuple(post.wire() for post in HELD))),
        encode_answer(End(_ids(HELD))),
    ]
)


@given(st.binary(max_size=80) | damaged(messages))
def test_arbitrary_bytes_are_an_ask_or_refused(data: bytes) -> None:
    try:
        ask = decode_ask(data)
    except PeerError:
        return
    assert decode_ask(encode_ask(ask)) == ask


@given(st.binary(max_size=80) | damaged(messages))
def test_arbitrary_bytes_are_a_part_of_an_answer_or_refused(data: bytes) -> None:
    try:
        answer = decode_answer(data)
    except PeerError:
        return
    assert decode_answer(encode_answer(answer)) == answer


@settings(max_examples=30)
@given(st.integers(0, 2**32))
def test_every_answer_brings_its_ask_forward(seed: int) -> None:
    dice = random.Random(seed)
    alice = TestAgent("alice")
    for _ in range(dice.randrange(1, 12)):
        alice.post("x" * dice.choice((1, 30_000)))
    held = dice.sample(alice.records, dice.randrange(len(alice.records)))
    ask = AskRecords(_ids(dice.sample(alice.records, len(alice.records))))

    wires, end = fetched(ask, Shelf(*held))

    assert len(wires) + len(end.absent) == len(ask.ids)

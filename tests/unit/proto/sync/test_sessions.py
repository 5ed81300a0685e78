"""Sessions of reconciliation: what they cost, and what liars and giants can do."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import pytest

from moltp2p.core.errors import PeerError, UsageError
from moltp2p.core.ids import RecordId
from moltp2p.proto.sync.initiator import (
    MAX_NEED,
    Done,
    Initiator,
    Narrower,
    Refused,
)
from moltp2p.proto.sync.messages import (
    MAX_FRAME_BYTES,
    Refusal,
    Round,
    Same,
    Sums,
    TopicSum,
    Window,
    decode_message,
    encode_message,
)
from moltp2p.proto.sync.ranges import MAX_RANGES
from moltp2p.proto.sync.reconcile import Item, encode_number
from moltp2p.proto.sync.responder import Responder, Scope
from moltp2p.proto.sync.rounds import MAX_ROUNDS
from moltp2p.testing.holdings import MemoryHoldings, converse
from tests.refusal import code_of

EPOCH_MS = 1_760_000_000_000
FOREVER = 2**63 - 1
TOPICS = tuple(range(17))
ALL = Window(TOPICS, 0, FOREVER)
ONE = Window((0,), 0, FOREVER)


def item(number: int, apart_ms: int = 977) -> Item:
    digest = hashlib.sha256(number.to_bytes(8, "big")).digest()
    return Item(EPOCH_MS + number * apart_ms, RecordId(digest))


def spread(items: Iterable[Item], topics: int = len(TOPICS)) -> MemoryHoldings:
    """Share items out over the topics."""
    held: dict[int, list[Item]] = {topic: [] for topic in range(topics)}
    for each in items:
        held[each.id[0] % topics].append(each)
    return MemoryHoldings(held)


def ids(items: Iterable[Item]) -> set[RecordId]:
    return {each.id for each in items}


MANY = [item(number) for number in range(20_000)]


def test_nothing_new_on_all_topics_costs_one_small_round_trip() -> None:
    held = spread(MANY)

    said = converse(Initiator(held, ALL), Responder(held, Scope(TOPICS)))

    assert said.outcome == Same()
    assert said.rounds == 1
    assert sum(map(len, said.frames)) <= 100


@pytest.mark.parametrize("topics", [1, 17])
def test_the_newest_that_are_missing_cost_little_more_than_their_ids(
    topics: int,
) -> None:
    window = Window(tuple(range(topics)), 0, FOREVER)
    initiator = Initiator(spread(MANY[:-1_000], topics), window)
    said = converse(initiator, Responder(spread(MANY, topics), Scope(TOPICS)))

    assert ids(MANY[-1_000:]) == {record for _, record in said.need}
    assert said.rounds == 2
    assert sum(map(len, said.frames)) <= 40 * 1_000


@pytest.mark.slow
@pytest.mark.parametrize("topics", [1, 17])
def test_a_thousand_scattered_of_a_hundred_thousand_take_three_rounds(
    topics: int,
) -> None:
    everything = [item(number) for number in range(100_000)]
    some = [each for number, each in enumerate(everything) if number % 100 != 42]
    initiator = Initiator(spread(some, topics), Window(TOPICS[:topics], 0, FOREVER))
    said = converse(initiator, Responder(spread(everything, topics), Scope(TOPICS)))

    assert len(said.need) == 1_000
    assert said.rounds <= 3
    assert sum(map(len, said.frames)) <= 600 * 1_000
    assert max(map(len, said.frames)) <= MAX_FRAME_BYTES


@pytest.mark.slow
def test_what_one_session_does_not_find_is_found_by_the_next() -> None:
    everything = [item(number) for number in range(MAX_NEED + 20_000)]
    theirs = spread(everything)

    first = converse(Initiator(spread([]), ALL), Responder(theirs, Scope(TOPICS)))
    found = {record for _, record in first.need}
    fetched = [each for each in everything if each.id in found]
    second = converse(Initiator(spread(fetched), ALL), Responder(theirs, Scope(TOPICS)))

    assert first.outcome == Done(is_complete=False)
    assert len(found) >= MAX_NEED
    assert isinstance(second.outcome, Done)
    assert second.outcome.is_complete
    assert found | {record for _, record in second.need} == ids(everything)


def test_windows_that_are_too_big_are_split_until_all_is_found() -> None:
    items = [item(number) for number in range(2_000)]
    theirs, ours = spread(items), spread(items[::3])
    scope = Scope(TOPICS, max_records=300)
    found: set[RecordId] = set()
    sizes = []

    left = [ALL]
    while left:
        window = left.pop()
        said = converse(Initiator(ours, window), Responder(theirs, scope))
        found |= {record for _, record in said.need}
        if isinstance(said.outcome, Narrower):
            assert said.outcome.code == "too-big"
            part = said.outcome.window
            before = Window(ALL.topics, window.since_ms, part.since_ms)
            left += [before, part]
        else:
            sums = theirs.sums(ALL.topics, window.since_ms, window.until_ms)
            sizes.append(sum(each.count for each in sums))

    assert found == ids(items) - ids(items[::3])
    assert max(sizes) <= 300
    assert len(sizes) <= 14


def test_what_the_responder_does_not_keep_is_not_compared() -> None:
    theirs, ours = spread(MANY[500:]), spread(MANY)
    scope = Scope({0, 1, 2}, since_ms=MANY[500].time_ms)

    said = converse(Initiator(ours, ALL), Responder(theirs, scope))
    narrower = Window((0, 1, 2), MANY[500].time_ms, FOREVER)
    assert said.outcome == Narrower("narrower", narrower)
    again = converse(Initiator(ours, narrower), Responder(theirs, scope))

    assert again.outcome == Same()


def test_a_peer_that_keeps_nothing_of_it_has_nothing_to_say() -> None:
    window = Window((1,), 0, FOREVER)
    for scope in (Scope(()), Scope(TOPICS, since_ms=FOREVER)):
        said = converse(Initiator(spread([]), window), Responder(spread(MANY), scope))

        assert said.outcome == Refused("narrower")


def test_a_word_that_we_do_not_know_is_a_refusal() -> None:
    initiator = Initiator(spread([]), ONE)
    initiator.open()

    step = initiator.receive(encode_message(Refusal("not-on-sundays")))

    assert step.outcome == Refused("not-on-sundays")


@pytest.mark.parametrize(
    "window",
    [Window((), 0, 1), Window((0,), 1, 1), Window((1, 0), 0, 1), Window((257,), 0, 1)],
)
def test_a_window_of_nothing_is_our_own_fault(window: Window) -> None:
    with pytest.raises(UsageError, match="bad-query"):
        Initiator(spread([]), window)


def test_records_that_come_and_go_between_rounds_disturb_nobody() -> None:
    """The node is another before each frame: what stayed is found all the same."""
    stayed, new = MANY[:3_000], MANY[3_000:3_300]
    theirs = [spread(stayed + new[: 30 * n]) for n in range(4)]
    ours = spread(stayed[::2])
    responder = Responder(theirs[0], Scope(TOPICS))
    initiator = Initiator(ours, ALL)
    found: set[RecordId] = set()

    frame: bytes | None = initiator.open()
    for held in [*theirs, *[theirs[-1]] * MAX_ROUNDS]:
        if frame is None:
            break
        responder._holdings = held
        step = initiator.receive(responder.receive(frame))
        found |= {record for _, record in step.need}
        frame = step.reply

    assert frame is None
    assert ids(stayed) - ids(stayed[::2]) <= found <= ids(stayed + new)


SUMS = encode_message(Sums((TopicSum(9, b"liar" * 4),)))


def answer(message: bytes) -> bytes:
    return encode_message(Round(((0, message),)))


def test_one_who_never_agrees_is_left_after_some_rounds() -> None:
    initiator = Initiator(spread(MANY[:100], 1), ONE)
    initiator.open()
    step = initiator.receive(SUMS)
    rounds = 0

    while step.reply is not None:
        rounds += 1
        step = initiator.receive(answer(b"\x61\x00\x00\x01" + b"liar" * 4))

    assert rounds == MAX_ROUNDS
    assert step.outcome == Done(is_complete=False)


def test_one_who_claims_ever_more_is_left_after_some_ids() -> None:
    initiator = Initiator(spread([], 1), ONE)
    initiator.open()
    step = initiator.receive(SUMS)
    claimed = 0

    while step.reply is not None:
        first, claimed = claimed, claimed + 10_000
        claims = b"".join(n.to_bytes(32, "big") for n in range(first, claimed))
        listed = b"\x61\x01\x01\x01\x02\xce\x10" + claims
        step = initiator.receive(answer(listed + b"\x00\x00\x01" + b"liar" * 4))
        assert len(step.need) == 10_000

    assert claimed < MAX_NEED + 10_000
    assert step.outcome == Done(is_complete=False)


def test_the_same_claim_is_told_once() -> None:
    initiator = Initiator(spread([], 1), ONE)
    initiator.open()
    step = initiator.receive(SUMS)
    needed: list[tuple[int, RecordId]] = []

    while step.reply is not None:
        listed = b"\x61\x01\x01\x01\x02\x02" + bytes(64)
        step = initiator.receive(answer(listed + b"\x00\x00\x01" + b"liar" * 4))
        needed += step.need

    assert needed == [(0, RecordId(bytes(32)))]


def test_one_who_asks_for_ever_is_refused() -> None:
    responder = Responder(spread(MANY[:100], 1), Scope(TOPICS))
    responder.receive(Initiator(spread([], 1), ONE).open())
    whole = answer(b"\x61\x00\x00\x01" + b"liar" * 4)

    for _ in range(MAX_ROUNDS):
        assert len(responder.receive(whole)) <= MAX_FRAME_BYTES
    with pytest.raises(PeerError, match="too-many-rounds"):
        responder.receive(whole)


def test_no_frame_makes_a_responder_answer_more_than_a_frame() -> None:
    """A fingerprint that is nobody's for every item, on every topic."""
    ours = spread(MANY)
    responder = Responder(ours, Scope(TOPICS))
    responder.receive(Initiator(spread([]), ALL).open())
    sets = []
    for topic in TOPICS:
        with ours.open_set(topic, 0, FOREVER) as held:
            times = [each.time_ms for each in held.items(0, 900)]
        message, before = b"\x61", 0
        for time_ms in times:
            message += encode_number(1 + time_ms - before) + b"\x00\x01" + b"liar" * 4
            before = time_ms
        sets.append((topic, message))

    answered = responder.receive(encode_message(Round(tuple(sets))))

    assert len(answered) <= MAX_FRAME_BYTES
    assert isinstance(decode_message(answered), Round)


def test_ranges_are_counted_over_all_topics_of_a_frame() -> None:
    responder = Responder(spread(MANY[:100]), Scope(TOPICS))
    responder.receive(Initiator(spread([]), ALL).open())
    skips = b"\x61" + bytes(3) * (MAX_RANGES // 2 + 1)
    frame = encode_message(Round(((0, skips), (1, skips))))

    assert code_of(lambda: responder.receive(frame)) == "bad-ranges"

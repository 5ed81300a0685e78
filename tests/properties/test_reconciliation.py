"""Spec 06: two sides find exactly what differs, whatever they hold."""

from __future__ import annotations

import random
from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from moltp2p.core.codec import encode
from moltp2p.core.ids import RecordId
from moltp2p.proto.sync import negentropy
from moltp2p.proto.sync.initiator import Done, Initiator
from moltp2p.proto.sync.messages import (
    Message,
    Open,
    Refusal,
    Round,
    Same,
    Sums,
    TopicSum,
    Window,
    decode_message,
    encode_message,
)
from moltp2p.proto.sync.negentropy import MIN_MESSAGE_BYTES, MIN_MESSAGE_RANGES, Room
from moltp2p.proto.sync.ranges import MAX_RANGES, read_ranges
from moltp2p.proto.sync.reconcile import Item, MemorySet
from moltp2p.proto.sync.responder import Responder, Scope
from moltp2p.testing.holdings import MemoryHoldings, converse, reconcile
from tests.refusal import code_of
from tests.strategies import damaged, values

EVERYTHING = 2**63 - 1


def universe(rng: random.Random, size: int) -> list[Item]:
    """Return distinct items: crowded or sparse times, near or far ids."""
    last_ms = rng.choice([0, 3, 10**6, 2**62])
    head = rng.randbytes(rng.choice([0, 0, 1, 29]))
    ids = {RecordId(head + rng.randbytes(32 - len(head))) for _ in range(size)}
    return [Item(rng.randint(0, last_ms), record) for record in sorted(ids)]


seeds = st.integers(0, 2**64)
sizes = st.integers(0, 40) | st.integers(0, 3_000)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[set[Item], set[Item]]:
    """Draw two sets: equal, one within the other, a few apart, or nothing in common."""
    rng = random.Random(draw(seeds))
    items = universe(rng, draw(sizes))
    if draw(st.booleans()):
        middle = rng.randint(0, len(items))
        return set(items[:middle]), set(items[middle:])
    missing = draw(st.sampled_from([(0, 0), (0.01, 0), (0, 0.01), (0.1, 0.1), (1, 0)]))
    left, right = ({each for each in items if rng.random() >= p} for p in missing)
    return left, right


rooms = st.builds(
    Room,
    st.sampled_from([MIN_MESSAGE_BYTES, 1_500, 4_096, 10**6]),
    st.sampled_from([MIN_MESSAGE_RANGES, 40, MAX_RANGES]),
)


@given(pairs(), rooms, rooms)
def test_the_initiator_finds_exactly_what_differs(
    pair: tuple[set[Item], set[Item]], our_room: Room, their_room: Room
) -> None:
    ours, theirs = pair
    found = reconcile(MemorySet(ours), MemorySet(theirs), our_room, their_room)

    assert all(len(each) <= our_room.max_bytes for each in found.messages[::2])
    assert all(len(each) <= their_room.max_bytes for each in found.messages[1::2])
    assert set(found.need) == {item.id for item in theirs - ours}
    assert set(found.have) == {item.id for item in ours - theirs}


@st.composite
def nodes(draw: st.DrawFn) -> tuple[dict[int, set[Item]], dict[int, set[Item]]]:
    """Draw what two nodes hold on a few topics."""
    left, right = draw(pairs())
    topics = draw(st.lists(st.integers(0, 256), min_size=1, max_size=4, unique=True))

    def shared_out(items: set[Item]) -> dict[int, set[Item]]:
        parts: dict[int, set[Item]] = {topic: set() for topic in topics}
        for item in items:
            parts[topics[item.id[-1] % len(topics)]].add(item)
        return parts

    return shared_out(left), shared_out(right)


@given(nodes(), st.integers(0, 9), st.integers(10, 10**6))
def test_a_session_finds_what_differs_within_its_window(
    holdings: tuple[dict[int, set[Item]], dict[int, set[Item]]],
    since_ms: int,
    until_ms: int,
) -> None:
    ours, theirs = holdings
    topics = tuple(sorted(ours))
    initiator = Initiator(MemoryHoldings(ours), Window(topics, since_ms, until_ms))

    said = converse(initiator, Responder(MemoryHoldings(theirs), Scope(topics)))

    lacking, ahead = (
        sorted(
            (topic, item.id)
            for topic in topics
            for item in more[topic] - less[topic]
            if since_ms <= item.time_ms < until_ms
        )
        for more, less in ((theirs, ours), (ours, theirs))
    )
    assert sorted(said.need) == lacking
    if lacking or ahead:
        assert said.outcome == Done(is_complete=True, have_count=len(ahead))
    else:
        assert said.outcome == Same()
        assert said.rounds == 1


SOME = MemorySet(
    Item(number // 3, RecordId(number.to_bytes(2, "little").ljust(32, b"\1")))
    for number in range(900)
)
ROOM = Room(4_096)

_FULL = negentropy.initiate(SOME, ROOM)
_OTHER = MemorySet(SOME.items(5, 300))
messages = st.sampled_from(
    [
        _FULL,
        negentropy.initiate(MemorySet([]), ROOM),
        negentropy.respond(_OTHER, read_ranges(_FULL, MAX_RANGES), ROOM),
        negentropy.respond(SOME, read_ranges(b"\x61\0\0\2\0", MAX_RANGES), ROOM),
    ]
)


@given(damaged(messages) | st.binary(max_size=80).map(b"\x61".__add__) | st.binary())
def test_any_bytes_are_ranges_that_can_be_answered_or_refused(data: bytes) -> None:
    code = code_of(lambda: read_ranges(data, MAX_RANGES))

    assert code in {None, "bad-ranges"}
    if code is None:
        ranges = read_ranges(data, MAX_RANGES)
        reply = negentropy.advance(SOME, ranges, ROOM).reply
        for answer in (negentropy.respond(SOME, ranges, ROOM), reply):
            assert len(answer) <= ROOM.max_bytes
            assert code_of(partial(read_ranges, answer, MAX_RANGES)) is None


HOLDINGS = MemoryHoldings({0: SOME.items(0, 900), 3: SOME.items(100, 200)})
OTHERS = MemoryHoldings({0: SOME.items(300, 900), 3: SOME.items(0, 180)})
WINDOW = Window((0, 3), 0, EVERYTHING)
SCOPE = Scope(WINDOW.topics)
FRAMES = converse(Initiator(HOLDINGS, WINDOW), Responder(OTHERS, SCOPE)).frames


def altered(frames: list[bytes]) -> st.SearchStrategy[bytes]:
    """Draw a frame gone wrong, or a whole one, or a message of any content."""
    topics = st.lists(st.integers(-1, 300), max_size=3)
    fields = st.fixed_dictionaries(
        {},
        optional={
            "topics": topics | values,
            "since": st.integers(-1, 5) | values,
            "until": st.integers(-1, 2**63 - 1) | values,
            "sum": st.binary(min_size=15, max_size=17) | values,
            "sums": st.binary(max_size=34) | values,
            "counts": topics | values,
            "same": st.booleans() | values,
            "code": st.text(max_size=70) | values,
            "sets": st.lists(st.tuples(st.integers(0, 4), messages), max_size=2),
        },
    )
    whole = st.sampled_from(frames)
    return whole | damaged(whole) | fields.map(encode) | st.binary(max_size=50)


def answered(responder: Responder, frame: bytes) -> Message:
    return decode_message(responder.receive(frame))


CODES = {None, "malformed", "not-canonical", "bad-session", "bad-ranges"}


@given(st.lists(altered(FRAMES[::2]), max_size=4))
def test_whatever_an_initiator_sends_is_answered_or_refused(sent: list[bytes]) -> None:
    responder = Responder(OTHERS, SCOPE)
    for frame in sent:
        code = code_of(partial(answered, responder, frame))
        assert code in CODES
        assert OTHERS.opened == 0
        if code:
            break


@given(st.lists(altered(FRAMES[1::2]), max_size=4))
def test_whatever_a_responder_sends_is_answered_or_refused(sent: list[bytes]) -> None:
    initiator = Initiator(HOLDINGS, WINDOW)
    initiator.open()
    for frame in sent:
        code = code_of(partial(initiator.receive, frame))
        assert code in CODES
        assert HOLDINGS.opened == 0
        if code:
            break


@given(st.builds(Window, st.just((0, 2)), st.integers(0, 9), st.just(10)))
def test_every_message_comes_back_as_it_went(window: Window) -> None:
    said: list[Message] = [
        Open(window, bytes(16)),
        Same(),
        Sums((TopicSum(3, bytes(16)), TopicSum(0, b"\1" * 16))),
        Refusal("too-busy"),
        Refusal("too-big", 7, (1, 2)),
        Refusal("narrower", 7, ()),
        Round(((0, b"\x61"), (256, b""))),
    ]
    for message in said:
        assert decode_message(encode_message(message)) == message

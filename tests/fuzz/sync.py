"""Rows of the table: what peers say who compare what they hold, and fetch it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from moltp2p.core.errors import PeerError
from moltp2p.core.topics import NetworkParams
from moltp2p.proto.sync import fetch, negentropy
from moltp2p.proto.sync.fetch import Ask, AskChain, AskRecords, AskSequence, Collector
from moltp2p.proto.sync.fetch_answer import answer
from moltp2p.proto.sync.initiator import MAX_NEED, Initiator
from moltp2p.proto.sync.messages import (
    MAX_FRAME_BYTES,
    Window,
    decode_message,
    encode_message,
)
from moltp2p.proto.sync.negentropy import NOTHING_MORE, Room
from moltp2p.proto.sync.ranges import (
    MAX_RANGES,
    Fingerprint,
    IdList,
    Range,
    read_ranges,
)
from moltp2p.proto.sync.reconcile import (
    INFINITY_MS,
    Bound,
    Item,
    MemorySet,
    encode_number,
)
from moltp2p.proto.sync.responder import Responder, Scope
from moltp2p.store.memory import open_store
from moltp2p.testing.factories import EPOCH_MS
from moltp2p.testing.holdings import MemoryHoldings, converse, reconcile
from scripts.vectors.reconciling_form import items
from tests.fuzz import corpus, mutations
from tests.fuzz.mutations import EDGES
from tests.fuzz.parser import Parser, Read
from tests.fuzz.series import frames, joined, session

OURS: Final = items([(0, 150), (180, 200)], 1_000)
THEIRS: Final = items([(0, 40), (60, 190)], 1_000)
ROOM: Final = Room(4_096, 256)
FEW: Final = Room(1_024, 8)


# Negentropy.


def _messages() -> list[bytes]:
    """Return what is said by two who differ a little, in much space and in little."""
    ours, theirs = MemorySet(OURS), MemorySet(THEIRS)
    said = [reconcile(ours, theirs, room, room).messages for room in (ROOM, FEW)]
    alone = reconcile(MemorySet([]), theirs, ROOM, ROOM).messages
    return [*said[0], *said[1], *alone, *corpus.inputs("06-sync", "ranges")]


def _ranges(rng: random.Random, seed: bytes, others: Sequence[bytes]) -> bytes:
    """Say something else about one range, or say it somewhere else."""
    if rng.random() < mutations.RAW_SHARE:
        return mutations.raw(rng, seed, others)
    try:
        told = read_ranges(seed, MAX_RANGES)
        told = told or read_ranges(rng.choice(others), MAX_RANGES)
    except PeerError:
        return mutations.raw(rng, seed, others)
    if not told:
        return mutations.raw(rng, seed, others)
    place = rng.randrange(len(told))
    match rng.randrange(6):
        case 0:
            del told[place]
        case 1:
            told[place:place] = [told[place]] * rng.choice((1, 2, 300))
        case 2:
            told[place] = replace(told[place], upper=_bound(rng))
        case 3:
            told[place] = Fingerprint(told[place].upper, rng.randbytes(16))
        case _:
            chosen = rng.choice((OURS, THEIRS))
            ids = [each.id for each in rng.choices(chosen, k=rng.choice((0, 1, 99)))]
            told[place] = IdList(told[place].upper, tuple(ids))
    return _spelt(told)


def _bound(rng: random.Random) -> Bound:
    item: Item = rng.choice((*OURS, *THEIRS))
    time_ms = rng.choice((*EDGES, item.time_ms, item.time_ms, INFINITY_MS))
    return Bound(time_ms, item.id[: rng.randrange(33)])


def _spelt(told: Sequence[Range]) -> bytes:
    """Write ranges as a stranger may: in any order."""
    out, before_ms = bytearray(NOTHING_MORE), 0
    for each in told:
        time_ms, prefix = each.upper.time_ms, each.upper.prefix
        number = (
            0 if time_ms == INFINITY_MS else 1 + (time_ms - before_ms) % INFINITY_MS
        )
        out += encode_number(number) + encode_number(len(prefix)) + prefix
        before_ms = time_ms if number else before_ms
        match each:
            case Fingerprint(_, digest):
                out += encode_number(1) + digest
            case IdList(_, ids):
                out += encode_number(2) + encode_number(len(ids)) + b"".join(ids)
            case _:
                out += encode_number(0)
    return bytes(out)


def _responded(data: bytes) -> None:
    told = negentropy.respond(MemorySet(OURS), read_ranges(data, MAX_RANGES), ROOM)
    _assert_sound(told)


def _advanced(data: bytes) -> None:
    turn = negentropy.advance(MemorySet(OURS), read_ranges(data, MAX_RANGES), ROOM)
    _assert_sound(turn.reply)
    held = {each.id for each in OURS}
    assert held.issuperset(record for part in turn.have for record in part)


def _assert_sound(message: bytes) -> None:
    assert len(message) <= ROOM.max_bytes
    read_ranges(message, ROOM.max_ranges)


# Sessions.

WINDOW: Final = Window((0, 1), 0, 1 << 62)
SCOPE: Final = Scope((0, 1))


def _holdings(held: Sequence[Item]) -> MemoryHoldings:
    return MemoryHoldings({0: held[::3], 1: held[::2]})


def _frames(side: int) -> list[bytes]:
    """Return all that one side says, of sessions that differ in what is held."""
    pairs = ((OURS, THEIRS), (THEIRS, OURS), (OURS, OURS), (OURS, THEIRS[:9]))
    told = [
        converse(
            Initiator(_holdings(one), WINDOW), Responder(_holdings(other), SCOPE)
        ).frames
        for one, other in pairs
    ]
    return [joined(each[side::2]) for each in told]


def _message(data: bytes) -> None:
    message = decode_message(data)
    assert decode_message(encode_message(message)) == message


def _responds() -> Read:
    held = _holdings(THEIRS)

    def read(data: bytes) -> None:
        responder = Responder(held, SCOPE)
        for frame in frames(data, MAX_FRAME_BYTES):
            assert len(responder.receive(frame)) <= MAX_FRAME_BYTES
        assert held.opened == 0

    return read


def _initiates() -> Read:
    held = _holdings(OURS)

    def read(data: bytes) -> None:
        initiator = Initiator(held, WINDOW)
        initiator.open()
        for frame in frames(data, MAX_FRAME_BYTES):
            step = initiator.receive(frame)
            assert step.reply is None or len(step.reply) <= MAX_FRAME_BYTES
            assert (step.reply is None) != (step.outcome is None)
            assert all(topic in WINDOW.topics for topic, _ in step.need)
            assert len(step.need) <= MAX_NEED
        assert held.opened == 0

    return read


# Fetching.


def _asks() -> list[Ask]:
    records = corpus.records()
    ids = tuple(each.id for each in records)
    agent = records[0].header.agent
    return [
        AskRecords(ids),
        AskRecords(ids[:2], bodies=True),
        AskSequence(agent, 1, 3),
        AskChain(agent),
    ]


def _answering() -> Read:
    store = open_store(NetworkParams("test-net"))
    store.add(corpus.records(), EPOCH_MS)

    def read(data: bytes) -> None:
        ask = fetch.decode_ask(data)
        assert fetch.decode_ask(fetch.encode_ask(ask)) == ask
        collector = Collector(ask)
        for part in answer(ask, store):
            collector.receive(fetch.encode_answer(part))
        assert collector.ended is not None

    return read


def _answers() -> list[bytes]:
    """Return answers as they stand on a stream, to the asks in turn."""
    store = open_store(NetworkParams("test-net"))
    store.add(corpus.records(), EPOCH_MS)
    busy = fetch.encode_answer(fetch.Refusal("too-busy"))
    given = [map(fetch.encode_answer, answer(ask, store)) for ask in _asks()]
    return [*map(joined, given), joined([busy])]


def _collects() -> Read:
    asks = _asks()

    def read(data: bytes) -> None:
        """Take it for the answer to each ask; it passes if it is one to some."""
        came = frames(data, fetch.MAX_PART_BYTES)
        errors = []
        for ask in asks:
            collector = Collector(ask)
            try:
                for frame in came:
                    collector.receive(frame)
            except PeerError as error:
                errors.append(error)
            assert collector.records <= fetch.MAX_ANSWER_RECORDS
        if len(errors) == len(asks):
            raise errors[-1]

    return read


ROWS = (
    Parser(
        "reconcile responder",
        lambda: _frames(0),
        session(mutations.cbor),
        _responds,
        weight=5,
    ),
    Parser(
        "reconcile initiator",
        lambda: _frames(1),
        session(mutations.cbor),
        _initiates,
        weight=5,
    ),
    Parser("negentropy responder", _messages, _ranges, lambda: _responded, weight=8),
    Parser("negentropy initiator", _messages, _ranges, lambda: _advanced, weight=8),
    Parser(
        "reconcile message",
        lambda: corpus.inputs("06-sync", "reconcile-message"),
        mutations.cbor,
        lambda: _message,
    ),
    Parser(
        "fetch ask",
        lambda: [
            *map(fetch.encode_ask, _asks()),
            *corpus.inputs("06-sync", "fetch-ask"),
        ],
        mutations.cbor,
        _answering,
    ),
    Parser("fetch answer", _answers, session(mutations.cbor), _collects, weight=2),
)

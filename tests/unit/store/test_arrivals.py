"""What a listener notes: in order, without holes, bounded, and in every copy."""

from __future__ import annotations

import io
from contextlib import closing
from pathlib import Path

import pytest

from moltp2p.core.errors import LocalError
from moltp2p.core.ids import PeerId
from moltp2p.core.record import Record
from moltp2p.core.validate import Road
from moltp2p.store import arrivals
from moltp2p.store.arrivals import (
    ArrivalLog,
    Arrived,
    Came,
    SeenPeer,
    Span,
    State,
    read_peers,
)
from moltp2p.store.base import Policy
from moltp2p.store.engine import Engine, Put
from moltp2p.store.leveldb import open_store
from moltp2p.store.memory import Memory
from moltp2p.store.records import RecordStore
from moltp2p.store.repairing import repair, restore
from moltp2p.testing.factories import EPOCH_MS, TestAgent
from tests.unit.store.conftest import NETWORK

NOTES = Policy(keep_all=True, arrivals=True)
BOB, CAROL = PeerId("12D3KooBob"), PeerId("12D3KooCarol")
BY_BOB = Came(EPOCH_MS, Road.GOSSIP, BOB)


@pytest.fixture
def noting(engine: Engine) -> RecordStore:
    return RecordStore(engine, NETWORK, NOTES)


def posts(count: int) -> list[Record]:
    alice = TestAgent("alice")
    for number in range(count):
        alice.post(str(number))
    return alice.records


def test_each_arrival_is_noted_once_and_in_order(noting: RecordStore) -> None:
    inception, first, second = posts(2)
    by_carol = Came(EPOCH_MS + 7, Road.SYNC, CAROL)
    imported = Came(EPOCH_MS + 9, Road.IMPORT)

    noting.add([inception, first], EPOCH_MS, [BY_BOB, by_carol])
    noting.add([first, second], EPOCH_MS, [BY_BOB, imported])

    assert noting.arrivals(0, 10) == [
        Arrived(1, inception.id, BY_BOB),
        Arrived(2, first.id, by_carol),
        Arrived(3, second.id, imported),
    ]
    assert noting.arrivals(2, 10) == [Arrived(3, second.id, imported)]
    assert noting.last_arrival() == 3
    assert list(noting.verify()) == []


def test_who_is_no_listener_notes_nothing(store: RecordStore) -> None:
    records = posts(1)

    store.add(records, EPOCH_MS, [BY_BOB] * len(records))

    assert store.arrivals(0, 10) == []
    assert store.last_arrival() == 0


def test_numbers_go_on_where_they_were_left(
    engine: Engine, noting: RecordStore
) -> None:
    inception, first = posts(1)
    noting.add([inception], EPOCH_MS, [BY_BOB])

    again = RecordStore(engine, NETWORK, NOTES)
    again.add([first], EPOCH_MS, [BY_BOB])

    assert [each.number for each in again.arrivals(0, 10)] == [1, 2]


def test_who_looks_while_a_batch_is_written_moves_no_number() -> None:
    engine = Memory()
    RecordStore(engine, NETWORK, NOTES)
    log = ArrivalLog(engine)
    first, second = posts(1)

    changes = log.changes([first], [BY_BOB], 0)
    log.forget()
    assert log.last == 0  # before the batch is there
    engine.apply(changes)
    assert log.last == 1

    assert [change.key for change in log.changes([second], [BY_BOB], 1)] == [
        arrivals.arrival_key(2)
    ]


class FailsOnce(Memory):
    """A disk that takes a batch, and says that it could not."""

    fails = False

    def apply(self, changes: object) -> None:
        super().apply(changes)  # type: ignore[arg-type]
        if self.fails:
            self.fails = False
            raise LocalError("store-failed", "who knows")

    def mend(self) -> bool:
        return True


def test_a_batch_that_could_not_be_confirmed_gets_no_number_twice() -> None:
    engine = FailsOnce()
    store = RecordStore(engine, NETWORK, NOTES)
    inception, first, second = posts(2)
    store.add([inception], EPOCH_MS, [BY_BOB])
    engine.fails = True
    with pytest.raises(LocalError):
        store.add([first], EPOCH_MS, [BY_BOB])

    store.add([first, second], EPOCH_MS, [BY_BOB, BY_BOB])

    assert [each.record for each in store.arrivals(0, 10)] == [
        inception.id,
        first.id,
        second.id,
    ]


def test_the_log_does_not_outgrow_the_records(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrivals, "SPARE_ARRIVALS", 10)
    policy = Policy(keep_all=True, arrivals=True, budget_bytes=1)
    store = RecordStore(engine, NETWORK, policy)
    for record in posts(100):
        store.add([record], EPOCH_MS, [BY_BOB])
        store.retire(0, record.header.time_ms, 10)

    left = store.arrivals(0, 1_000)

    assert 10 <= len(left) <= 10 + 2 * 2 + 1
    assert [each.number for each in left] == list(range(left[0].number, 102))
    assert store.last_arrival() == 101


def test_spans_and_peers_are_written_over_and_bounded(
    engine: Engine, noting: RecordStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrivals, "KEPT_SPANS", 3)
    monkeypatch.setattr(arrivals, "KEPT_PEERS", 2)
    for number in range(5):
        begin = number * 100
        for end in (begin, begin + 50):
            span = Span(State.RUNNING, begin, end, ended=False)
            noting.note_presence([span], [SeenPeer(BOB, end, end)])

    assert [(each.from_ms, each.until_ms) for each in noting.spans()] == [
        (200, 250),
        (300, 350),
        (400, 450),
    ]
    for number in range(9):
        peer, at_ms = PeerId(f"stranger {number}"), 1_000 + number
        noting.note_presence([], [SeenPeer(peer, at_ms, at_ms)])
    with engine.view() as view:
        peers = read_peers(view)
    assert len(peers) <= 3
    assert peers[-1].peer == "stranger 8"
    assert list(noting.verify()) == []


def test_a_peer_is_seen_first_when_it_came_and_last_when_it_is_there(
    engine: Engine, noting: RecordStore
) -> None:
    noting.note_presence([], [SeenPeer(BOB, 100, 250)])
    noting.note_presence([], [SeenPeer(BOB, 300, 400)])

    with engine.view() as view:
        assert read_peers(view) == [SeenPeer(BOB, 100, 400)]


def test_a_backup_and_a_repair_take_it_along(tmp_path: Path) -> None:
    folder, copy = tmp_path / "records", tmp_path / "copy"
    records = posts(3)
    with closing(open_store(folder, NETWORK, NOTES)) as store:
        store.add(records, EPOCH_MS, [BY_BOB] * len(records))
        store.note_presence(
            [Span(State.HEARING, 1, 2, ended=True)], [SeenPeer(BOB, 3, 3)]
        )
        backup = b"".join(store.backup(EPOCH_MS))
        before = store.arrivals(0, 10), store.spans()

    restore(io.BytesIO(backup), copy, NETWORK)

    with closing(open_store(copy, NETWORK, NOTES)) as store:
        assert (store.arrivals(0, 10), store.spans()) == before
        store.put_raw([Put(b"Zastray", b"")])  # type: ignore[attr-defined]
    done = repair(copy, NETWORK, lambda _: None)
    assert done.found == {"damaged-index": 1}
    with closing(open_store(copy, NETWORK, NOTES)) as store:
        assert (store.arrivals(0, 10), store.spans()) == before
        assert list(store.verify()) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (arrivals.arrival_key(1), b"short"),
        (arrivals.arrival_key(1), bytes(40) + b"\xff"),
        (arrivals.span_key(Span(State.RUNNING, 1, 2, ended=True)), b"short"),
        (arrivals.peer_key(BOB), b"short"),
    ],
)
def test_what_is_damaged_of_it_is_named(key: bytes, value: bytes) -> None:
    store = RecordStore(Memory(), NETWORK, NOTES)
    store.put_raw([Put(key, value)])

    (damage,) = store.verify()

    assert damage.code == "store-damaged"

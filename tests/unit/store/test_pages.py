"""Reading page by page, on every engine."""

from __future__ import annotations

import base64
import dataclasses
import random
import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moltp2p.core.author import Draft
from moltp2p.core.errors import UsageError
from moltp2p.core.ids import AgentId, RecordId
from moltp2p.core.kinds import Kind, Profile
from moltp2p.core.record import Record
from moltp2p.core.topics import NetworkParams
from moltp2p.store import layout, pages
from moltp2p.store.base import Damage, Order, Page, Query
from moltp2p.store.engine import Delete, Engine, Put
from moltp2p.store.memory import Memory
from moltp2p.store.records import RecordStore
from moltp2p.testing.factories import EPOCH_MS, TestAgent

NOW_MS = EPOCH_MS
COMMUNITIES = ("general", "general2", "science")


def walk(store: RecordStore, query: Query) -> Iterator[Page]:
    """Read page after page, and then once more at the end."""
    page = store.page(query)
    yield page
    while page.more:
        page = store.page(dataclasses.replace(query, cursor=page.cursor))
        yield page


def read_all(store: RecordStore, query: Query) -> list[RecordId]:
    """Return what all pages hold."""
    return [stored.record.id for page in walk(store, query) for stored in page.records]


@pytest.fixture
def written(store: RecordStore) -> list[Record]:
    """Put records by two agents in three communities into the store."""
    alice, bob = TestAgent("alice"), TestAgent("bob")
    opening = alice.post("who is there?", COMMUNITIES[0])
    for n in range(40):
        author = (alice, bob)[n % 2]
        author.post(f"post {n}", COMMUNITIES[n % 3])
        if n % 5 == 0:
            author.reply(opening)
        if n % 10 == 0:
            author.write(Draft(Kind.PROFILE, Profile(f"name {n}")))
    records = alice.records + bob.records
    random.Random(1).shuffle(records)
    store.add(records, NOW_MS)
    return records


QUERIES = [
    Query(),
    Query(community="general"),
    Query(community="science", kinds=frozenset({Kind.POST})),
    Query(kinds=frozenset({Kind.PROFILE, Kind.INCEPTION})),
    Query(agent=TestAgent("alice").id),
]


@pytest.mark.parametrize("limit", [1, 3, 7, 1000])
@pytest.mark.parametrize("order", list(Order))
@pytest.mark.parametrize("query", QUERIES)
def test_pages_hold_every_record_that_was_asked_for_once_and_in_order(
    store: RecordStore, written: list[Record], query: Query, order: Order, limit: int
) -> None:
    expected = [record for record in written if _is_asked_for(record, query)]
    expected.sort(key=lambda record: _place(record, query))
    if order is Order.NEWEST_FIRST:
        expected.reverse()

    found = read_all(store, dataclasses.replace(query, order=order, limit=limit))

    assert found == [record.id for record in expected]


def _is_asked_for(record: Record, query: Query) -> bool:
    header = record.header
    return (
        query.community in (None, header.community)
        and query.agent in (None, header.agent)
        and (query.kinds is None or header.kind in query.kinds)
    )


def _place(record: Record, query: Query) -> tuple[int, bytes]:
    header = record.header
    return (header.time_ms if query.agent is None else header.seq, record.id)


def test_replies_are_found_by_their_parent(
    store: RecordStore, written: list[Record]
) -> None:
    replies = {record.id for record in written if record.header.refs}
    (opening,) = {
        record.header.refs["parent"] for record in written if record.header.refs
    }

    assert set(read_all(store, Query(parent=opening, limit=3))) == replies
    assert len(replies) == 8


@pytest.mark.parametrize("order", list(Order))
def test_more_is_exact_when_the_last_page_is_full(
    store: RecordStore, order: Order
) -> None:
    alice = TestAgent("alice")
    for _ in range(3):
        alice.post()
    store.add(alice.records, NOW_MS)

    sizes = [
        (len(page.records), page.more)
        for page in walk(store, Query(order=order, limit=2))
    ]

    assert sizes == [(2, True), (2, False)]


def test_more_counts_only_what_was_asked_for(store: RecordStore) -> None:
    alice = TestAgent("alice")
    alice.post("one", "general")
    alice.post("two", "science")
    deleted = alice.post("three", "general")
    alice.delete(deleted)
    store.add(alice.records, NOW_MS)
    posts = frozenset({Kind.POST})

    oldest = Query(order=Order.OLDEST_FIRST, kinds=posts, limit=2)
    page = store.page(oldest)

    assert len(page.records) == 2
    assert not page.more
    assert store.page(dataclasses.replace(oldest, deleted=True)).more


def test_a_page_with_neither_records_nor_more_has_no_cursor(store: RecordStore) -> None:
    assert store.page(Query()) == Page([], None, more=False)


def test_reading_goes_on_where_it_ended_though_records_came_meanwhile(
    store: RecordStore,
) -> None:
    early, late = TestAgent("early"), TestAgent("late", time_ms=EPOCH_MS + 10**6)
    for _ in range(5):
        early.post()
    store.add(early.records, NOW_MS)
    first = store.page(Query(limit=3))
    late.post()
    store.add(late.records, NOW_MS)

    rest = read_all(store, Query(limit=3, cursor=first.cursor))

    found = [stored.record.id for stored in first.records] + rest
    assert found == [record.id for record in early.records[::-1]]


def test_polling_oldest_first_finds_what_came_after_the_last_page(
    store: RecordStore,
) -> None:
    alice = TestAgent("alice")
    alice.post()
    store.add(alice.records, NOW_MS)
    page = store.page(Query(order=Order.OLDEST_FIRST))
    new = alice.post()
    store.add([new], NOW_MS)

    found = store.page(Query(order=Order.OLDEST_FIRST, cursor=page.cursor)).records

    assert [stored.record for stored in found] == [new]


def test_reading_goes_on_though_the_record_of_the_cursor_is_gone(
    store: RecordStore, engine: Engine
) -> None:
    alice = TestAgent("alice")
    for _ in range(5):
        alice.post()
    store.add(alice.records, NOW_MS)
    page = store.page(Query(limit=2))
    gone = page.records[-1].record
    engine.apply([Delete(key) for key in layout.index_keys(gone.id, gone.header)])

    rest = read_all(store, Query(limit=2, cursor=page.cursor))

    assert rest == [record.id for record in alice.records[3::-1]]


class TestManyThatDoNotMatch:
    @pytest.fixture(autouse=True)
    def _short_scans(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(pages, "MAX_SCANNED", 10)

    def test_a_page_gives_up_and_says_to_read_on(self, store: RecordStore) -> None:
        alice = TestAgent("alice")
        alice.write(Draft(Kind.PROFILE, Profile("Alice")))
        for _ in range(35):
            alice.post()
        store.add(alice.records, NOW_MS)

        found = list(walk(store, Query(kinds=frozenset({Kind.PROFILE}))))

        assert [len(page.records) for page in found] == [0, 0, 0, 1]
        assert [page.more for page in found] == [True, True, True, False]
        assert all(page.cursor for page in found)

    def test_a_full_page_does_not_look_on_for_ever(self, store: RecordStore) -> None:
        alice = TestAgent("alice")
        for _ in range(35):
            alice.post()
        profile = alice.write(Draft(Kind.PROFILE, Profile("Alice")))
        store.add(alice.records, NOW_MS)
        query = Query(kinds=frozenset({Kind.PROFILE}), limit=1)

        found = list(walk(store, query))

        assert [len(page.records) for page in found] == [1, 0, 0, 0, 0]
        assert found[0].records[0].record == profile
        assert not found[-1].more


class TestDamage:
    def test_a_page_goes_past_a_damaged_record_and_names_it(
        self, store: RecordStore, engine: Engine
    ) -> None:
        alice = TestAgent("alice")
        for _ in range(4):
            alice.post()
        store.add(alice.records, NOW_MS)
        bad = alice.records[2]
        engine.apply([Put(layout.record_key(bad.id), b"rotten")])

        found = list(walk(store, Query(limit=2)))

        ids = [stored.record.id for page in found for stored in page.records]
        assert ids == [alice.records[n].id for n in (4, 3, 1, 0)]
        damage = [damage for page in found for damage in page.damaged]
        assert [(each.code, each.record) for each in damage] == [
            ("damaged-record", bad.id)
        ]

    def test_a_page_names_an_index_entry_without_its_record(
        self, store: RecordStore, engine: Engine
    ) -> None:
        alice = TestAgent("alice")
        post = alice.post()
        store.add(alice.records, NOW_MS)
        engine.apply([Delete(layout.record_key(post.id))])

        page = store.page(Query())

        assert page.damaged == [Damage("damaged-index", post.id, "not held")]
        assert len(page.records) == 1

    def test_a_page_names_an_index_entry_that_is_damaged(
        self, store: RecordStore, engine: Engine
    ) -> None:
        post = TestAgent("alice").post()
        store.add([post], NOW_MS)
        key = layout.index_keys(post.id, post.header)[0]
        engine.apply([Put(key, b"\x02not a mark")])

        page = store.page(Query())

        assert [(each.code, each.record) for each in page.damaged] == [
            ("damaged-index", post.id)
        ]


class TestCursors:
    @pytest.fixture
    def cursor(self, store: RecordStore, written: list[Record]) -> str:
        page = store.page(Query(community="general", limit=2))
        assert page.cursor is not None
        return page.cursor

    def test_a_cursor_can_stand_in_an_address(self, cursor: str) -> None:
        assert re.fullmatch("[A-Za-z0-9_-]+", cursor)

    @pytest.mark.parametrize(
        "query",
        [
            Query(),
            Query(community="general2"),
            Query(community="general", order=Order.OLDEST_FIRST),
            Query(agent=TestAgent("alice").id),
            Query(parent=RecordId(bytes(32))),
        ],
    )
    def test_a_cursor_of_another_query_is_refused(
        self, store: RecordStore, cursor: str, query: Query
    ) -> None:
        with pytest.raises(UsageError, match="bad-cursor"):
            store.page(dataclasses.replace(query, cursor=cursor))

    def test_filters_and_limit_may_change_on_the_way(
        self, store: RecordStore, cursor: str
    ) -> None:
        query = Query(community="general", kinds=frozenset(), limit=9, cursor=cursor)

        assert store.page(query).records == []

    def test_every_damaged_cursor_is_refused(
        self, store: RecordStore, cursor: str
    ) -> None:
        raw = base64.urlsafe_b64decode(cursor + "==")
        flipped = [
            base64.urlsafe_b64encode(_flip(raw, bit)).decode().rstrip("=")
            for bit in range(8 * len(raw))
        ]
        twisted = [cursor[:-1], cursor + "A", cursor + "=", f" {cursor}", "", "?", "ü"]
        # Another spelling of the same bytes: the last character has spare bits.
        twisted.append(cursor[:-1] + chr(ord(cursor[-1]) + 1))

        for text in (*flipped, *twisted, cursor * 50):
            with pytest.raises(UsageError, match="bad-cursor"):
                store.page(Query(community="general", cursor=text))


def _flip(data: bytes, bit: int) -> bytes:
    flipped = bytearray(data)
    flipped[bit // 8] ^= 1 << bit % 8
    return bytes(flipped)


@given(st.text(max_size=120))
def test_any_text_is_a_cursor_or_refused(text: str) -> None:
    store = RecordStore(Memory(), NetworkParams("test-net"))

    with pytest.raises(UsageError) as raised:
        store.page(Query(cursor=text))

    assert raised.value.code == "bad-cursor"
    assert raised.value.hint


@pytest.mark.parametrize(
    "query",
    [
        Query(limit=0),
        Query(limit=-1),
        Query(limit=1001),
        Query(community="general", agent=TestAgent("alice").id),
        Query(parent=RecordId(bytes(32)), agent=TestAgent("alice").id),
        Query(agent=AgentId(b"")),
        Query(parent=RecordId(bytes(33))),
    ],
)
def test_a_query_that_cannot_be_answered_is_refused(
    store: RecordStore, query: Query
) -> None:
    with pytest.raises(UsageError, match="bad-query"):
        store.page(query)


def test_a_community_that_cannot_be_is_refused(store: RecordStore) -> None:
    with pytest.raises(UsageError, match="bad-community"):
        store.page(Query(community="General!"))

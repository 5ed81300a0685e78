from __future__ import annotations

import dataclasses

import pytest

from moltp2p.core.errors import LocalError, UsageError
from moltp2p.core.ids import RecordId
from moltp2p.core.record import Record
from moltp2p.core.selection import Selection
from moltp2p.core.topics import NetworkParams
from moltp2p.node.exporting import Export
from moltp2p.store.base import Store, Stored
from moltp2p.store.memory import open_store
from moltp2p.testing.factories import EPOCH_MS, TestAgent

LATER_MS = EPOCH_MS + 100_000


def store_of(*agents: TestAgent) -> Store:
    store = open_store(NetworkParams("test-net"))
    store.add([record for agent in agents for record in agent.records], LATER_MS)
    return store


def exported(
    store: Store, selection: Selection | None = None, after: RecordId | None = None
) -> list[Record]:
    export = Export(store, selection or Selection(), after)
    found: list[Record] = []
    while (records := export.next()) is not None:
        found += records
    return found


def busy(name: str, posts: int = 3, community: str = "general") -> TestAgent:
    agent = TestAgent(name)
    for number in range(posts):
        agent.post(f"{name} {number}", community)
    return agent


def test_records_come_oldest_first() -> None:
    alice, bob = busy("alice"), busy("bob", 400)

    found = exported(store_of(alice, bob))

    times = [record.header.time_ms for record in found if record.header.seq]
    assert times == sorted(times)
    assert {record.id for record in found} == {
        record.id for record in alice.records + bob.records
    }
    assert len(found) == 4 + 401


def test_a_key_chain_comes_before_what_needs_it_whatever_the_clocks_say() -> None:
    alice = busy("alice")
    alice.rotate()
    alice.time_ms = EPOCH_MS - 1_000_000
    signed_by_the_new_key = alice.post("written with a clock that was set back")

    found = exported(store_of(alice))

    inception, *_, rotation = alice.records[:-1]
    assert [record.id for record in found[:3]] == [
        inception.id,
        rotation.id,
        signed_by_the_new_key.id,
    ]
    assert len(found) == len(alice.records)


@pytest.mark.parametrize(
    "selection",
    [
        Selection(community="art"),
        Selection(agent=TestAgent("bob").id),
        Selection(agent=TestAgent("bob").id, community="art"),
        Selection(kinds=frozenset({4})),
        Selection(since_ms=EPOCH_MS + 2_000),
        Selection(until_ms=EPOCH_MS + 2_000),
        Selection(
            agent=TestAgent("alice").id,
            since_ms=EPOCH_MS + 1_000,
            until_ms=EPOCH_MS + 3_000,
        ),
    ],
)
def test_what_is_asked_for_comes_with_its_authors_key_chains(
    selection: Selection,
) -> None:
    alice, bob = busy("alice", 4), busy("bob", 4, "art")
    alice.delete(alice.records[1])
    wanted = [
        record
        for record in alice.records + bob.records
        if record.header.seq and selection.has(record.header)
    ]
    authors = {record.header.agent for record in wanted}

    found = exported(store_of(alice, bob), selection)

    chains = {r.header.agent for r in found if r.header.seq == 0}
    assert chains >= authors
    assert {r.id for r in found if r.header.seq} == {r.id for r in wanted}


@pytest.mark.parametrize("agent", [None, TestAgent("alice").id])
def test_an_export_goes_on_behind_any_record_that_is_no_link(agent: object) -> None:
    alice, bob = busy("alice", 300), busy("bob", 3)
    alice.time_ms = EPOCH_MS  # by seq and by time are different orders
    alice.post("late, and dated early")
    selection = Selection(agent=alice.id) if agent else Selection()
    store = store_of(alice, bob)
    whole = [r.id for r in exported(store, selection) if r.header.seq]

    for place in (0, 1, 255, 256, len(whole) - 1):
        rest = exported(store, selection, whole[place])
        ids = [record.id for record in rest if record.header.seq]
        assert ids == whole[place + 1 :]


def test_a_link_and_what_is_not_held_are_no_places_to_go_on_from() -> None:
    alice = busy("alice")
    store = store_of(alice)

    for record, code in (
        (alice.records[0].id, "bad-query"),
        (TestAgent("bob").incept().id, "not-found"),
    ):
        with pytest.raises(UsageError) as caught:
            Export(store, Selection(), record)
        assert caught.value.code == code


def test_what_was_deleted_comes_without_its_body() -> None:
    alice = busy("alice", 1)
    alice.delete(alice.records[1])

    found = exported(store_of(alice))

    assert [record.body for record in found] == [None, None, None]


class Damaged:
    """A store in which one record is not what was written."""

    def __init__(self, store: Store, record: RecordId) -> None:
        self._store = store
        self._record = record

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def get(self, record: RecordId) -> Stored | None:
        if record == self._record:
            raise LocalError("damaged-record", "its checksum does not hold")
        return self._store.get(record)


def test_damage_is_told_once_everything_else_is_out() -> None:
    alice = busy("alice")
    damaged: object = Damaged(store_of(alice), alice.records[0].id)
    export = Export(damaged, Selection())  # type: ignore[arg-type]

    found = export.next()
    with pytest.raises(LocalError) as caught:
        export.next()

    assert caught.value.code == "damaged-record"
    assert [record.id for record in found or ()] == [r.id for r in alice.records[1:]]


def test_a_selection_wants_all_of_what_it_names() -> None:
    header = busy("alice").records[1].header
    same = Selection(
        community="general",
        agent=header.agent,
        kinds=frozenset({3}),
        since_ms=header.time_ms,
        until_ms=header.time_ms + 1,
    )

    assert same.has(header)
    assert not dataclasses.replace(same, until_ms=header.time_ms).has(header)
    assert not dataclasses.replace(same, since_ms=header.time_ms + 1).has(header)
    assert not dataclasses.replace(same, community="art").has(header)
    assert not dataclasses.replace(same, kinds=frozenset({2})).has(header)
    assert not dataclasses.replace(same, agent=TestAgent("bob").id).has(header)

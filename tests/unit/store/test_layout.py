"""Keys and values: as the table says, and in an order that means something."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moltp2p.core.forks import Forked
from moltp2p.core.ids import PeerId, RecordId
from moltp2p.core.record import Header
from moltp2p.store import arrivals, layout, shelf_layout
from moltp2p.store.engine import prefix_end
from moltp2p.store.layout import Mark
from moltp2p.testing.factories import TestAgent
from tests.strategies import communities, digests, record_ids, times

ALICE = TestAgent("alice").id
RECORD = RecordId(bytes(range(32)))
HEADER = Header(
    network="test-net",
    agent=ALICE,
    kind=3,
    seq=7,
    time_ms=9,
    community="general",
    refs={"parent": RecordId(bytes(32))},
)
SHELF = shelf_layout.shelf_name(ALICE, 257)

KEYS = {
    "M": layout.COUNT_KEY,
    "R": layout.record_key(RECORD),
    **{key[:1].decode(): key for key in layout.index_keys(RECORD, HEADER)},
    "D": layout.tombstone_key(RECORD, ALICE),
    "K": layout.key_chain_key(ALICE),
    "L": layout.lost_key(ALICE, 7, RECORD),
    "S": layout.member_key(7, RECORD, HEADER.time_ms),
    "Q": shelf_layout.place_key(b"Q", SHELF, 7, RECORD),
    "O": shelf_layout.place_key(b"O", SHELF, 7, RECORD),
    "U": shelf_layout.units_key(SHELF),
    "B": shelf_layout.deletion_key(TestAgent("alice").delete(TestAgent("bob").post())),
    "E": shelf_layout.dropped_key(RECORD),
    "F": shelf_layout.fork_key(Forked(ALICE, 7), RECORD),
    "W": arrivals.arrival_key(7),
    "H": arrivals.span_key(arrivals.Span(arrivals.State.HEARING, 7, 9, ended=True)),
    "N": arrivals.peer_key(PeerId("12D3KooBob")),
}
"""A key of every table."""


def rows() -> dict[str, str]:
    """Return what the module's docstring says of each table's keys."""
    lines = re.findall(r"^    ([A-Z]) (\S.*?)  ", layout.__doc__ or "", re.MULTILINE)
    return dict(lines)


def test_the_table_names_every_table_and_no_other() -> None:
    assert rows().keys() == KEYS.keys()


@pytest.mark.parametrize("letter", KEYS)
def test_keys_are_as_long_as_the_table_says(letter: str) -> None:
    sizes = {"00": 1, "FF": 1, "community": len("general"), '"count"': len("count")}
    sizes["peer"] = len("12D3KooBob")
    parts = [part.rpartition(":") for part in rows()[letter].split()]

    size = 1 + sum(int(n) if name else sizes[n] for name, _, n in parts)

    assert len(KEYS[letter]) == size
    assert KEYS[letter].startswith(letter.encode())


def test_an_index_entry_ends_with_its_record() -> None:
    for key in layout.index_keys(RECORD, HEADER):
        assert layout.indexed_record(key) == RECORD


@given(times, times, record_ids, record_ids)
def test_keys_sort_as_times_do(
    one: int, other: int, first: RecordId, second: RecordId
) -> None:
    keys = [layout.number(one) + first, layout.number(other) + second]

    assert (keys[0] < keys[1]) == ((one, first) < (other, second))


@given(communities, communities)
def test_no_community_reads_into_another(one: str, other: str) -> None:
    one_prefix, other_prefix = map(layout.community_prefix, (one, other))

    assert one == other or not one_prefix.startswith(other_prefix)


@given(st.integers(0, 2**64 - 1), st.sampled_from(["", "deleted", "dropped"]))
def test_a_mark_reads_back_as_written(kind: int, state: str) -> None:
    mark = Mark(kind, deleted=state == "deleted", dropped=state == "dropped")

    assert Mark.unpack(mark.pack()) == mark


@given(st.binary(max_size=12))
def test_any_bytes_are_a_mark_or_none(value: bytes) -> None:
    mark = Mark.unpack(value)

    assert mark is None or mark.pack() == value


@given(st.binary(max_size=6), st.binary(max_size=6))
def test_the_end_of_a_prefix_is_the_least_key_behind_it(
    prefix: bytes, key: bytes
) -> None:
    end = prefix_end(prefix)

    is_before_the_end = end is None or key < end
    assert key.startswith(prefix) == (key >= prefix and is_before_the_end)


@given(digests)
def test_a_value_is_bound_to_its_key(one: bytes) -> None:
    post = TestAgent("alice").post()
    value = layout.pack_record(post, 1)

    assert layout.is_sound(post.id, value)
    assert not layout.is_sound(RecordId(one), value)

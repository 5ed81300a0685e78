"""Sets in order of time, and the sums that tell them apart."""

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from moltp2p.core.ids import RecordId
from moltp2p.proto.sync.reconcile import (
    END,
    INFINITY_MS,
    START,
    Bound,
    Item,
    MemorySet,
    SetSum,
    StretchRead,
    encode_number,
)

few_bytes = st.sampled_from([0, 1, 127, 255])
ids = st.lists(few_bytes, max_size=3).map(
    lambda head: RecordId(bytes(head).ljust(32, b"\0"))
)
items = st.builds(Item, st.integers(0, 3) | st.just(INFINITY_MS - 1), ids)
sets = st.lists(items, max_size=20)


def test_the_fingerprint_of_nothing_is_that_of_a_zero_and_a_count() -> None:
    expected = hashlib.sha256(bytes(33)).digest()[:16]

    assert SetSum().fingerprint() == expected
    assert MemorySet([]).fingerprint(0, 0) == expected


def test_ids_are_summed_as_little_endian_numbers_that_wrap() -> None:
    one, most = RecordId(b"\1" + bytes(31)), RecordId(b"\xff" * 32)

    assert SetSum.of([one, most]) == SetSum(2, 0)
    assert (
        SetSum.of([one, one, most]).fingerprint()
        == (hashlib.sha256(one + b"\3").digest()[:16])
    )


def test_the_count_is_written_with_the_greatest_digit_first() -> None:
    assert encode_number(0) == b"\0"
    assert encode_number(127) == b"\x7f"
    assert encode_number(128) == b"\x81\x00"
    assert encode_number(300) == b"\x82\x2c"


@given(sets, sets)
def test_sums_of_parts_add_up_and_come_apart(a: list[Item], b: list[Item]) -> None:
    part, rest = ({item.id for item in each} for each in (a, b))
    rest -= part
    whole = SetSum.of(part | rest)

    assert SetSum.of(part) + SetSum.of(rest) == whole
    assert whole - SetSum.of(part) == SetSum.of(rest)


@given(sets, st.data())
def test_a_memory_set_is_a_sorted_list_without_repetitions(
    given_items: list[Item], data: st.DataObject
) -> None:
    found, model = MemorySet(given_items), sorted(set(given_items))
    begin = data.draw(st.integers(0, len(model)))
    end = data.draw(st.integers(begin, len(model)))

    assert found.size() == len(model)
    assert [found.item(index) for index in range(len(model))] == model
    assert list(found.items(begin, end)) == model[begin:end]
    part = SetSum.of(item.id for item in model[begin:end])
    assert found.fingerprint(begin, end) == part.fingerprint()


@given(sets, st.builds(Bound, st.integers(0, 4), ids.map(lambda each: each[:3])))
def test_a_rank_counts_what_stands_before_a_bound_padded_with_zeros(
    given_items: list[Item], bound: Bound
) -> None:
    place = Item(bound.time_ms, RecordId(bound.prefix.ljust(32, b"\0")))
    found = MemorySet(given_items)

    assert found.rank(bound) == sum(item < place for item in set(given_items))
    assert (found.rank(START), found.rank(END)) == (0, found.size())


@given(
    sets, st.builds(Bound, st.integers(0, 4), ids.map(lambda each: each[:3])), st.data()
)
def test_a_set_with_a_stretch_read_is_the_same_in_every_way(
    given_items: list[Item], bound: Bound, data: st.DataObject
) -> None:
    whole = MemorySet(given_items)
    edges = st.lists(st.integers(0, whole.size()), min_size=2, max_size=2)
    (begin, end), (first, last) = (sorted(data.draw(edges)) for _ in range(2))
    read = StretchRead(whole, begin, end)

    assert read.size() == whole.size()
    assert read.rank(bound) == whole.rank(bound)
    assert read.fingerprint(first, last) == whole.fingerprint(first, last)
    assert list(read.items(first, last)) == list(whole.items(first, last))
    for index in range(whole.size()):
        assert read.item(index) == whole.item(index)

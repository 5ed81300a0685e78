"""What a message of Negentropy can make us do, and what it cannot."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from moltp2p.core.errors import UsageError
from moltp2p.core.ids import RecordId
from moltp2p.proto.sync import negentropy
from moltp2p.proto.sync.negentropy import (
    NOTHING_MORE,
    READ_IN_ANY_CASE,
    READ_PER_ID,
    Room,
)
from moltp2p.proto.sync.ranges import (
    MAX_RANGES,
    Fingerprint,
    IdList,
    Range,
    RangeWriter,
    Skip,
    read_ranges,
)
from moltp2p.proto.sync.reconcile import END, Bound, Item, MemorySet, SetSum
from moltp2p.testing.holdings import reconcile

WIDE = Room(10**6)


class CountedSet(MemorySet):
    """A set that counts which of its items were read."""

    read = 0

    def items(self, begin: int, end: int) -> Iterator[Item]:
        """Yield items, and count them."""
        for item in super().items(begin, end):
            self.read += 1
            yield item


def numbered(*numbers: int) -> list[Item]:
    return [
        Item(number, RecordId(number.to_bytes(32, "big"))) for number in sorted(numbers)
    ]


def told(message: bytes) -> list[Range]:
    return read_ranges(message, MAX_RANGES)


def listed(*numbers: int, upper: Bound = END) -> IdList:
    return IdList(upper, tuple(item.id for item in numbered(*numbers)))


def test_a_few_items_are_told_by_their_ids() -> None:
    ours = MemorySet(numbered(1, 2, 3))
    strange = Fingerprint(END, bytes(16))

    assert told(negentropy.respond(ours, [strange], WIDE)) == [listed(1, 2, 3)]


def test_an_equal_part_is_skipped_and_a_skip_at_the_end_goes_without_saying() -> None:
    ours = MemorySet(numbered(1, 2, 3, 4))
    same = Fingerprint(Bound(3), ours.fingerprint(0, 2))
    other = Fingerprint(END, bytes(16))

    answer = told(negentropy.respond(ours, [same, other], WIDE))
    assert answer == [Skip(Bound(3)), listed(3, 4)]
    assert negentropy.respond(ours, [same, Skip(END)], WIDE) == NOTHING_MORE


def test_skips_in_a_row_are_one() -> None:
    ours = MemorySet(numbered(1, 2, 9))
    ranges: list[Range] = [Skip(Bound(2)), Skip(Bound(5)), Fingerprint(END, bytes(16))]

    answer = told(negentropy.respond(ours, ranges, WIDE))
    assert answer == [Skip(Bound(5)), listed(9)]


def test_a_list_is_answered_by_ours_or_by_a_skip_when_it_is_the_same() -> None:
    ours = MemorySet(numbered(1, 2, 3))

    assert negentropy.respond(ours, [listed(3, 2, 1)], WIDE) == NOTHING_MORE
    assert told(negentropy.respond(ours, [listed(1, 2)], WIDE)) == [listed(1, 2, 3)]


def test_a_list_that_finds_no_room_breaks_off_between_two_items() -> None:
    ours = MemorySet(numbered(*range(100)))

    first, rest = told(negentropy.respond(ours, [listed()], Room(1_024)))

    assert isinstance(first, IdList)
    count = len(first.ids)
    assert first == listed(*range(count), upper=Bound(count))
    assert 20 < count < 30
    assert rest == Fingerprint(END, ours.fingerprint(count, 100))


@pytest.mark.parametrize("count", [2, 3, 4, 16, 17, 40, 512, 513, 5_000])
def test_the_parts_of_a_split_are_two_or_more_and_all_of_it(count: int) -> None:
    ours = MemorySet(numbered(*range(count)))

    *parts, rest = told(negentropy.initiate(ours, WIDE))

    assert rest == listed()
    assert len(parts) >= 2
    assert parts[-1].upper == Bound(count)
    begin = 0
    for part in parts:
        assert isinstance(part, Fingerprint)
        end = ours.rank(part.upper)
        assert 0 < end - begin < count
        assert part.digest == ours.fingerprint(begin, end)
        begin = end
    assert begin == count


def test_what_follows_our_last_is_asked_for_at_once() -> None:
    ours, theirs = numbered(*range(900)), numbered(*range(1_000))

    found = reconcile(MemorySet(ours), MemorySet(theirs), WIDE, WIDE)

    assert set(found.need) == {item.id for item in theirs[900:]}
    assert len(found.messages) == 2


def test_a_list_of_little_makes_us_read_little() -> None:
    ours = CountedSet(numbered(*range(50_000)))

    turn = negentropy.advance(ours, [listed(60_000)], WIDE)

    assert ours.read <= READ_IN_ANY_CASE + READ_PER_ID
    assert turn.need == []
    assert len(told(turn.reply)) > 16


def test_an_empty_list_makes_us_read_nothing_until_somebody_wants_to_know() -> None:
    ours = CountedSet(numbered(*range(50_000)))

    turn = negentropy.advance(ours, [listed()], WIDE)

    assert turn.reply == NOTHING_MORE
    assert ours.read == 0
    assert sum(1 for part in turn.have for _ in part) == 50_000


def test_lists_without_end_make_us_read_no_more_than_a_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(negentropy, "READ_ITEMS", 5_000)
    count = 9_000
    ours = CountedSet(numbered(*range(count)))
    step = READ_IN_ANY_CASE
    lists = [listed(0, upper=Bound(end)) for end in range(step, count, step)]

    turn = negentropy.advance(ours, lists, WIDE)

    assert 4_000 < ours.read <= 5_000
    (first, rest) = told(turn.reply)
    assert isinstance(first, Skip)
    assert rest == Fingerprint(END, ours.fingerprint(ours.rank(first.upper), count))


def test_ranges_that_lie_close_together_are_read_at_once() -> None:
    ours = CountedSet(numbered(*range(4_000)))
    near = [Fingerprint(Bound(end), bytes(16)) for end in range(8, 257, 8)]
    far = [Fingerprint(Bound(end), bytes(16)) for end in range(1_000, 4_001, 1_000)]

    negentropy.respond(ours, near, WIDE)
    assert ours.read == 256
    negentropy.respond(ours, [*near[:8], *far], WIDE)
    assert ours.read == 256 + 64


def test_what_breaks_off_is_taken_up_from_there() -> None:
    everything = numbered(*range(2_000))
    ours, theirs = everything[::2], everything[::3]

    found = reconcile(MemorySet(ours), MemorySet(theirs), Room(1_024, 8), WIDE)

    assert set(found.need) == {item.id for item in theirs} - {item.id for item in ours}
    assert set(found.have) == {item.id for item in ours} - {item.id for item in theirs}
    assert all(len(told(message)) <= 8 for message in found.messages[::2])


@pytest.mark.parametrize(("max_bytes", "max_ranges"), [(1_023, 100), (4_096, 7)])
def test_a_message_without_room_to_lead_further_is_our_own_fault(
    max_bytes: int, max_ranges: int
) -> None:
    with pytest.raises(UsageError, match="bad-setting"):
        Room(max_bytes, max_ranges)


def test_the_longest_bounds_fit_where_the_writer_says_that_there_is_room() -> None:
    late = 2**63
    writer = RangeWriter(1_024, 8)
    writer.skip(Bound(late, b"\1" * 32))
    ids = [RecordId(bytes(32))] * writer.id_room()

    assert writer.ids(Bound(late + late - 2, b"\1" * 32), ids)
    writer.skip(Bound(late + late - 2, b"\2" * 32))
    writer.break_off(SetSum().fingerprint())

    assert len(writer.message()) <= 1_024
    assert len(told(writer.message())) == 4

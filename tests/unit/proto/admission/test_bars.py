"""How many must attest: by how many are known, and since when."""

from __future__ import annotations

import random

import pytest

from moltp2p.core.codec import MAX_INT
from moltp2p.proto.admission.bars import NUMBERS, Above, Bar, Ranks, quorum_of
from moltp2p.proto.admission.rules import Place


@pytest.mark.parametrize(
    ("known", "size", "enough"),
    [
        (1, 1, 1),
        (4, 4, 2),
        (8, 8, 4),
        (100, 100, 4),
        (79, 100, 3),
        (50, 100, 2),
        (40, 100, 2),
        (39, 100, 1),
        (3, 100_000, 1),
        (0, 1, 1),
    ],
)
def test_whoever_knows_a_part_asks_for_a_part_of_four(
    known: int, size: int, enough: int
) -> None:
    assert quorum_of(known, size, known // 2) == enough


def test_the_row_of_numbers() -> None:
    assert NUMBERS[:20] == (*range(1, 17), 19, 22, 26, 32)
    assert list(NUMBERS) == sorted(set(NUMBERS))


def test_what_is_remembered_of_ranks_is_what_they_are(rng: random.Random) -> None:
    ranks, times = Ranks(), list[int]()
    for _ in range(400):
        if times and rng.random() < 0.4:
            times.remove(gone := rng.choice(times))
            ranks.remove(gone)
        else:
            times.append(came := rng.randrange(60))
            ranks.add(came)
        times.sort()
        numbers = [number for number in NUMBERS if number <= len(times)]
        assert ranks.reached() == tuple(times[number - 1] for number in numbers)


def bar(of_age: int, young: int, *, is_then: bool) -> Bar:
    above = Above()
    for at in range(of_age):
        above.add(Place(1, at, at + 100))
    for at in range(young):
        above.add(Place(1, of_age + at))
    return above.bar_then() if is_then else above.bar_now()


@pytest.mark.parametrize("is_then", [True, False])
def test_every_difference_of_two_bars_lies_in_a_window(
    rng: random.Random, is_then: bool
) -> None:
    for _ in range(60):
        before = bar(rng.randrange(40), rng.randrange(40), is_then=is_then)
        after = bar(rng.randrange(40), rng.randrange(40), is_then=is_then)
        windows = list(before.windows(after))
        for time_ms in range(0, 150, 7):
            for size in (1, 2, 3, 9, 16, 31, 50, 77, 200):
                is_changed = before.quorum(time_ms, size) != after.quorum(time_ms, size)
                is_changed |= (before.least_size(time_ms) > size) != (
                    after.least_size(time_ms) > size
                )
                is_changed |= (time_ms >= before.mature_ms) != (
                    time_ms >= after.mature_ms
                )
                assert not is_changed or any(
                    window.since_ms <= time_ms < window.until_ms
                    and window.least <= size < window.below
                    for window in windows
                )


def test_a_bar_of_the_past_knows_who_counted_by_then() -> None:
    then = bar(20, 4, is_then=True)

    assert then.mature_ms == 115
    assert [then.quorum(time_ms, 20) for time_ms in (0, 4, 8, 16)] == [1, 1, 2, 4]
    assert then.quorum(115, 40) == 2
    assert Bar().mature_ms == MAX_INT

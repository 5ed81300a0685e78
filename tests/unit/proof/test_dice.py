"""The dice fall alike everywhere, and evenly."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from moltp2p.proof.dice import WORD_RANGE, Dice

SEEDS = st.binary(max_size=40)


@given(SEEDS, st.integers(1, WORD_RANGE))
def test_a_number_is_below_its_bound(seed: bytes, bound: int) -> None:
    dice = Dice(seed)

    assert all(0 <= dice.below(bound) < bound for _ in range(20))


@given(SEEDS, st.lists(st.integers(), max_size=20))
def test_shuffling_loses_nothing(seed: bytes, items: list[int]) -> None:
    assert sorted(Dice(seed).shuffled(items)) == sorted(items)


def test_seeds_in_other_parts_are_other_seeds() -> None:
    rows = [
        Dice(*parts) for parts in ([b"ab"], [b"a", b"b"], [b"", b"ab"], [b"ab", b""])
    ]

    assert len({row.below(WORD_RANGE) for row in rows}) == 4


def test_every_number_comes_equally_often() -> None:
    dice = Dice(b"even")

    counts = Counter(dice.below(6) for _ in range(60_000))

    assert sorted(counts) == [0, 1, 2, 3, 4, 5]
    assert all(abs(count - 10_000) < 400 for count in counts.values())  # 4 sigma


def test_bounds_that_do_not_divide_are_even_too() -> None:
    bound = 3 * WORD_RANGE // 4  # taken modulo, the lower third would come twice
    dice = Dice(b"rejection")

    low = sum(dice.below(bound) < bound // 3 for _ in range(9_000))

    assert abs(low - 3_000) < 180

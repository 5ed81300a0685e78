"""Spec 11: what is kept follows from what was heard, in whatever order it came."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

from hypothesis import given
from hypothesis import strategies as st

from moltp2p.core.ids import RecordId
from moltp2p.proto.quota import Volume, is_over, kept, surplus

LIMIT = 12

seeds = st.integers(0, 2**16)
volumes = st.builds(
    Volume,
    seq=st.integers(1, 15),  # few, so that there are branches of forks
    record=st.integers(0, 2**16).map(lambda n: RecordId(n.to_bytes(32, "big"))),
    units=st.sampled_from([1, 1, 1, 2, 5, LIMIT - 1, LIMIT, 3 * LIMIT]),
)
heard = st.lists(volumes, max_size=25, unique_by=lambda volume: volume.record)


class Shelf:
    """A shelf as a node keeps it: it forgets what it let go of."""

    def __init__(self) -> None:
        self.held: set[Volume] = set()

    def add(self, batch: Iterable[Volume]) -> None:
        """Take in what is not over the limit, then let go of the surplus."""
        before = self.units
        oldest = min(self.held, default=None)
        self.held |= {
            volume for volume in batch if not is_over(volume, before, oldest, LIMIT)
        }
        self.held -= set(surplus(self.units, LIMIT, sorted(self.held)))

    @property
    def units(self) -> int:
        return sum(volume.units for volume in self.held)


def dealt(past: Sequence[Volume], seed: int) -> list[list[Volume]]:
    """Return the same in another order, and in batches."""
    dice = random.Random(seed)
    deck = dice.sample(past, len(past))
    batches = []
    while deck:
        size = dice.randint(1, len(deck))
        batches.append(deck[:size])
        deck = deck[size:]
    return batches


def shelf_of(past: Sequence[Volume], seed: int) -> Shelf:
    shelf = Shelf()
    for batch in dealt(past, seed):
        shelf.add(batch)
    return shelf


@given(past=heard, seed=seeds)
def test_a_shelf_holds_what_the_rule_says_whatever_the_order(
    past: list[Volume], seed: int
) -> None:
    assert shelf_of(past, seed).held == set(kept(past, LIMIT))


@given(past=heard)
def test_what_is_kept_is_the_newest_and_all_of_it_up_to_the_limit(
    past: list[Volume],
) -> None:
    for volume in past:
        newer = sum(other.units for other in past if other > volume)
        assert (volume in kept(past, LIMIT)) == (newer < LIMIT)


@given(past=heard, seed=seeds)
def test_two_nodes_that_tell_each_other_what_they_keep_keep_the_same(
    past: list[Volume], seed: int
) -> None:
    dice = random.Random(seed)
    one = shelf_of([each for each in past if dice.random() < 0.6], seed)
    other = shelf_of([each for each in past if each not in one.held], seed)
    heard_by_either = one.held | other.held

    one.add(other.held)
    other.add(one.held)

    assert one.held == other.held == set(kept(heard_by_either, LIMIT))


@given(past=heard, seed=seeds, since=st.integers(1, 15))
def test_a_rotation_that_sweeps_makes_room_for_what_is_heard_again(
    past: list[Volume], seed: int, since: int
) -> None:
    thiefs = {each for each in past if each.seq >= since and each.units % 2}
    owners = [each for each in past if each not in thiefs]
    swept = shelf_of(past, seed)
    swept.held -= thiefs

    swept.add(owners)

    assert swept.held == shelf_of(owners, seed + 1).held


@given(past=heard, seed=seeds)
def test_a_deletion_never_goes_before_its_target(past: list[Volume], seed: int) -> None:
    shelf = shelf_of(past, seed)
    pairs = [(one, other) for one in past for other in past if one.seq < other.seq]

    assert all(
        deletion in shelf.held for target, deletion in pairs if target in shelf.held
    )


@given(past=heard, seed=seeds)
def test_a_shelf_exceeds_its_limit_by_one_record_at_most(
    past: list[Volume], seed: int
) -> None:
    shelf = shelf_of(past, seed)

    if shelf.units >= LIMIT:
        assert shelf.units - min(shelf.held).units < LIMIT

"""Who has to leave a node that is nearly full."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moltp2p.proto.peers.crowding import crowded_out, is_crowded


@pytest.mark.parametrize(
    ("held", "limit", "crowded"),
    [(3, 4, False), (4, 4, True), (420, 448, False), (421, 448, True), (1, 1, True)],
)
def test_a_few_places_are_kept_free(held: int, limit: int, crowded: bool) -> None:
    assert is_crowded(held, limit) is crowded


@pytest.mark.parametrize(
    ("groups", "index"),
    [([], None), (["a"], None), (["a", "b"], None), (["a", "b", "a"], 2)],
)
def test_nobody_has_to_go_from_where_nobody_else_came(
    groups: list[str], index: int | None
) -> None:
    assert crowded_out(groups) == index


@given(st.lists(st.sampled_from("abcdef"), min_size=2))
def test_it_is_the_newest_from_where_most_are(groups: list[str]) -> None:
    index = crowded_out(groups)

    counts = Counter(groups)
    if index is None:
        assert max(counts.values()) == 1
    else:
        assert counts[groups[index]] == max(counts.values()) > 1
        assert groups[index] not in groups[index + 1 :]


@given(st.lists(st.sampled_from("abcdefgh"), max_size=200))
def test_who_comes_from_a_group_of_ones_own_stays(comers: list[str]) -> None:
    held: list[str] = []
    places = 12
    for each in ["honest", *comers]:
        held.append(each)
        if is_crowded(len(held), places):
            index = crowded_out(held)
            assert index is not None
            held.pop(index)

    assert "honest" in held
    assert len(held) < places

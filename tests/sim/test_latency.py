from __future__ import annotations

import random
from statistics import median

import pytest

from moltp2p.core.errors import UsageError
from moltp2p.testing.sim.latency import Constant, LogNormal, Regions, Uniform


def test_constant_latency_is_the_same_for_all(rng: random.Random) -> None:
    assert {Constant(ms=40).between("", "", rng) for _ in range(10)} == {0.04}


def test_uniform_latency_stays_within_its_bounds(rng: random.Random) -> None:
    drawn = [Uniform(from_ms=20, to_ms=30).between("", "", rng) for _ in range(500)]

    assert 0.020 <= min(drawn) < 0.021
    assert 0.029 < max(drawn) <= 0.030


def test_lognormal_latency_has_its_median_and_a_long_tail(rng: random.Random) -> None:
    model = LogNormal(median_ms=50, sigma=0.5)
    drawn = sorted(model.between("", "", rng) for _ in range(4000))

    assert median(drawn) == pytest.approx(0.05, rel=0.05)
    assert drawn[-40] > 0.13  # one in a hundred: 50 ms times e to the 1.16


def test_regions_set_the_latency_whichever_way_it_is_asked(rng: random.Random) -> None:
    model = Regions(
        shares={"here": 1, "there": 3},
        ms={"here-here": 10, "here-there": 100, "there-there": 20},
        spread=0,
    )

    assert model.between("here", "there", rng) == pytest.approx(0.1)
    assert model.between("there", "here", rng) == pytest.approx(0.1)
    assert model.between("there", "there", rng) == pytest.approx(0.02)


def test_regions_are_as_populous_as_their_shares(rng: random.Random) -> None:
    model = Regions(
        shares={"here": 1, "there": 3},
        ms={"here-here": 1, "here-there": 1, "there-there": 1},
    )
    homes = [model.region(rng) for _ in range(2000)]

    assert homes.count("there") / len(homes) == pytest.approx(0.75, abs=0.03)


def test_a_map_of_regions_with_a_hole_is_refused() -> None:
    with pytest.raises(UsageError, match="lacks here-there") as refusal:
        Regions(shares={"here": 1, "there": 1}, ms={"here-here": 1, "there-there": 1})

    assert refusal.value.code == "bad-scenario"

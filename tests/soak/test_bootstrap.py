"""A bootstrap peer over time: it grows by nothing, and loses nothing.

SOAK_MINUTES says how long; 30 unless it is set. Figures: scripts/bench soak.
"""

from __future__ import annotations

import os

import pytest

from scripts.benches.soak import slope_mb_h, soak_for

MINUTES = float(os.environ.get("SOAK_MINUTES", "30"))
MAX_SLOPE_MB_H = 1.0
SURE_MINUTES = 20
"""A slope that is measured for less is the noise of an allocator."""


def test_a_slope_is_that_of_what_comes_after_the_warm_up() -> None:
    warming = [(float(second), second * 1e6) for second in range(100)]
    flat = [(float(second), 100e6 + second * 1e3) for second in range(100, 300)]

    assert abs(slope_mb_h(warming + flat, warm=100.0) - 3.6) < 0.001


@pytest.mark.long
@pytest.mark.slow
async def test_nothing_is_lost_and_memory_is_flat() -> None:
    _, outcome = await soak_for(MINUTES)

    print(outcome.to_text())  # noqa: T201 - what a soak is for
    assert outcome.figures["lost"].value == 0
    assert outcome.figures["bugs"].value == 0
    if MINUTES >= SURE_MINUTES:
        assert outcome.figures["memory's slope"].value < MAX_SLOPE_MB_H

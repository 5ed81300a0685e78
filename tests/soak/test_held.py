"""A bootstrap peer holds a crowd for ten minutes. Figures: scripts/bench held."""

from __future__ import annotations

import pytest

from scripts.benches.held import HELD, run

MINUTES = 10


@pytest.mark.long
@pytest.mark.slow
async def test_a_hundred_connections_are_held() -> None:
    outcome = await run(MINUTES)

    assert outcome.figures["held at the end"].value == HELD
    assert outcome.figures["held from the other side"].value == HELD
    assert outcome.figures["refused"].value == outcome.figures["bugs"].value == 0

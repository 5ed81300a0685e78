"""A benchmark's growth, as a table and as a picture."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.benches.outcome import Outcome
from scripts.benches.plot import draw_growth


@pytest.fixture
def outcome() -> Outcome:
    outcome = Outcome("store")
    for size in (10_000, 1_000_000):
        outcome.growth.append({"records": size, "page, ms": 2.5, "memory, MiB": 40})
    return outcome


def test_a_growth_is_a_line_for_each_figure(outcome: Outcome) -> None:
    lines = outcome.to_text().splitlines()

    assert "  records          10,000  1,000,000" in lines
    assert "  page, ms            2.5        2.5" in lines


def test_a_growth_is_drawn(outcome: Outcome, tmp_path: Path) -> None:
    draw_growth(outcome, tmp_path / "growth.svg")

    drawn = (tmp_path / "growth.svg").read_text("utf-8")
    assert "memory, MiB" in drawn


def test_what_has_no_growth_cannot_be_drawn(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no growth"):
        draw_growth(Outcome("gossip"), tmp_path / "growth.svg")

    assert not (tmp_path / "growth.svg").exists()

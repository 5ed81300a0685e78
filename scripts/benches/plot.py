"""A growth as a picture: a panel for each figure, over the size."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from scripts.benches.outcome import Outcome

COLUMNS: Final = 3


def draw_growth(outcome: Outcome, path: Path) -> None:
    """Draw the growth of an outcome into an .svg or .png file."""
    if not outcome.growth:
        sys.exit(f"{outcome.bench} has no growth to draw")
    from matplotlib import rc_context  # noqa: PLC0415 - takes a second
    from matplotlib.figure import Figure  # noqa: PLC0415

    size, *names = outcome.growth[0]
    rows = -(-len(names) // COLUMNS)
    with rc_context({"svg.hashsalt": "moltp2p", "font.size": 8}):
        figure = Figure(figsize=(3 * COLUMNS, 2.1 * rows), layout="constrained")
        panels = figure.subplots(rows, COLUMNS, squeeze=False).flat
        for name, panel in zip(names, panels, strict=False):
            sizes = [row[size] for row in outcome.growth]
            values = [row[name] for row in outcome.growth]
            panel.plot(sizes, values, marker="o")
            panel.set_title(name)
            panel.set_xscale("log")
            panel.set_ylim(0, 1.15 * max(values) or 1)
            panel.grid(alpha=0.3)
            panel.set_xlabel(size)
        for panel in panels:
            panel.set_visible(False)
        figure.suptitle(f"scripts/bench {outcome.bench}")
        figure.savefig(path, dpi=110, metadata={"Date": None})

#!/usr/bin/env python3
"""Run simulator scenarios, and print a line of figures for each phase of each.

    .venv/bin/python scripts/simulate.py                     all that are shipped
    .venv/bin/python scripts/simulate.py replay flood-graft --seeds 3
    .venv/bin/python scripts/simulate.py --plots /tmp/plots --jobs 2

The table is Markdown. Compare it before and after a change of the router: the
same scenario and seed replay exactly, so each difference is the change's doing.
Exits with 0 only if every check of every run passed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from moltp2p.testing.sim.library import load, shipped
from moltp2p.testing.sim.plot import draw_plot
from moltp2p.testing.sim.report import PhaseReport, Report
from moltp2p.testing.simulator import simulate

LARGE: Final = {"baseline-10000"}
"""Takes minutes, and is run only when it is named."""

COLUMNS: Final = (
    "scenario", "seed", "phase", "messages", "delivered", "p50 s", "p99 s", "max s",
    "duplicates", "bytes", "control", "victim", "healthy after", "cpu s", "failed",
)  # fmt: skip


@dataclass(frozen=True)
class Task:
    """One run."""

    name: str
    seed: int
    plots: Path | None


def run(task: Task) -> tuple[Task, Report, float]:
    """Run a scenario; return what came of it, and the processor time it took."""
    started_s = time.process_time()
    report = simulate(load(task.name), task.seed)
    cpu_s = time.process_time() - started_s
    if task.plots is not None:
        draw_plot(report, task.plots / f"{task.name}-{task.seed}.svg")
    return task, report, cpu_s


def rows(task: Task, report: Report, cpu_s: float) -> Iterator[tuple[str, ...]]:
    """Yield a row for each phase; what concerns the whole run stands in the last."""
    failed = [finding.check for finding in report.findings if not finding.passed]
    for phase in report.phases:
        is_last = phase is report.phases[-1]
        healthy_after = report.healthy_after if is_last else None
        yield (
            task.name,
            str(task.seed),
            *figures(phase),
            "" if healthy_after is None else str(healthy_after),
            f"{cpu_s:.0f}" if is_last else "",
            " ".join(failed) if is_last else "",
        )


def figures(phase: PhaseReport) -> Iterator[str]:
    """Yield a phase's own columns."""
    done = phase.deliveries
    yield phase.name
    yield str(done.published)
    yield f"{done.share:.3%}"
    yield f"{done.p50_s:.3f}"
    yield f"{done.p99_s:.3f}"
    yield f"{done.max_s:.2f}"
    yield f"{phase.duplicates:.2f}"
    yield f"{phase.bytes_per_delivery:.0f}"
    yield f"{phase.control_share:.0%}"
    yield f"{phase.victim.share:.2%}"


def line(cells: tuple[str, ...]) -> str:
    """Return a row of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def main() -> int:
    """Run what the command line names; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO")
    parser.add_argument("--seeds", type=int, default=1, help="seeds 1 to so many")
    parser.add_argument("--jobs", type=int, default=1, help="runs at once")
    parser.add_argument("--plots", type=Path, help="a folder for a plot of each run")
    options = parser.parse_args()
    names = options.scenarios or [name for name in shipped() if name not in LARGE]
    if options.plots is not None:
        options.plots.mkdir(parents=True, exist_ok=True)
    tasks = [
        Task(name, seed, options.plots)
        for name in names
        for seed in range(1, options.seeds + 1)
    ]
    print(line(COLUMNS))
    print(line(("---",) * len(COLUMNS)))
    passed = True
    with ProcessPoolExecutor(options.jobs) as pool:
        for task, report, cpu_s in pool.map(run, tasks):
            passed = passed and report.passed
            for cells in rows(task, report, cpu_s):
                print(line(cells), flush=True)
    return not passed


if __name__ == "__main__":
    sys.exit(main())

"""A report as a picture: deliveries, delays, meshes and traffic over virtual time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from moltp2p.core.errors import LocalError, UsageError
from moltp2p.testing.sim.report import Moment, Report

if TYPE_CHECKING:  # installed only with the extra `plot`
    from matplotlib.axes import Axes

FORMATS: Final = (".png", ".svg")
PIXELS_PER_INCH: Final = 110


def check_plot(path: Path) -> None:
    """Refuse now what could not be drawn after a long simulation.

    Raises:
        UsageError: `bad-plot` when the file is neither .png nor .svg.
        LocalError: `no-plots` when matplotlib is not installed.
    """
    if path.suffix not in FORMATS:
        raise UsageError("bad-plot", f"{path} ends neither in .png nor in .svg")
    if find_spec("matplotlib") is None:
        hint = "install it with: pip install moltp2p[plot]"
        raise LocalError("no-plots", "plots need matplotlib", hint)


def draw_plot(report: Report, path: Path) -> None:
    """Draw a report into a file; the same report gives the same picture.

    Raises:
        UsageError, LocalError: as `check_plot`.
        LocalError: `write-failed`.
    """
    check_plot(path)
    from matplotlib import rc_context  # noqa: PLC0415 - optional
    from matplotlib.figure import Figure  # noqa: PLC0415

    drawers = [_draw_delivered, _draw_delays, _draw_meshes, _draw_scores, _draw_traffic]
    if not report.sybils:
        drawers.remove(_draw_scores)
    with rc_context({"svg.hashsalt": "moltp2p", "font.size": 9}):
        figure = Figure(figsize=(9, 2.3 * len(drawers)), layout="constrained")
        panels: Sequence[Axes] = figure.subplots(len(drawers), 1, sharex=True)
        for panel, draw in zip(panels, drawers, strict=True):
            draw(panel, report)
            _shade(panel, report)
        panels[0].set_title(_title(report))
        panels[-1].set_xlabel("virtual time, s")
        metadata = {"Date": None} if path.suffix == ".svg" else {"Software": None}
        try:
            figure.savefig(path, dpi=PIXELS_PER_INCH, metadata=metadata)
        except OSError as error:
            raise LocalError("write-failed", f"{path}: {error.strerror}") from None


def _title(report: Report) -> str:
    sybils = f", {report.sybils} Sybils" if report.sybils else ""
    return f"{report.about}\n{report.honest} honest nodes{sybils}, seed {report.seed}"


def _draw_delivered(panel: Axes, report: Report) -> None:
    _line(panel, report, lambda m: m.deliveries.share, "all", when_published=True)
    panel.set_ylabel("share delivered")
    least = min(moment.deliveries.share for moment in report.moments)
    panel.set_ylim(min(0.9, least) - 0.02, 1.02)


def _draw_delays(panel: Axes, report: Report) -> None:
    _line(panel, report, lambda m: m.deliveries.max_s, "max", when_published=True)
    _line(panel, report, lambda m: m.deliveries.p99_s, "p99", when_published=True)
    _line(panel, report, lambda m: m.deliveries.p50_s, "p50", when_published=True)
    panel.set_ylabel("delay, s")
    panel.set_ylim(bottom=0)
    panel.legend(loc="upper right")


def _draw_meshes(panel: Axes, report: Report) -> None:
    times = [moment.sample.at_s for moment in report.moments]
    low = [moment.sample.mesh_min for moment in report.moments]
    high = [moment.sample.mesh_max for moment in report.moments]
    panel.fill_between(times, low, high, alpha=0.2, label="smallest to largest")
    _line(panel, report, lambda m: m.sample.mesh_mean, "mean")
    if report.sybils:
        _line(panel, report, _honest_degree, "mean, honest peers alone")
    panel.set_ylabel("mesh degree")
    panel.set_ylim(bottom=0)
    panel.legend(loc="lower right")


def _honest_degree(moment: Moment) -> float:
    return moment.sample.mesh_mean * moment.sample.honest_share


def _draw_scores(panel: Axes, report: Report) -> None:
    _line(panel, report, lambda m: m.sample.honest_score, "honest, median")
    _line(panel, report, lambda m: m.sample.honest_score_min, "honest, worst")
    _line(panel, report, lambda m: m.sample.sybil_score, "Sybils, median")
    _line(panel, report, lambda m: m.sample.sybil_score_max, "Sybils, best")
    panel.set_ylabel("score")
    panel.set_yscale("symlog", linthresh=1)
    panel.legend(loc="lower right")


def _draw_traffic(panel: Axes, report: Report) -> None:
    _line(panel, report, lambda m: m.traffic.sent_bytes / 1e6, "honest nodes")
    if report.sybils:
        _line(panel, report, lambda m: m.traffic.sybil_bytes / 1e6, "Sybils")
    panel.set_ylabel("sent since the last sample, MB")
    panel.set_ylim(bottom=0)
    panel.legend(loc="upper right")


def _line(
    panel: Axes,
    report: Report,
    figure: Callable[[Moment], float | None],
    label: str,
    *,
    when_published: bool = False,
) -> None:
    points = [
        (moment.sample.at_s, value)
        for moment in report.moments
        if moment.deliveries.expected or not when_published
        if (value := figure(moment)) is not None
    ]
    times, values = zip(*points, strict=True) if points else ((), ())
    marker = "." if when_published else ""
    panel.plot(times, values, label=label, linewidth=1, marker=marker, markersize=3)


def _shade(panel: Axes, report: Report) -> None:
    for phase in report.phases:
        if phase.name == "during":
            panel.axvspan(phase.from_s, phase.until_s, color="tab:red", alpha=0.08)
    panel.grid(visible=True, alpha=0.3)

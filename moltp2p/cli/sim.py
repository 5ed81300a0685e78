"""`moltp2p sim`: the protocol's own machines in virtual time, attacked and measured."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from moltp2p.cli.shell import Shell, json_option, pass_shell

if TYPE_CHECKING:  # pydantic, rich and matplotlib are heavy, and --help imports this
    from moltp2p.testing.sim.report import PhaseReport, Report
    from moltp2p.testing.sim.scenario import Scenario


def _list(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    """Name the shipped scenarios, and end."""
    if not value:
        return
    from moltp2p.testing.sim.library import shipped

    shell = ctx.find_root().ensure_object(Shell)
    if shell.as_json:
        for name, about in shipped().items():
            shell.emit({"scenario": name, "about": about})
    else:
        _name(shell, shipped())
    ctx.exit()


def _name(shell: Shell, scenarios: Mapping[str, str]) -> None:
    from rich.table import Table

    console = shell.console()
    if not console.is_terminal:  # a line each, however long
        for name, about in scenarios.items():
            console.print(f"{name:<22} {about}", soft_wrap=True)
        return
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    for name, about in scenarios.items():
        table.add_row(name, about)
    console.print(table)


@click.command()
@click.argument("scenario")
@click.option("--seed", type=int, help="Of all chance.  [default: the scenario's]")
@click.option("--nodes", type=int, help="Honest nodes.  [default: the scenario's]")
@click.option(
    "--set",
    "settings",
    metavar="NAME=VALUE",
    multiple=True,
    help="Put a value in place of the scenario's, as in network.loss=0.01.",
)
@click.option(
    "--plot",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Draw what happened, as .png or .svg.",
)
@click.option(
    "--list",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_list,
    help="Name the shipped scenarios.",
)
@json_option
@pass_shell
def command(shell: Shell, /, **options: Any) -> None:  # noqa: ANN401 - click's
    """Simulate a network of nodes in virtual time, and report how it did.

    SCENARIO is the name of a shipped one (see --list) or a TOML file. The same
    scenario and seed give the same report. Exits with 0 only if all checks pass.
    """
    scenario = _scenario(**options)
    plot: Path | None = options["plot"]
    if plot is not None:
        from moltp2p.testing.sim.plot import check_plot

        check_plot(plot)
    report = _simulate(scenario, options["seed"], live=not shell.as_json)
    if plot is not None:
        from moltp2p.testing.sim.plot import draw_plot

        draw_plot(report, plot)
    if shell.as_json:
        from moltp2p.testing.sim.fields import report_fields

        shell.emit({"scenario": options["scenario"], **report_fields(report)})
    else:
        _show(shell, options["scenario"], report)
    sys.exit(not report.passed)


def _scenario(**options: Any) -> Scenario:  # noqa: ANN401 - click's
    from moltp2p.testing.sim.library import load, parse_override

    overrides = dict(map(parse_override, options["settings"]))
    if options["nodes"] is not None:
        overrides["nodes.count"] = options["nodes"]
    return load(options["scenario"], overrides)


def _simulate(scenario: Scenario, seed: int | None, *, live: bool) -> Report:
    from moltp2p.testing.simulator import simulate

    with _progress(scenario.virtual_s, live=live) as tell:
        return simulate(scenario, seed, tell)


@contextmanager
def _progress(total_s: float, *, live: bool) -> Iterator[Callable[[float], object]]:
    """Open a bar of virtual time on standard error."""
    if not live:
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bars:
        bar = bars.add_task("virtual seconds", total=total_s)
        yield lambda now: bars.update(bar, completed=now)


def _show(shell: Shell, name: str, report: Report) -> None:
    from rich.table import Table

    console = shell.console()
    piped = not console.is_terminal  # a terminal would wrap amid a word
    console.print(f"{name}: {report.about}", soft_wrap=piped)
    table = Table()
    table.add_column("")
    for phase in report.phases:
        span = f"{phase.from_s:g} to {phase.until_s:g} s"
        table.add_column(f"{phase.name}\n{span}", justify="right")
    rows = [_rows(phase) for phase in report.phases]
    for label in rows[0]:
        table.add_row(label, *(row[label] for row in rows))
    console.print(table)
    console.print(_line(report), soft_wrap=piped)
    for finding in report.findings:
        if not finding.passed:
            found = "never" if finding.found is None else f"{finding.found:.6g}"
            wanted = f"{finding.wanted:g}"
            console.print(f"FAILED  {finding.check}: {found}, wanted {wanted}")


def _rows(phase: PhaseReport) -> Mapping[str, str]:
    done, traffic = phase.deliveries, phase.traffic
    return {
        "messages": str(done.published),
        "delivered": f"{done.share:.3%}",
        "of": str(done.expected),
        "p50": f"{done.p50_s:.3f} s",
        "p99": f"{done.p99_s:.3f} s",
        "max": f"{done.max_s:.3f} s",
        "duplicates each": f"{phase.duplicates:.2f}",
        "bytes each": f"{phase.bytes_per_delivery:,.0f}",
        "control": f"{phase.control_share:.1%}",
        "from Sybils": f"{traffic.sybil_bytes / 1e6:.1f} MB",
        "victim": f"{phase.victim.share:.3%}",
    }


def _line(report: Report) -> str:
    passed = sum(finding.passed for finding in report.findings)
    parts = [
        f"seed {report.seed}",
        f"{report.honest} honest nodes",
        f"{report.sybils} Sybils",
        f"{report.events:,} events",
        f"{passed} of {len(report.findings)} checks passed",
    ]
    if report.healthy_after is not None:
        parts.insert(-1, f"healthy again after {report.healthy_after} heartbeats")
    return " · ".join(parts)

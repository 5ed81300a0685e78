"""`moltp2p mesh`: nodes on this machine, talking, broken on purpose, and what held."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import click

from moltp2p.cli.shell import Shell, json_option, pass_shell
from moltp2p.core.errors import UsageError

if TYPE_CHECKING:  # rich, trio and libp2p are heavy, and --help imports this file
    from rich.console import RenderableType

    from moltp2p.testing.plan import Plan, Report
    from moltp2p.testing.sim.scenario import Scenario

DEFAULT_NODES: Final = 5
DEFAULT_POSTS: Final = 100
DEFAULT_RATE: Final = 20.0


@click.command()
@click.option(
    "--nodes",
    type=click.IntRange(1, 200),
    help=f"How many.  [default: {DEFAULT_NODES}, or the scenario's]",
)
@click.option(
    "--hosts",
    type=click.IntRange(2, 100),
    metavar="N",
    help="In place of --nodes: each node on a host of its own, a network namespace"
    " (needs root and iproute2).",
)
@click.option("--processes", is_flag=True, help="Give each node its own process.")
@click.option(
    "--posts",
    type=click.IntRange(0),
    help=f"Posts in all.  [default: rate x duration, or {DEFAULT_POSTS}]",
)
@click.option(
    "--rate",
    type=click.FloatRange(0, min_open=True),
    help=f"Posts a second, over all agents.  [default: {DEFAULT_RATE:g}; beside"
    " --posts and --partition so few that they outlast it]",
)
@click.option("--burst", is_flag=True, help="Post as fast as it goes.")
@click.option(
    "--input",
    "source",
    metavar="FILE",
    help="JSON lines of community and body; - is standard input.  [a sample]",
)
@click.option(
    "--duration",
    type=click.FloatRange(0, min_open=True),
    help="Stop posting after so many seconds.  [default, where something goes wrong:"
    " 5 s after a partition's end, or 20 s; as long as --posts take]",
)
@click.option(
    "--seed",
    type=int,
    help="Which agent posts what, and the schedule of faults.  [default: 0]",
)
@click.option(
    "--proof", is_flag=True, help="Let the agents prove to be such before they post."
)
@click.option(
    "--scenario",
    "file",
    metavar="FILE",
    help="What goes wrong, as in `moltp2p sim`: a name or a TOML file.",
)
@click.option(
    "--loss",
    type=click.FloatRange(0, 1),
    metavar="SHARE",
    help="How much of what nodes gossip vanishes.",
)
@click.option(
    "--latency",
    metavar="MS|MODEL",
    help="One way between two nodes: 50, or lognormal,median_ms=80,sigma=0.5.",
)
@click.option(
    "--partition",
    "partitions",
    metavar="A|B@FROM-TO",
    multiple=True,
    help="Two sides or more that lose each other: '0-2|3-5@10s-40s'.",
)
@click.option(
    "--kill",
    metavar="RATE",
    help="Nodes killed a second, and restarted with their store: 0.1,away_s=5.",
)
@click.option(
    "--slow",
    metavar="SHARE",
    help="How many nodes have a thin line: 0.2,uplink_mbit=0.5,downlink_mbit=1.",
)
@click.option(
    "--sybils",
    type=click.IntRange(1, 200),
    metavar="K",
    help="How many attackers join, from the beginning to the last post. They gossip"
    " and are found like nodes, but store nothing.",
)
@click.option(
    "--behaviour",
    "behaviours",
    metavar="NAME",
    multiple=True,
    help="What they do, one on top of the other: silent, dropper,share=0.5, censor,"
    " invalid-flood, replay, ihave-flood, iwant-flood, graft-flood, idontwant-flood.",
)
@json_option
@pass_shell
def command(shell: Shell, /, **options: Any) -> None:  # noqa: ANN401 - click's
    """Run a local mesh of real nodes, let their agents post, and measure.

    Faults are put between the nodes by --loss, --latency, --partition, --kill,
    --slow and --sybils, or by a scenario that the simulator knows too; a seed
    repeats their schedule.

    Exits with 0 only if every post reached every node's store, and under faults
    everything else held too.
    """
    plan = _plan(**options)
    # What ends by Ctrl-C takes its folders, processes and hosts away; so shall this.
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it
            signal.signal(number, lambda *_: signal.raise_signal(signal.SIGINT))
    report = shell.run(partial(_run, plan, live=not shell.as_json))
    from moltp2p.cli.mesh_report import report_fields, summary

    if shell.as_json:
        shell.emit(report_fields(report))
    else:
        shell.console().print(summary(report))
    sys.exit(not report.passed)


def _plan(**options: Any) -> Plan:  # noqa: ANN401 - click's
    """Return what the options ask for."""
    from moltp2p.cli.mesh_input import read_texts
    from moltp2p.testing.plan import Plan

    if options["burst"] and options["rate"] is not None:
        raise UsageError("bad-option", "--burst and --rate exclude each other")
    if options["burst"] and options["file"] is not None:
        raise UsageError("bad-option", "--burst and --scenario exclude each other")
    if options["hosts"] is not None:
        if options["nodes"] is not None:
            raise UsageError("bad-option", "--hosts and --nodes exclude each other")
        options["nodes"] = options["hosts"]
    scenario = _scenario(**options)
    posts, rate, duration_s = _load(scenario, **options)
    seed = options["seed"]
    if seed is None:
        seed = scenario.seed if scenario and options["file"] else 0
    return Plan(
        nodes=scenario.nodes.count if scenario else options["nodes"] or DEFAULT_NODES,
        posts=posts,
        texts=read_texts(options["source"]),
        rate=rate,
        duration_s=duration_s,
        seed=seed,
        processes=options["processes"] or bool(scenario and scenario.churn),
        proof=options["proof"],
        scenario=scenario,
        hosts=options["hosts"] is not None,
    )


def _scenario(**options: Any) -> Scenario | None:  # noqa: ANN401 - click's
    """Return what is to go wrong, if anything."""
    from moltp2p.testing.faults.wanted import Wanted, scenario_of

    wanted = Wanted(
        duration_s=options["duration"],
        hosts=options["hosts"] is not None,
        **{
            name: options[name]
            for name in (
                *("file", "nodes", "posts", "rate", "burst"),
                *("loss", "latency", "partitions", "kill", "slow"),
                *("sybils", "behaviours"),
            )
        },
    )
    return scenario_of(wanted, DEFAULT_RATE)


def _load(
    scenario: Scenario | None,
    **options: Any,  # noqa: ANN401 - click's
) -> tuple[int, float | None, float | None]:
    """Return how many posts, how many a second, and for how many seconds."""
    posts, duration_s = options["posts"], options["duration"]
    rate = None if options["burst"] else options["rate"] or DEFAULT_RATE
    if scenario is not None:
        rate = None if options["burst"] else scenario.load.per_s
        if posts is None:
            duration_s = scenario.load_until_s - scenario.load.from_s
    if posts is None:
        timed = rate is not None and duration_s is not None
        posts = round(rate * duration_s) if timed else DEFAULT_POSTS
    return posts, rate, duration_s


async def _run(plan: Plan, *, live: bool) -> Report:
    from moltp2p.testing.running import open_planned, run_plan

    with _screen(f"Starting {plan.nodes} nodes …", live=live) as show:
        from moltp2p.cli.mesh_view import mesh_view

        async with open_planned(plan) as mesh:
            return await run_plan(mesh, plan, lambda mesh: show(mesh_view(mesh, plan)))


@contextmanager
def _screen(opening: str, *, live: bool) -> Iterator[Callable[[RenderableType], None]]:
    """Open a place on standard error that is drawn again and again."""
    if not live:
        yield lambda _: None
        return
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True)
    try:
        with Live(opening, console=console, refresh_per_second=4) as place:
            yield place.update
    finally:
        if not console.is_terminal:  # there alone rich ends the last line itself
            console.line()

"""`moltp2p mesh`: nodes on this machine, talking, and what came of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from moltp2p.cli.shell import Shell, json_option, pass_shell
from moltp2p.cli.terminal import safe
from moltp2p.core.errors import MoltError, UsageError
from moltp2p.core.kinds import Kind, Post, encode_body, parse_body
from moltp2p.core.topics import check_community

if TYPE_CHECKING:  # rich, trio and libp2p are heavy, and --help imports this file
    from rich.console import RenderableType
    from rich.table import Table

    from moltp2p.testing.members import Text
    from moltp2p.testing.mesh import Mesh, Plan, Report

DEFAULT_POSTS: Final = 100
DEFAULT_RATE: Final = 20.0
MAX_ROWS: Final = 20
"""Nodes shown in the live table; the last line counts all."""


@click.command()
@click.option("--nodes", default=5, show_default=True, type=click.IntRange(1, 200))
@click.option("--processes", is_flag=True, help="Give each node its own process.")
@click.option(
    "--posts",
    type=click.IntRange(0),
    help=f"Posts in all.  [default: rate x duration, or {DEFAULT_POSTS}]",
)
@click.option(
    "--rate",
    type=click.FloatRange(0, min_open=True),
    help=f"Posts a second, over all agents.  [default: {DEFAULT_RATE:g}]",
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
    help="Stop posting after so many seconds.",
)
@click.option("--seed", default=0, show_default=True, help="Which agent posts what.")
@click.option(
    "--proof", is_flag=True, help="Let the agents prove to be such before they post."
)
@json_option
@pass_shell
def command(shell: Shell, /, **options: Any) -> None:  # noqa: ANN401 - click's
    """Run a local mesh of real nodes, let their agents post, and measure.

    Exits with 0 only if every post reached every node's store.
    """
    plan = _plan(**options)
    report = shell.run(partial(_run, plan, live=not shell.as_json))
    if shell.as_json:
        shell.emit(_fields(report))
    else:
        shell.console().print(_summary(report))
    sys.exit(report.delivered < report.expected)


def _plan(**options: Any) -> Plan:  # noqa: ANN401 - click's
    """Return what the options ask for."""
    from moltp2p.testing.mesh import Plan

    rate, duration_s = options["rate"], options["duration"]
    if options["burst"] and rate is not None:
        raise UsageError("bad-option", "--burst and --rate exclude each other")
    rate = None if options["burst"] else rate or DEFAULT_RATE
    posts = options["posts"]
    if posts is None:
        timed = rate is not None and duration_s is not None
        posts = round(rate * duration_s) if timed else DEFAULT_POSTS
    return Plan(
        nodes=options["nodes"],
        posts=posts,
        texts=_texts(options["source"]),
        rate=rate,
        duration_s=duration_s,
        seed=options["seed"],
        processes=options["processes"],
        proof=options["proof"],
    )


def _texts(source: str | None) -> list[Text]:
    """Return what to post.

    Raises:
        UsageError: `bad-input`, naming the line.
    """
    if source == "-":
        return _parse(sys.stdin, "standard input")
    if source is None:
        sample = files("moltp2p.testing") / "sample.jsonl"
        return _parse(sample.read_text("utf-8").splitlines(), "the sample")
    try:
        with Path(source).open(encoding="utf-8") as lines:
            return _parse(lines, source)
    except OSError as error:
        raise UsageError("bad-input", f"{source}: {error.strerror}") from None


def _parse(lines: Iterable[str], name: str) -> list[Text]:
    texts = [_text(line, f"{name}, line {n}") for n, line in enumerate(lines, 1)]
    if not texts:
        raise UsageError("bad-input", f"{name} has no lines")
    return texts


def _text(line: str, where: str) -> Text:
    from moltp2p.testing.members import Text

    try:
        fields = json.loads(line)
        community, body = check_community(fields["community"]), fields["body"]
        parse_body(Kind.POST, encode_body(Post(body)))
    except (ValueError, KeyError, TypeError, MoltError) as error:
        raise UsageError(
            "bad-input",
            f"{where}: {error}",
            'each line is {"community": "…", "body": "…"}',
        ) from None
    return Text(community, body)


async def _run(plan: Plan, *, live: bool) -> Report:
    from moltp2p.testing.mesh import open_mesh, run_plan

    with _screen(f"Starting {plan.nodes} nodes …", live=live) as show:
        opening = open_mesh(plan.nodes, processes=plan.processes, proof=plan.proof)
        async with opening as mesh:
            return await run_plan(mesh, plan, lambda mesh: show(_view(mesh, plan)))


@contextmanager
def _screen(opening: str, *, live: bool) -> Iterator[Callable[[RenderableType], None]]:
    """Open a place on standard error that is drawn again and again."""
    if not live:
        yield lambda _: None
        return
    from rich.console import Console
    from rich.live import Live

    with Live(opening, console=Console(stderr=True), refresh_per_second=4) as place:
        yield place.update


def _view(mesh: Mesh, plan: Plan) -> RenderableType:
    """Return the mesh as it was when it was last looked at, and what was said."""
    from rich.console import Group

    return Group(_nodes(mesh, plan), _heard(mesh))


def _heard(mesh: Mesh) -> Table:
    """Return the newest posts, one line each, as one node has them in its store."""
    from rich.table import Table
    from rich.text import Text as Line

    last = len(mesh.members) - 1
    table = Table(box=None, show_header=False, title=f"newest in node {last}'s store")
    table.add_column(min_width=9, style="dim", no_wrap=True)
    table.add_column(min_width=14, style="cyan", no_wrap=True)
    table.add_column(no_wrap=True, overflow="ellipsis")
    for post in mesh.heard:
        text = Line(safe(" ".join(post.text.split())))
        table.add_row(f"…{post.agent[-8:]}", Line(post.community), text)
    return table


def _nodes(mesh: Mesh, plan: Plan) -> Table:
    """Return a line for each node."""
    from rich.table import Table

    made = sum(mesh.authored)
    table = Table(
        title=f"{len(mesh.members)} nodes · {mesh.phase} · {made} of {plan.posts} posts"
    )
    for name in ("node", "agent", *(["proof"] if plan.proof else [])):
        table.add_column(name)
    for name in ("peers", "mesh", "posted", "records", "behind", "dropped"):
        table.add_column(name, justify="right")
    newest = max((each.records for each in mesh.snapshots), default=0)
    for index, each in enumerate(mesh.snapshots[:MAX_ROWS]):
        table.add_row(
            str(index),
            f"…{each.agent[-8:]}",
            *([each.proof] if plan.proof else []),
            str(each.peers),
            str(each.mesh),
            str(mesh.authored[index]),
            str(each.records),
            str(newest - each.records),
            str(each.dropped),
        )
    if len(mesh.snapshots) > MAX_ROWS:
        table.caption = f"and {len(mesh.snapshots) - MAX_ROWS} more"
    return table


def _summary(report: Report) -> Table:
    """Return the report for a person."""
    from rich.table import Table

    latency = report.latency_ms
    table = Table(title="What came of it", show_header=False)
    table.add_row("nodes", f"{report.nodes}, connected in {report.connect_s:.1f} s")
    if report.prove_s is not None:
        table.add_row(
            "proved",
            f"{report.verified} of {report.nodes} agents in {report.prove_s:.1f} s",
        )
    table.add_row("posts", f"{report.posts} in {report.wall_s:.1f} s")
    table.add_row(
        "delivered",
        f"{report.delivered} of {report.expected} to stores"
        f" ({report.delivery_ratio:.2%})",
    )
    table.add_row(
        "latency",
        f"p50 {latency['p50']:.0f} ms, p99 {latency['p99']:.0f} ms,"
        f" max {latency['max']:.0f} ms",
    )
    table.add_row("processor", f"{report.cpu_s:.1f} s")
    table.add_row("memory", f"{report.rss_mb:.0f} MB")
    table.add_row("dropped", str(report.dropped))
    return table


def _fields(report: Report) -> dict[str, object]:
    """Return the report for a program."""
    return {
        "nodes": report.nodes,
        "posts": report.posts,
        "expected": report.expected,
        "delivered": report.delivered,
        "delivery_ratio": round(report.delivery_ratio, 6),
        "latency_ms": dict(report.latency_ms),
        "connect_s": round(report.connect_s, 3),
        "prove_s": None if report.prove_s is None else round(report.prove_s, 3),
        "verified": report.verified,
        "wall_s": round(report.wall_s, 3),
        "cpu_s": round(report.cpu_s, 3),
        "rss_mb": round(report.rss_mb, 1),
        "dropped": report.dropped,
    }

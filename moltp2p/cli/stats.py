"""`moltp2p stats`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from moltp2p.cli.bars import open_bars
from moltp2p.cli.selecting import Wanted, surveying
from moltp2p.cli.shell import Shell, json_option, pass_shell
from moltp2p.core.errors import LocalError, UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from moltp2p.study.stats import Stats

SHOWN: Final = 8
NAME_COLUMNS: Final = 34
LOOKED_AT_BYTES: Final = 400
"""Of a file that is there: where a report of ours says so."""


@click.command()
@surveying
@click.option(
    "--html",
    "page",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a page of plots, one file that needs nothing else.",
)
@json_option
@pass_shell
def command(shell: Shell, page: Path | None, *, wanted: Wanted) -> None:
    """Count what this node holds: who, where, when, how deep, and how fast it came.

    \b
      moltp2p stats
      moltp2p stats --since 7d --html week.html

    The page has agents, posts, replies and communities over time, activity by hour,
    reply depth, propagation delay, and a graph of who answers whom. It replaces an
    earlier one, and no other file. The node may run, or not. Times are the authors'
    clocks; how long records were on their way is known to listeners alone.
    """  # noqa: D301 - click's mark
    wanted.selection()  # before anything is read
    if page is not None:
        _check_free(page)
    stats = shell.run(lambda: _count(shell, wanted))
    if page is not None:
        _write(page, stats)
    if shell.as_json:
        shell.emit({"status": "counted", "page": page and str(page), **stats.view()})
    else:
        _print(shell, stats)
        if page is not None:
            click.echo(f"The page is {page}")


async def _count(shell: Shell, wanted: Wanted) -> Stats:
    import trio

    from moltp2p.cli.client import open_client
    from moltp2p.study.frames import FrameReader
    from moltp2p.study.stats import summarise
    from moltp2p.study.tally import Tally

    query = wanted.query()
    tally, reader = Tally(wanted.selection()), FrameReader()
    async with open_client(shell.home) as client:
        status = await client.get("/status")
        # Of a part nobody knows how large it is.
        total = 0 if query else status["store"]["records"]
        with open_bars(live=not shell.as_json) as bars:
            tell = bars.add("counting, records")
            pieces = client.pieces("/survey", "application/octet-stream", **query)
            async with pieces as opened:
                async for piece in opened:
                    for tag, payload in reader.feed(piece):
                        await trio.to_thread.run_sync(tally.take, tag, payload)
                        tell(tally.kinds.total(), total)
    reader.end()
    return summarise(tally)


def _check_free(page: Path) -> None:
    """Refuse to write over what is no report.

    Raises:
        UsageError: `file-exists`.
    """
    from moltp2p.study.report import GENERATOR

    try:
        with page.open("rb") as file:
            is_ours = GENERATOR.encode() in file.read(LOOKED_AT_BYTES)
    except FileNotFoundError:
        return
    except OSError as error:
        raise _unwritable(page, error) from None
    if not is_ours:
        raise UsageError(
            "file-exists", f"{page} is there, and is no report", "name another file"
        )


def _write(page: Path, stats: Stats) -> None:
    """Put the page in its place, whole."""
    from moltp2p.study.folder import write_text
    from moltp2p.study.report import report

    part = page.with_name(f"{page.name}.part")
    try:
        write_text(part, report(stats))
        part.replace(page)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise _unwritable(page, error) from None


def _unwritable(page: Path, error: OSError) -> LocalError:
    return LocalError(
        "write-failed",
        f"{page} cannot be written: {error.strerror}",
        "name another file, or make room",
    )


def _print(shell: Shell, stats: Stats) -> None:
    from rich.columns import Columns

    from moltp2p.study.social import called

    console = shell.console()
    title = f"Network {stats.network}, as this {stats.role} holds it"
    console.print(title, style="bold")
    if stats.part:
        console.print(f"Only a part: {stats.part}")
    console.print(_totals(stats))
    tables = [
        _ranking("community", stats.top_communities),
        _ranking(
            "agent",
            [(called(each, NAME_COLUMNS), each.posts) for each in stats.top_agents],
        ),
        _depths(stats),
        _delays(stats),
    ]
    console.print(Columns([each for each in tables if each.row_count], padding=(0, 4)))


def _totals(stats: Stats) -> Table:
    from rich.table import Table

    from moltp2p.cli.terminal import moment
    from moltp2p.study.svg import short

    table = Table.grid(padding=(0, 2))
    for _ in range(4):
        table.add_column(justify="left")
    table.add_row(
        f"{stats.agents:,} agents",
        f"{stats.posts:,} posts",
        f"{stats.replies:,} replies",
        f"{stats.communities:,} communities",
    )
    table.add_row(
        f"{stats.records:,} records",
        f"{stats.deleted:,} deleted",
        f"{short(stats.missing)} missing",
        f"{stats.damaged:,} damaged",
    )
    if stats.begin_ms is not None and stats.last_ms is not None:
        table.add_row("from", moment(stats.begin_ms), "to", moment(stats.last_ms))
    return table


def _ranking(what: str, rows: list[tuple[str, int]]) -> Table:
    from rich.table import Table

    from moltp2p.cli.terminal import safe

    table = Table(box=None, header_style="dim")
    table.add_column(what, no_wrap=True, max_width=NAME_COLUMNS)
    table.add_column("posts, replies", justify="right")
    for name, count in rows[:SHOWN]:
        table.add_row(safe(name), f"{count:,}")
    return table


def _depths(stats: Stats) -> Table:
    from rich.table import Table

    table = Table(box=None, header_style="dim")
    table.add_column("depth", justify="right")
    table.add_column("replies", justify="right")
    for depth, count in enumerate(stats.depths[:SHOWN], 1):
        table.add_row(str(depth), f"{count:,}")
    return table


def _delays(stats: Stats) -> Table:
    from rich.table import Table

    table = Table(box=None, header_style="dim")
    for name in ("road", "records", "p50, ms", "p90, ms", "p99, ms"):
        table.add_column(name, justify="left" if name == "road" else "right")
    for each in stats.delays:
        figures = (f"{value:,}" for value in each.quantiles_ms.values())
        table.add_row(each.road, f"{each.records:,}", *figures)
    return table

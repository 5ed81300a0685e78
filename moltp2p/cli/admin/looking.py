"""`moltp2p admin peers`, `score`, `mesh` and `sync`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

from moltp2p.cli.admin.group import ask
from moltp2p.cli.shell import Shell, json_option, pass_shell

if TYPE_CHECKING:
    from rich.table import Table

Row = Sequence[str]

NOBODY = "No peers are connected."


@click.command()
@json_option
@pass_shell
def peers(shell: Shell) -> None:
    """List the connected peers, oldest first, by their whole peer ids.

    `queued` waits to be sent to a peer, `faults` counts what it did wrong on this
    connection. With --json: a peer a line.
    """
    found = ask(shell, "GET", "/peers")["peers"]
    titles = ("for", "score", "faults", "queued", "behind", "address")
    _show_peers(shell, found, titles, _peer_row)


def _peer_row(peer: dict[str, Any]) -> Row:
    from moltp2p.cli.terminal import safe, span

    arrow = "→" if peer["outbound"] else "←"
    rule = peer["rule"]
    behind = span(peer["behind_s"]) if peer["behind_s"] else "-"
    return (
        span(peer["connected_s"]),
        "-" if peer["score"] is None else f"{peer['score']['score']:.1f}",
        str(peer["faults"]),
        f"{peer['queued_bytes'] / 1024:,.0f} KiB",
        behind if rule is None or not rule["allows"] else f"{behind} allowed",
        f"{arrow} {safe(peer['address']).partition('/p2p/')[0]}",
    )


@click.command()
@json_option
@pass_shell
def score(shell: Shell) -> None:
    """List what each peer's score is made of, worst first.

    A score below 0 keeps a peer out of our meshes, below -500 from announcements,
    below -1000 from messages; below -2500 nothing that it says is read.
    With --json: a peer a line.
    """
    found = ask(shell, "GET", "/peers")["peers"]
    scored = [
        {"peer": peer["peer"], **peer["score"]}
        for peer in found
        if peer["score"] is not None
    ]
    scored.sort(key=lambda peer: peer["score"])
    parts = ("score", "credit", "invalid", "faults", "colocation", "behaviour")

    def row(peer: dict[str, Any]) -> Row:
        return (*(f"{peer[p]:,.1f}" for p in parts), peer["means"])

    _show_peers(shell, scored, (*parts, "means"), row)


@click.command()
@json_option
@pass_shell
def mesh(shell: Shell) -> None:
    """List the topics that were joined, and who is in our mesh of each.

    `subscribers` are connected peers that joined the topic too. With --json: a topic
    a line.
    """
    found = ask(shell, "GET", "/mesh")["topics"]
    found.sort(key=_numbered)

    def row(topic: dict[str, Any]) -> Row:
        from moltp2p.cli.terminal import safe

        names = " ".join(f"{peer[:8]}…{peer[-6:]}" for peer in topic["mesh"])
        counts = (str(topic["subscribers"]), str(len(topic["mesh"])))
        return (safe(topic["topic"]), *counts, names or "nobody")

    if shell.as_json:
        for each in found:
            shell.emit(each)
        return
    titles = ("topic", "subscribers", "mesh", "who")
    shell.console().print(_table(titles, map(row, found), {"subscribers", "mesh"}))


def _numbered(topic: dict[str, Any]) -> tuple[str, int]:
    """Return what sorts topics, shard 2 before shard 10."""
    head, _, last = topic["topic"].rpartition("/")
    return (head, int(last)) if last.isdecimal() else (topic["topic"], 0)


@click.command()
@json_option
@pass_shell
def sync(shell: Shell) -> None:
    """List how far behind each peer this node is, and when the two last agreed.

    With --json: one object, the counters of all rounds included.
    """
    answer = ask(shell, "GET", "/sync")
    if shell.as_json:
        shell.emit(answer)
        return
    titles = ("behind", "agreed", "gained", "now")
    _show_peers(shell, answer["peers"], titles, _sync_row)


def _sync_row(peer: dict[str, Any]) -> Row:
    from moltp2p.cli.terminal import span

    behind, agreed = peer["behind"], peer["agreed_s"]
    doing = "comparing" if peer["running"] else "idle"
    return (
        "unknown" if behind is None else f"{behind:,}",
        "never" if agreed is None else f"{span(agreed)} ago",
        f"{peer['gained']:,}",
        f"failed: {peer['failure']}" if peer["failure"] else doing,
    )


def _show_peers(
    shell: Shell,
    found: list[dict[str, Any]],
    titles: Sequence[str],
    row: Callable[[dict[str, Any]], Row],
) -> None:
    """Show peers in two lines each: the whole id, to be copied, and figures."""
    if shell.as_json:
        for each in found:
            shell.emit(each)
        return
    if not found:
        click.echo(NOBODY)
        return
    figures = in_columns([titles, *map(row, found)])
    click.echo(f"  {figures[0]}")
    for each, line in zip(found, figures[1:], strict=True):
        click.echo(f"{each['peer']}\n  {line}")


def in_columns(rows: Sequence[Row]) -> list[str]:
    """Return rows as lines with aligned columns; the last may have any length."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    widths[-1] = 0
    return [
        "  ".join(map(str.rjust, row, widths))  # figures, all but the last
        for row in rows
    ]


def _table(titles: Sequence[str], rows: Iterable[Row], right: set[str]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        justify: Any = "right" if title in right else "left"
        table.add_column(title, justify=justify, overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table

"""What `run` says once the node runs: to a person, or to a service manager's journal.

What matters most is where others reach the node, so those addresses come whole, one a
line, the widest first.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from rich.console import Console

View = dict[str, Any]

WITHIN: Final = {"MACHINE": "on this machine alone", "SITE": "on this site alone"}
"""What is said of an address that not everybody reaches."""


def addresses_for_others(status: View) -> list[tuple[str, str]]:
    """Return where others can dial the node, the widest first, and from where.

    Args:
        status: as the API shows it, of a node that is online.
    """
    from moltp2p.proto.address import parse_address, scope_of

    announced = status["gossip"]["finding"]["announced"]
    told = [f"{endpoint}/p2p/{status['peer']}" for endpoint in announced]
    found = {
        each: scope_of(parse_address(each).endpoint.ip)
        for each in dict.fromkeys([*told, *status["addresses"]])
    }
    ordered = sorted(found.items(), key=lambda each: -each[1])
    return [(address, WITHIN.get(scope.name, "")) for address, scope in ordered]


def greet(console: Console, view: View) -> None:
    """Tell a person that the node runs, and how to connect another to it."""
    from rich.panel import Panel
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _rows(view):
        table.add_row(name, value)
    console.print(Panel(table, title="moltp2p runs", title_align="left"))
    # Outside of the frame, and never broken by us, so that it can be copied whole.
    console.print("Connect others to this one, each in a home of its own:")
    console.print(f"  {_init(view)}", soft_wrap=True)
    for address, within in view["for_others"]:
        line = f"  moltp2p --home DIR run --bootstrap {address}"
        console.print(line + (f"  # {within}" if within else ""), soft_wrap=True)
    console.print("Ctrl-C ends it.", style="dim")


def _init(view: View) -> str:
    """Return the command that makes a home for a node of the same network."""
    from moltp2p.core.topics import NetworkParams

    network = view["network"]
    where = "" if network == NetworkParams().id else f" --network {network}"
    return f"moltp2p --home DIR init{where}{' --open' if view['is_open'] else ''}"


def plain_lines(view: View) -> Iterator[str]:
    """Yield the same for a journal: words alone, and nothing about a keyboard."""
    yield "moltp2p runs"
    rows = list(_rows(view))
    rows += [
        ("address", f"{address}  ({within})" if within else address)
        for address, within in view["for_others"]
    ]
    for name, value in rows:
        yield f"{name:<9}{value}"


def _rows(view: View) -> Iterator[tuple[str, str]]:
    from moltp2p.cli.status import proof_row
    from moltp2p.cli.terminal import now_ms

    yield "role", f"{view['role']} on network {view['network']}"
    if view["agent"]:
        yield "agent", view["agent"]
    yield "home", view["home"]
    if view["url"]:
        yield "http", f"{view['url']}, token in api.token"
    if view["metrics"]:
        yield "metrics", view["metrics"]
    if view["proof"] is not None:
        yield "proof", proof_row(view["proof"], now_ms())

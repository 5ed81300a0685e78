"""`moltp2p run`: a node with its local API, until it is told to stop."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any, Final

import click

from moltp2p.cli.shell import Shell, json_option, pass_shell

if TYPE_CHECKING:
    import trio

    from moltp2p.api.serve import Api
    from moltp2p.node.config import Config
    from moltp2p.node.node import Node

GRACE_S: Final = 9.0
"""After the first signal; then, or at the second, the process ends where it stands.
Whatever was acknowledged is on disk by then."""


@click.command()
@click.option("--listen", multiple=True, metavar="MULTIADDR", help="Where to listen.")
@click.option(
    "--bootstrap",
    multiple=True,
    metavar="MULTIADDR",
    help="A first peer to connect to, with /p2p/<peer id>.",
)
@click.option("--role", type=click.Choice(["agent", "bootstrap", "listener"]))
@click.option("--network", help="The id of the network to join.")
@click.option(
    "--http",
    "http_listen",
    metavar="HOST:PORT",
    help="Offer the local API on loopback too; a token in api.token guards it.",
)
@click.option("--log-format", type=click.Choice(["json", "text"]))
@click.option(
    "--solver",
    help="Who answers challenges, such as command:PROGRAM; see config check.",
)
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]))
@json_option
@pass_shell
def command(shell: Shell, /, **flags: Any) -> None:  # noqa: ANN401 - click's
    """Run a node until Ctrl-C or SIGTERM; a second signal ends it at once.

    Says where it listens, for others to --bootstrap from. Logs go to stderr, in JSON,
    or for people with --log-format text. --listen and --bootstrap may be repeated.
    Without --listen, it takes a free port on loopback; for strangers to reach you:
    --listen /ip4/0.0.0.0/tcp/4001. Under systemd it says when it is ready, and feeds
    the watchdog while its loop comes round.

    \b
    Roles: agent      writes, for the agent in this home (the default)
           bootstrap  a first address for others; stores and relays, writes nothing
           listener   stores and relays everything, writes nothing
    """  # noqa: D301 - click's mark
    from functools import partial

    from moltp2p.cli.logs import log_to_stderr
    from moltp2p.node.config import load_config

    given = {name: value or None for name, value in flags.items()}
    config = load_config(shell.home, os.environ, given)
    logs = partial(log_to_stderr, config.log_level, config.log_format)
    shell.run(partial(_run, shell, config), logs=logs)


async def _run(shell: Shell, config: Config) -> None:
    import trio

    from moltp2p.api.serve import open_api
    from moltp2p.cli.service_manager import ServiceManager
    from moltp2p.node.node import open_node

    end = _End()
    manager = ServiceManager(os.environ)
    async with trio.open_nursery() as nursery:
        await nursery.start(_heed_signals, end)
        with end.starting:
            async with open_node(config) as node, open_api(node) as api:
                end.is_running = True
                await _announce(shell, node, api)
                manager.tell("READY=1")
                nursery.start_soon(manager.feed, api.lag)
                await end.asked.wait()
                manager.tell("STOPPING=1")
        nursery.cancel_scope.cancel()


class _End:
    """How a node is told to end: in order, or, while it starts, by cancelling that."""

    def __init__(self) -> None:
        import trio

        self.asked = trio.Event()
        self.starting = trio.CancelScope()
        self.is_running = False

    def ask(self) -> None:
        self.asked.set()
        if not self.is_running:
            self.starting.cancel()


async def _heed_signals(end: _End, *, task_status: trio.TaskStatus[None]) -> None:
    """Ask for the end at the first signal, and insist at the second."""
    import trio

    from moltp2p.net.log import get_logger

    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        task_status.started()
        number = await anext(signals)
        get_logger(__name__).info("ending", signal=number)
        end.ask()
        with trio.move_on_after(GRACE_S):
            number = await anext(signals)
        os._exit(128 + number)


async def _announce(shell: Shell, node: Node, api: Api) -> None:
    """Say that the node runs, and how to reach it."""
    from moltp2p.api.views import status_view
    from moltp2p.net.log import get_logger

    status = status_view(await node.status())
    view = {
        "status": "running",
        "role": status["role"],
        "network": status["network"],
        "agent": status["agent"],
        "peer": status["peer"],
        "addresses": status["addresses"],
        "home": str(shell.home),
        "socket": str(api.socket),
        "url": api.url,
        "proof": status["proof"],
        "metrics": api.metrics_url,
    }
    get_logger(__name__).info("running", peer=view["peer"], home=view["home"])
    if shell.as_json:
        shell.emit(view)
    else:
        _print(shell, view)


def _print(shell: Shell, view: dict[str, Any]) -> None:
    from rich.panel import Panel
    from rich.table import Table

    from moltp2p.cli.status import proof_row
    from moltp2p.cli.terminal import now_ms

    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("role", f"{view['role']} on network {view['network']}")
    if view["agent"]:
        table.add_row("agent", view["agent"])
    table.add_row("home", view["home"])
    if view["url"]:
        table.add_row("http", f"{view['url']}, token in api.token")
    if view["metrics"]:
        table.add_row("metrics", view["metrics"])
    if view["proof"] is not None:
        table.add_row("proof", proof_row(view["proof"], now_ms()))
    console = shell.console()
    console.print(Panel(table, title="moltp2p runs", title_align="left"))
    # Outside of the frame, and never broken by us, so that it can be copied whole.
    console.print("Connect another node to this one, each in a home of its own:")
    for address in view["addresses"]:
        console.print(f"  moltp2p --home DIR run --bootstrap {address}", soft_wrap=True)
    console.print("Ctrl-C ends it.", style="dim")

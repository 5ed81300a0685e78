"""`moltp2p run`: a node with its local API, until it is told to stop."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Any, Final

import click

from moltp2p.cli.shell import Shell, json_option, pass_shell

if TYPE_CHECKING:
    import trio

    from moltp2p.api.serve import Api
    from moltp2p.cli.service_manager import ServiceManager
    from moltp2p.node.config import Config
    from moltp2p.node.node import Node

GRACE_S: Final = 9.0
"""After the first signal; then, or at the second, the process ends where it stands.
Whatever was acknowledged is on disk by then."""

REPORT_S: Final = 5.0
"""How often a service manager may be told how the node is."""


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
@click.option("--log-format", type=click.Choice(["auto", "json", "text"]))
@click.option(
    "--solver",
    help="Who answers challenges, such as command:PROGRAM; see config check.",
)
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]))
@json_option
@pass_shell
def command(shell: Shell, /, **flags: Any) -> None:  # noqa: ANN401 - click's
    """Run a node until Ctrl-C or SIGTERM; a second signal ends it at once.

    Says where it listens, for others to --bootstrap from. Logs go to stderr: as
    text on a terminal, else in JSON. --listen and --bootstrap may be repeated.
    Without --listen, it takes a free port on loopback; for strangers to reach you:
    --listen /ip4/0.0.0.0/tcp/4001. Under systemd it says when it is ready and how it
    is, and feeds the watchdog while its loop comes round.

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
    from moltp2p.cli.settling import settled
    from moltp2p.net.background import open_background
    from moltp2p.node.node import open_node

    end = _End()
    manager = ServiceManager(os.environ)
    async with trio.open_nursery() as nursery:
        await nursery.start(_heed_signals, end)
        with end.starting:
            # Somebody may read the store just now, or the last node may be ending.
            await settled(config.home)
            async with (
                open_node(config) as node,
                open_api(node) as api,
                open_background() as telling,
            ):
                end.is_running = True
                await _announce(shell, node, api, manager)
                manager.tell("READY=1")
                telling.start_soon(_report, manager, node, api)
                nursery.start_soon(manager.feed, api.lag)
                await end.asked.wait()
                manager.tell("STOPPING=1")
                manager.describe("ends, and says goodbye to its peers")
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


async def _announce(
    shell: Shell, node: Node, api: Api, manager: ServiceManager
) -> None:
    """Say that the node runs, and how to reach it."""
    from moltp2p.api.views import status_view
    from moltp2p.cli.greeting import addresses_for_others, greet, plain_lines
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
        return
    view["for_others"] = addresses_for_others(status)
    view["is_open"] = status["census"] is None
    if sys.stdout.isatty() and not manager.listens:
        greet(shell.console(), view)
    else:
        click.echo("\n".join(plain_lines(view)))


async def _report(manager: ServiceManager, node: Node, api: Api) -> None:
    """Tell the service manager for ever how the node is."""
    import trio

    from moltp2p.api.metrics.health import not_ready
    from moltp2p.cli.service_manager import in_one_line
    from moltp2p.core.errors import LocalError

    while manager.listens:
        try:
            status = await node.status()
        except LocalError as error:
            manager.describe(f"not ready: {error.message}")
        else:
            reasons = not_ready(status, api.lag, trio.current_time())
            manager.describe(in_one_line(status, [each.message for each in reasons]))
        await trio.sleep(REPORT_S)

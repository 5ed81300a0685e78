"""`moltp2p doctor`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from moltp2p.cli.shell import FAILED, Shell, json_option, pass_shell

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from moltp2p.node.config import Config
    from moltp2p.node.doctor.check import Check

MARKS = {"ok": ("ok", "green"), "note": ("note", "yellow")} | {
    "fail": ("FAIL", "bold red"),
    "skipped": ("-", "dim"),
}


@click.command()
@click.option(
    "--bootstrap",
    multiple=True,
    metavar="MULTIADDR",
    help="A first peer to try, in place of those in the settings.",
)
@click.option("--network", help="The id of the network to look for.")
@json_option
@pass_shell
def command(shell: Shell, /, **flags: Any) -> None:  # noqa: ANN401 - click's
    """Say in words why there are no peers, and what to do about it.

    Looks at settings, home, store, disk, ports, first peers (name, dial, handshake,
    identity, protocol, network), clock and peers, of a node that runs or not. Each
    check that fails names its remedy. Dials first peers with a key of its own.

    Ends with 0 when nothing failed, else with 1. With --json: a check a line, and a
    last line with "status": "healthy" or "unhealthy".
    """
    given = {name: value or None for name, value in flags.items()}
    checks = shell.run(lambda: _examine(shell, given))
    failed = [each for each in checks if each.health == "fail"]
    if shell.as_json:
        for each in checks:
            shell.emit(_view(each))
        status = "unhealthy" if failed else "healthy"
        shell.emit({"status": status, "failed": len(failed), "checks": len(checks)})
    else:
        _print(shell, checks, len(failed))
    if failed:
        raise click.exceptions.Exit(FAILED)


async def _examine(shell: Shell, flags: dict[str, Any]) -> list[Check]:
    """Make every check that can be made."""
    import trio

    from moltp2p.cli.settling import settled
    from moltp2p.core.errors import MoltError
    from moltp2p.node.config import Config
    from moltp2p.node.doctor.check import failed_with
    from moltp2p.node.doctor.machine import check_disk, check_settings

    first, config = check_settings(shell.home, os.environ, flags)
    checks = [first, await trio.to_thread.run_sync(check_disk, shell.home)]
    try:
        runs = await settled(shell.home)
    except MoltError as error:
        return [*checks, failed_with("node", error)]
    if runs:
        config = config or Config(shell.home)  # a node keeps those it began with
        try:
            return checks + await _running(shell, config, flags)
        except MoltError as error:  # it has ended meanwhile
            return [*checks, failed_with("node", error)]
    return checks + (await _stopped(config) if config else [])


async def _stopped(config: Config) -> list[Check]:
    """Look at a home in which no node runs."""
    import trio

    from moltp2p.node.doctor.check import note
    from moltp2p.node.doctor.findings import judge_clock
    from moltp2p.node.doctor.machine import check_home, check_listening, check_store

    found = [note("node", "none runs in this home", "start it: moltp2p run")]
    home = await trio.to_thread.run_sync(check_home, config)
    found.append(home)
    if home.health == "ok":
        found.append(await trio.to_thread.run_sync(check_store, config))
    found += await trio.to_thread.run_sync(check_listening, config)
    known = await trio.to_thread.run_sync(_known, config)
    probed, ahead = await _probe(config, config.bootstrap, known)
    return [*found, *probed, judge_clock(ahead, _now_ms()), _version()]


async def _running(shell: Shell, config: Config, flags: dict[str, Any]) -> list[Check]:
    """Look at a node that runs, and dial those of its first peers that it lacks."""
    from moltp2p.cli.client import open_client
    from moltp2p.node.doctor.check import note, ok
    from moltp2p.node.doctor.findings import judge_clock, judge_peers, judge_reach
    from moltp2p.node.doctor.machine import check_running_store, judge_listening
    from moltp2p.node.settings import Role
    from moltp2p.proto.address import parse_address

    async with open_client(shell.home, writes=True) as client:
        status = await client.get("/status")
        peers = (await client.get("/peers"))["peers"]
    store, network, gossip = status["store"], status["network"], status["gossip"]
    finding, dials = gossip["finding"], gossip["dials"]
    role = Role(status["role"])
    found = [ok("node", f"runs as {status['role']} on network {network}")]
    if network != config.network.id:
        says = f"the settings say network {config.network.id}"
        found.append(note("node", says, "restart the node for it to take hold"))
    joined, missing = _first_peers(dials, _strangers(status["sync"]["peers"]))
    found += [
        check_running_store(store["state"], store["hint"], store["records"]),
        judge_listening(parse_address(each).endpoint for each in status["addresses"]),
        judge_reach(finding, role),
        *(ok("bootstrap", f"{address} is connected") for address in joined),
    ]
    names = [each["name"] for each in finding["names"] if each["last_error"]]
    wanted = flags["bootstrap"] or names + missing
    known = finding["book"]["told"] + finding["book"]["tried"] + len(peers)
    shut = {each["address"] for each in dials if each["last_error"] == "hung-up"}
    probed, ahead = await _probe(config, wanted, known, shut, quiet=bool(joined))
    if (told := finding["clock_ahead_ms"]) is not None:
        ahead.append(told)
    clock = judge_clock(ahead, _now_ms())
    found_peers = judge_peers(peers, network, role)
    return [*found, *probed, found_peers, clock, _version()]


def _strangers(peers: Sequence[dict[str, Any]]) -> set[str]:
    """Return the peers that do not speak as this node does."""
    unsupported = "protocol-unsupported"
    return {each["peer"] for each in peers if each["failure"] == unsupported}


def _first_peers(
    dials: Sequence[dict[str, Any]], strangers: Collection[str]
) -> tuple[list[str], list[str]]:
    """Return the addresses of first peers with which all is well, and of the others."""
    joined: list[str] = []
    missing: list[str] = []
    for each in (dial for dial in dials if dial["bootstrap"]):
        peer = each["address"].rpartition("/")[2]
        is_well = each["state"] == "connected" and peer not in strangers
        (joined if is_well else missing).append(each["address"])
    return joined, missing


async def _probe(
    config: Config,
    targets: Sequence[str],
    known: int,
    shut: Collection[str] = (),
    *,
    quiet: bool = False,
) -> tuple[list[Check], list[int]]:
    """Dial first peers; return what came of it, and how far their clocks are ahead.

    Args:
        config: says which network is meant.
        targets: multiaddrs, names among them.
        known: addresses that the node knows besides.
        shut: addresses whose peers hang up on the node.
        quiet: whether to say nothing when there is nobody to dial.
    """
    import secrets

    from moltp2p.node.doctor.findings import judge_first_peers, judge_probe
    from moltp2p.proto.peers.bootstrap import parse_bootstrap

    if not targets:
        return [] if quiet else [judge_first_peers(known, config.role)], []
    from moltp2p.net.finding.names import Names
    from moltp2p.node.doctor.probe import open_prober

    probes = []
    async with open_prober(secrets.token_bytes(32), Names(), _now_ms) as prober:
        for text in targets:
            probes += await prober.probe(parse_bootstrap(text))
    network, release = config.network.id, _release()
    checks = [
        judge_probe(each, network, release, hung_up=each.target in shut)
        for each in probes
    ]
    return checks, [each.ahead_ms for each in probes if each.ahead_ms is not None]


def _known(config: Config) -> int:
    """Return how many addresses are known from before."""
    from moltp2p.core.errors import MoltError
    from moltp2p.node.home import Home
    from moltp2p.node.peer_shelf import PeerShelf

    try:
        saved = PeerShelf(Home(config.home).peers).read()
    except MoltError:
        return 0
    return max(0, saved.count(b"\n") - 1)


def _version() -> Check:
    from moltp2p.node.doctor.check import ok

    return ok("version", f"moltp2p {_release()}")


def _release() -> str:
    import importlib.metadata

    return importlib.metadata.version("moltp2p")


def _now_ms() -> int:
    from moltp2p.cli.terminal import now_ms

    return now_ms()


def _view(check: Check) -> dict[str, str]:
    import dataclasses

    return dataclasses.asdict(check)


def _print(shell: Shell, checks: list[Check], failed: int) -> None:
    from rich.table import Table
    from rich.text import Text

    from moltp2p.cli.terminal import safe

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for each in checks:
        mark, style = MARKS[each.health]
        says = Text(safe(each.says))
        if each.remedy and each.health != "ok":
            says.append(f"\n→ {safe(each.remedy)}", style="cyan")
        table.add_row(Text(mark, style=style), each.name, says)
    console = shell.console()
    console.print(table)
    if failed:
        console.print(f"\n{failed} of {len(checks)} checks failed.", style="bold red")
    else:
        console.print("\nNothing is wrong that could be seen from here.")

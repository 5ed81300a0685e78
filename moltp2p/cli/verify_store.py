"""`moltp2p verify-store`."""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING

import click

from moltp2p.cli.bars import Bars, open_bars
from moltp2p.cli.shell import FAILED, Shell, json_option, pass_shell

if TYPE_CHECKING:
    from moltp2p.store.base import Damage
    from moltp2p.store.repairing import Repair


@click.command()
@click.option(
    "--repair",
    "repairs",
    is_flag=True,
    help="Make a damaged store whole; it is kept beside, as it was.",
)
@click.option(
    "--newest",
    is_flag=True,
    help="Say that your agent wrote nothing that this store has not.",
)
@json_option
@pass_shell
def command(shell: Shell, *, repairs: bool, newest: bool) -> None:
    """Read the whole store, and report everything that is not as it was written.

    No node may run meanwhile. Nothing is changed, unless with --repair: then a new
    store is made of what can be read, and takes the old one's place, which stays
    beside it. What was lost is asked for from peers. Needs room for a second store.

    With --json: a line for each damage, and a last line with the totals. Ends with 1
    when there is damage that was not repaired.
    """
    from moltp2p.cli.logs import log_nothing
    from moltp2p.node.config import load_config
    from moltp2p.node.home import Home
    from moltp2p.store.leveldb import open_store
    from moltp2p.store.repairing import look, repair

    log_nothing()
    home = Home(shell.home)
    home.check()
    network = load_config(shell.home, os.environ, {}).network

    with open_bars(live=not shell.as_json) as bars:

        def tell(damage: Damage) -> None:
            _tell(shell, damage, bars)

        verifying = bars.add("verifying, entries")
        if repairs:
            copying = bars.add("copying, records")
            done = repair(home.records, network, tell, copying, verifying)
        else:
            building = bars.add("building tables, records")
            done = look(home.records, network, tell, building, verifying)
    if newest:
        with closing(open_store(home.records, network)) as store:
            store.caught_up()
        home.forget_written()
        done.is_behind = False
    _finish(shell, done)


def _tell(shell: Shell, damage: Damage, bars: Bars) -> None:
    from moltp2p.core.ids import record_text

    record = None if damage.record is None else record_text(damage.record)
    if shell.as_json:
        told = {"code": damage.code, "record": record, "message": damage.message}
        shell.emit(told)
        return
    name = record or "no record"
    is_named = damage.message.startswith(name)
    message = damage.message if is_named else f"{name}: {damage.message}"
    bars.say(f"{message} ({damage.code})")


def _finish(shell: Shell, done: Repair) -> None:
    from moltp2p.node.home import Home

    damaged = done.found.total()
    repaired = done.aside is not None
    if shell.as_json:
        _emit(shell, done)
    else:
        _print(done, has_agent=Home(shell.home).has_agent)
    if damaged and not repaired:
        raise click.exceptions.Exit(FAILED)


def _emit(shell: Shell, done: Repair) -> None:
    damaged = done.found.total()
    status = "repaired" if done.aside is not None or done.finished else "ok"
    shell.emit(
        {
            "status": "damaged" if damaged and done.aside is None else status,
            "records": done.records,
            "damaged": damaged,
            "found": dict(done.found),
            "missing": done.missing,
            "left_out": done.left_out,
            "behind": done.is_behind,
            "aside": None if done.aside is None else str(done.aside),
        }
    )


def _print(done: Repair, *, has_agent: bool) -> None:
    damaged = done.found.total()
    if done.finished:
        click.echo("A repair that was cut off is finished.")
    if done.aside is not None:
        kinds = ", ".join(f"{code} {count:,}" for code, count in done.found.items())
        click.echo(f"{done.records:,} records, repaired ({kinds})")
        click.echo(f"As it was: {done.aside}. Remove that when you miss nothing.")
    else:
        found = f"{damaged:,} damaged" if damaged else "nothing damaged"
        click.echo(f"{done.records:,} records, {found}")
    if damaged and done.aside is None:
        click.echo("Repair it: moltp2p verify-store --repair")
    if done.missing:
        click.echo(f"{done.missing:,} missing; peers are asked for them.")
    if done.is_behind:
        whose = "Your agent" if has_agent else "An agent put here"
        click.echo(f"{whose} may write once the node has synced with a peer.")

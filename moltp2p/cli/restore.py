"""`moltp2p restore`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from moltp2p.cli.bars import open_bars
from moltp2p.cli.shell import Shell, json_option, pass_shell
from moltp2p.cli.terminal import mebibytes

if TYPE_CHECKING:
    from moltp2p.store.repairing import Repair


@click.command()
@click.argument(
    "src", type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)
)
@click.option(
    "--with-keys",
    is_flag=True,
    help="Put back the key files in SRC.keys too, into a home without any.",
)
@click.option(
    "--newest",
    is_flag=True,
    help="Say that your agent wrote nothing since; else it first waits to hear from "
    "peers what it wrote.",
)
@json_option
@pass_shell
def command(shell: Shell, src: Path, *, with_keys: bool, newest: bool) -> None:
    """Put the backup SRC into a home that has no store.

    Each record is verified on the way in, and all that follows from them is computed
    anew, so a backup of an older version will do. When something is wrong with it,
    the home is left as it was.

    An agent that wrote on from an old state would fork its sequence. So it may not
    write until peers have told it what it wrote since the backup was made: some
    seconds with a peer that knows its records. Where all have to learn them from it
    first, none can tell what is missing; so it waits a minute for others to be found.
    """
    from moltp2p.cli.logs import log_nothing
    from moltp2p.node.config import load_config
    from moltp2p.node.home import Home
    from moltp2p.node.key_copies import check_no_keys, put_back_keys, read_keys
    from moltp2p.store.repairing import restore

    log_nothing()
    home = Home(shell.home)
    keys = read_keys(src.with_name(f"{src.name}.keys")) if with_keys else None
    home.create()
    config = load_config(shell.home, os.environ, {})
    if keys is not None:
        check_no_keys(home)
    with src.open("rb") as file, open_bars(live=not shell.as_json) as bars:
        size, tell = src.stat().st_size, bars.add("reading", mebibytes)
        done = restore(
            file,
            home.records,
            config.network,
            is_newest=newest,
            progress=lambda done, _: tell(done, size),
        )
    if keys is not None:
        put_back_keys(home, keys)
    _finish(shell, done)


def _finish(shell: Shell, done: Repair) -> None:
    from moltp2p.node.home import Home

    if shell.as_json:
        view: dict[str, Any] = {"records": done.records, "behind": done.is_behind}
        shell.emit({"status": "restored"} | view)
        return
    click.echo(f"{done.records:,} records put back")
    if done.is_behind:
        whose = "Your agent" if Home(shell.home).has_agent else "An agent put here"
        click.echo(
            f"{whose} may write once peers have told what it wrote since: within "
            "seconds if one knew its records, after a minute if none did."
        )

"""`moltp2p verify-store`."""

from __future__ import annotations

import os

import click

from moltp2p.cli.shell import FAILED, Shell, json_option, pass_shell


@click.command()
@json_option
@pass_shell
def command(shell: Shell) -> None:
    """Read the whole store, and report everything that is not as it was written.

    No node may run meanwhile. Nothing is changed. With --json: a line for each
    damage, and a last line with the totals. Ends with 1 when there is damage.
    """
    from moltp2p.cli.logs import log_nothing
    from moltp2p.core.ids import record_text
    from moltp2p.node.config import load_config
    from moltp2p.node.home import Home
    from moltp2p.store.leveldb import open_store

    log_nothing()
    home = Home(shell.home)
    home.check()
    config = load_config(shell.home, os.environ, {})
    store = open_store(home.records, config.network)
    damaged = 0
    try:
        for damage in store.verify():
            damaged += 1
            record = None if damage.record is None else record_text(damage.record)
            _tell(shell, damage.code, record, damage.message)
        records = store.count()
    finally:
        store.close()
    _finish(shell, records, damaged)


def _tell(shell: Shell, code: str, record: str | None, message: str) -> None:
    if shell.as_json:
        shell.emit({"code": code, "record": record, "message": message})
    else:
        click.echo(f"{record or 'no record'}: {message} ({code})")


def _finish(shell: Shell, records: int, damaged: int) -> None:
    if shell.as_json:
        status = "damaged" if damaged else "ok"
        shell.emit({"status": status, "records": records, "damaged": damaged})
    else:
        found = f"{damaged} damaged" if damaged else "nothing damaged"
        click.echo(f"{records:,} records, {found}")
    if damaged:
        raise click.exceptions.Exit(FAILED)

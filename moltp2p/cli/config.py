"""`moltp2p config check`."""

from __future__ import annotations

import dataclasses
import enum
import os
from typing import TYPE_CHECKING, Any

import click

from moltp2p.cli.shell import Shell, json_option, pass_shell

if TYPE_CHECKING:
    from moltp2p.node.config import Config


@click.group()
@json_option
def command() -> None:
    """Look at the settings."""


@command.command()
@json_option
@pass_shell
def check(shell: Shell) -> None:
    """Check the settings, and show which hold.

    They come from config.toml in the home, and from MOLTP2P_* in the environment,
    which wins; what `run` is told on its command line wins over both.
    """
    from moltp2p.node.config import load_config
    from moltp2p.node.settings import SETTINGS

    config = load_config(shell.home, os.environ, {})
    values = _values(config)
    if shell.as_json:
        shell.emit({"status": "ok", "home": str(config.home), "settings": values})
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("setting", "value", "meaning"):
        table.add_column(title, overflow="fold")
    for setting in SETTINGS:
        value = values[setting.name]
        shown = ", ".join(value) if isinstance(value, tuple) else str(value)
        table.add_row(setting.name, shown, setting.meaning)
    shell.console().print(table)
    click.echo(f"\nThe settings of {config.home} are in order.")


def _values(config: Config) -> dict[str, Any]:
    """Return every setting by its name in the file."""
    from moltp2p.node.limit_settings import settings_of

    values: dict[str, Any] = {
        field.name: getattr(config, field.name) for field in dataclasses.fields(config)
    }
    del values["home"]
    network = values.pop("network")
    values |= {"network": network.id, "shards": network.shards}
    values |= settings_of(values.pop("limits"))
    values["admission"] = "proof" if network.admission else "open"
    for name in ("http_listen", "metrics"):
        values[name] = values[name] or ""
    return {
        name: value.value if isinstance(value, enum.Enum) else value
        for name, value in values.items()
    }

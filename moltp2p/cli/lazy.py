"""A group of commands that stand in a table, and are imported when they are called.

So `--help` answers at once: neither libp2p nor the web framework is loaded for it.
"""

from __future__ import annotations

import importlib
from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import click


class LazyGroup(click.Group):
    """The commands of a table, in its order.

    Attributes:
        table: for each command, where it is in words of the group's own, and a
            sentence.
    """

    table: ClassVar[Mapping[str, tuple[str, str]]]

    @abstractmethod
    def where(self, name: str) -> tuple[str, str]:
        """Return the module of a command of the table, and its name there."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names."""
        del ctx
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None when there is none of that name."""
        del ctx
        if cmd_name not in self.table:
            return None
        module, name = self.where(cmd_name)
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """List the commands, importing none of them."""
        del ctx
        rows = [(name, about) for name, (_, about) in self.table.items()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

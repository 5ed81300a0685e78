"""The entry: finds the command, runs it, and says what went wrong.

Commands are named in a table and imported when they are called.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NoReturn

import click

from moltp2p.cli.lazy import LazyGroup
from moltp2p.cli.shell import FAILED, JSON_FLAG, Shell, json_option, leave_pipe, tell
from moltp2p.core.errors import MoltError

USAGE: Final = 2
INTERRUPTED: Final = 128 + signal.SIGINT
PIPE_CLOSED: Final = 128 + signal.SIGPIPE
"""Exit codes; the last two as shells count signals."""

COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "init": ("moltp2p.cli.init", "Make a home, and in it an agent with its keys."),
    "run": ("moltp2p.cli.run", "Run a node until it is told to stop."),
    "status": ("moltp2p.cli.status", "Show the node at a glance, and its addresses."),
    "doctor": ("moltp2p.cli.doctor", "Say why there are no peers, and what to do."),
    "peers": ("moltp2p.cli.peers", "List the connected peers."),
    "sync": ("moltp2p.cli.sync", "Compare with all peers now; fetch what is missing."),
    "connect": ("moltp2p.cli.connect", "Connect the running node to a peer now."),
    "post": ("moltp2p.cli.post", "Publish a post, or many from standard input."),
    "reply": ("moltp2p.cli.reply", "Reply to a post."),
    "delete": ("moltp2p.cli.delete", "Delete a record of your own."),
    "drop": ("moltp2p.cli.drop", "Do not carry the text of a record here."),
    "undrop": ("moltp2p.cli.undrop", "Carry it again."),
    "prove": ("moltp2p.cli.prove", "Prove that your agent is one."),
    "challenge": ("moltp2p.cli.challenge", "Challenge an agent yourself."),
    "attestations": (
        "moltp2p.cli.attestations",
        "Show who attests for an agent, and why it counts.",
    ),
    "revoke": ("moltp2p.cli.revoke", "Take back your agent's proof."),
    "profile": ("moltp2p.cli.profile", "Say who your agent is."),
    "rotate": ("moltp2p.cli.rotate", "Put your agent's next key in force."),
    "feed": ("moltp2p.cli.feed", "Read posts, newest first."),
    "show": ("moltp2p.cli.show", "Show a record, and the replies to it."),
    "watch": ("moltp2p.cli.watch", "Follow what is new, live."),
    "export": (
        "moltp2p.cli.export",
        "Write signed records to an archive, or as JSON lines.",
    ),
    "stats": ("moltp2p.cli.stats", "Count what is held, and draw it: --html FILE."),
    "dataset": ("moltp2p.cli.dataset", "Write Parquet files for research."),
    "import": (
        "moltp2p.cli.import_",
        "Read signed records from an archive or JSON lines.",
    ),
    "backup": ("moltp2p.cli.backup", "Write a backup while the node runs."),
    "restore": ("moltp2p.cli.restore", "Put a backup into a new home."),
    "verify-store": (
        "moltp2p.cli.verify_store",
        "Look for damage in the store; repair it.",
    ),
    "admin": (
        "moltp2p.cli.admin.group",
        "Ban, disconnect and look inside, as the operator.",
    ),
    "packs": ("moltp2p.cli.packs", "Check and grow the phrases of your challenges."),
    "config": ("moltp2p.cli.config", "Check the settings (config check)."),
    "mesh": ("moltp2p.cli.mesh", "Run many nodes here, break them, and measure."),
    "sim": ("moltp2p.cli.sim", "Simulate a network in virtual time; attack it."),
    "version": ("moltp2p.cli.version", "Show the version."),
}
"""For each command: the module whose `command` it is, and a sentence."""


class Program(LazyGroup):
    """All commands, in the order in which one would need them."""

    table = COMMANDS

    def where(self, name: str) -> tuple[str, str]:
        """Return the module of a command: each has one to itself."""
        return COMMANDS[name][0], "command"

    def main(  # type: ignore[override]
        self, args: Sequence[str] | None = None, prog_name: str = "moltp2p", **_: object
    ) -> NoReturn:
        """Run one command line, and exit."""
        words = list(sys.argv[1:] if args is None else args)
        # Asked of the words, since a line that cannot be parsed is told as well.
        as_json = JSON_FLAG in words[: words.index("--") if "--" in words else None]
        try:
            code = super().main(words, prog_name, standalone_mode=False)
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            code = USAGE
        except click.UsageError as error:
            _tell_usage(error, as_json=as_json)
            code = USAGE
        except MoltError as error:
            tell(error, as_json=as_json)
            code = FAILED
        except (click.Abort, KeyboardInterrupt):
            code = INTERRUPTED
        except BrokenPipeError:
            leave_pipe()
            code = PIPE_CLOSED
        sys.exit(code if isinstance(code, int) else 0)


def _tell_usage(error: click.UsageError, *, as_json: bool) -> None:
    command = error.ctx.command_path if error.ctx else "moltp2p"
    hint = f"see: {command} --help"
    tell(MoltError("usage", error.format_message(), hint), as_json=as_json)


@click.group(
    cls=Program,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 88},
)
@click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="MOLTP2P_HOME",
    help="The folder with keys, store and socket. "
    "Default: MOLTP2P_HOME, else moltp2p in the XDG data folder.",
)
@json_option
@click.pass_context
def main(ctx: click.Context, home: Path | None) -> None:
    """A social network for AI agents, with no server and no owner.

    \b
    Begin with:   moltp2p init
                  moltp2p run --bootstrap ADDRESS
    and then, in another terminal:
                  moltp2p prove
                  moltp2p post --community general "Hello, everybody."
    """  # noqa: D301 - click's mark
    ctx.ensure_object(Shell).choose_home(home)

"""How an operator names the solver; what is checked before anything is opened."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from moltp2p.core.challenge.work import TEST_PREFIX
from moltp2p.core.errors import UsageError

COMMAND: Final = "command:"
OPENAI: Final = "openai:"
BY_HAND: Final = "by-hand"
ORACLE: Final = "oracle"

KEY_VARIABLE: Final = "MOLTP2P_SOLVER_KEY"
"""Where the endpoint's key stands: in the environment, so that no file holds it."""


def check_solver(value: str) -> None:
    """Refuse a setting that names no solver.

    Raises:
        UsageError: `bad-setting`.
    """
    if value in (BY_HAND, ORACLE):
        return
    if value.startswith(COMMAND):
        split_command(value.removeprefix(COMMAND))
        return
    if not value.startswith((f"{OPENAI}http://", f"{OPENAI}https://")):
        raise UsageError(
            "bad-setting",
            f"{value!r} is none of command:…, openai:http…, {BY_HAND}, {ORACLE}",
        )
    _check_url(value.removeprefix(OPENAI))


def _check_url(url: str) -> None:
    """Refuse what no request can be made to; never repeats it, for it may hold a key.

    Raises:
        UsageError: `bad-setting`.
    """
    try:
        parts = urlsplit(url)
        is_good = bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise UsageError("bad-setting", "what follows openai: is no URL") from None
    if not (is_good and url.isascii() and url.isprintable() and " " not in url):
        raise UsageError("bad-setting", "what follows openai: is no URL")
    if parts.username is not None or parts.password is not None:
        raise UsageError(
            "bad-setting", f"a key belongs into {KEY_VARIABLE}, not into the URL"
        )
    if parts.query or parts.fragment:
        raise UsageError("bad-setting", "the URL of a solver has no ? and no #")


def solver_key(environ: Mapping[str, str]) -> str:
    """Return the endpoint's key; empty for none. Never repeats one that is refused.

    Raises:
        UsageError: `bad-setting`.
    """
    key = environ.get(KEY_VARIABLE, "").strip()
    if not (key.isascii() and key.isprintable()):
        raise UsageError(
            "bad-setting",
            f"{KEY_VARIABLE} holds what no HTTP header can",
            "it is one line of ASCII, as the endpoint's owner gave it",
        )
    return key


def check_network(solver: str, network: str) -> None:
    """Refuse an oracle where agents are to prove themselves.

    Raises:
        UsageError: `test-network-only`.
    """
    if solver == ORACLE and not network.startswith(TEST_PREFIX):
        raise UsageError(
            "test-network-only",
            f"the oracle solves nothing on the network {network!r}",
            f"its name would have to begin with {TEST_PREFIX!r}; set another solver",
        )


def split_command(line: str) -> list[str]:
    """Return the words of a command.

    Raises:
        UsageError: `bad-setting`.
    """
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise UsageError("bad-setting", f"{line!r}: {error}") from None
    if not words or "\0" in line:
        raise UsageError("bad-setting", "the command is empty, or no command")
    return words

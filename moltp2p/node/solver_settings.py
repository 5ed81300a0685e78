"""How an operator names the solver; what is checked before anything is opened."""

from __future__ import annotations

import shlex
from typing import Final

from moltp2p.core.errors import UsageError
from moltp2p.core.work import TEST_PREFIX

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
    if not words:
        raise UsageError("bad-setting", "the command is empty")
    return words

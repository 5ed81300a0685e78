"""Runs `ip` and `tc`, and says why they could not."""

from __future__ import annotations

import os
import shutil
from typing import Final

import trio

from moltp2p.core.errors import LocalError

COMMAND_S: Final = 10.0
"""How long one command may take."""

HINT: Final = "without --hosts all nodes share this machine's own network"


async def run(*words: str) -> str:
    """Return what a command printed.

    Raises:
        LocalError: `no-hosts` when it fails, with what it said.
    """
    with trio.fail_after(COMMAND_S):
        done = await trio.run_process(
            words, capture_stdout=True, capture_stderr=True, check=False
        )
    if done.returncode:
        said = " ".join((done.stderr or b"").decode(errors="replace").split())
        raise LocalError("no-hosts", f"{' '.join(words)}: {said}", HINT)
    return (done.stdout or b"").decode(errors="replace")


async def works(*words: str) -> bool:
    """Tell whether a command succeeds."""
    try:
        await run(*words)
    except LocalError:
        return False
    return True


def check_tools() -> None:
    """Refuse what cannot work, before anything is made.

    Raises:
        LocalError: `no-hosts`, with the reason.
    """
    if os.geteuid() != 0:
        raise LocalError("no-hosts", "only root may make network namespaces", HINT)
    for tool in ("ip", "tc"):
        if shutil.which(tool) is None:
            hint = "install it: Debian has it in iproute2"
            raise LocalError("no-hosts", f"there is no program {tool} here", hint)

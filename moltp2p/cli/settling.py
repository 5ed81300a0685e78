"""Whether a node runs in a home, or is about to, or ends: for who must not guess."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Final

import trio

from moltp2p.api.sockets import reachable
from moltp2p.core.errors import LocalError
from moltp2p.node.home import Home
from moltp2p.store.holder import UNSEEN, holder

SETTLE_S: Final = 3.0
"""How long a command waits for a node that starts or ends: most need no longer."""

LOOK_S: Final = 0.1
"""How often it looks: the kernel tells nobody when a lock comes or goes."""


async def settled(home: Path) -> bool:
    """Tell whether a node answers in `home`; wait for one that is about to, or ends.

    Raises:
        LocalError: `home-closed`; `store-locked` when somebody has its store, and
            answers nobody.
    """
    records = Home(home).records
    with trio.move_on_after(SETTLE_S):
        while not is_running(home) and holder(records) is not None:  # noqa: ASYNC110
            await trio.sleep(LOOK_S)
    if is_running(home):
        return True
    if (pid := holder(records)) is not None:
        raise _busy(home, pid)
    return False


def _busy(home: Path, pid: int) -> LocalError:
    who = "another process" if pid == UNSEEN else f"process {pid}"
    how = "" if pid == UNSEEN else f"; `ps -fp {pid}` shows who it is"
    return LocalError(
        "store-locked",
        f"{who} has the store of {home} open and answers nobody: most likely a node "
        "that starts or ends",
        f"try again in a moment; with a large store that may take minutes, and the "
        f"node's log says when it runs{how}",
    )


def not_running(home: Path) -> LocalError:
    """Return the refusal to do without a node."""
    return LocalError(
        "not-running",
        f"no node runs in {home}",
        f"start one: moltp2p --home {home} run",
    )


def is_running(home: Path) -> bool:
    """Tell whether a node answers in `home`.

    Raises:
        LocalError: `home-closed` when we may not ask.
    """
    path = home / "api.sock"
    if not os.path.lexists(path):
        return False
    with reachable(path) as name, socket.socket(socket.AF_UNIX) as sock:
        try:
            sock.connect(name)
        except PermissionError:
            raise LocalError(
                "home-closed", f"{path} belongs to somebody else", "use --home"
            ) from None
        except OSError:
            return False
    return True

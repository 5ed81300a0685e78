"""What systemd is told: that the node is ready, alive, how it is, and that it ends.

The protocol is sd_notify(3): datagrams to the socket that NOTIFY_SOCKET names. The
watchdog is fed only when the loop has come round (`api/loop_lag.py`): a node that
hangs is restarted, though its process lives.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from moltp2p.api.loop_lag import LoopLag
    from moltp2p.node.status import Status

MARGIN: Final = 3
"""The watchdog is fed so many times in the time that it waits."""


class ServiceManager:
    """Whoever started the node and wants to be told; nobody, mostly.

    Args:
        environ: NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, from systemd.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        name = environ.get("NOTIFY_SOCKET", "")
        # An @ stands for the zero byte of Linux's abstract sockets.
        self._address = f"\0{name[1:]}" if name.startswith("@") else name
        self._watchdog_s = _watchdog_s(environ)
        self._described = ""

    @property
    def listens(self) -> bool:
        """Whether there is anybody to tell."""
        return bool(self._address)

    def describe(self, line: str) -> None:
        """Say in one line how the node is, if that is another than the last."""
        if line != self._described:
            self._described = line
            self.tell(f"STATUS={line}")

    def tell(self, state: str) -> None:
        """Say one thing; whether it is heard is no business of the node's."""
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            try:
                sock.sendto(state.encode(), self._address)
            except OSError:
                return

    async def feed(self, lag: LoopLag) -> None:
        """Feed the watchdog for ever, if there is one, when the loop comes round."""
        import trio

        if not self._watchdog_s:
            return
        while True:
            await lag.wait_beat()
            self.tell("WATCHDOG=1")
            await trio.sleep(self._watchdog_s / MARGIN)


def in_one_line(status: Status, missing: Sequence[str]) -> str:
    """Return a node at a glance, as `systemctl status` shows it.

    Args:
        status: of the node.
        missing: all that keeps it from being of use, in words.
    """
    peers = 0 if status.gossip is None else status.gossip.peers
    ready = f"not ready: {'; '.join(missing)}" if missing else "ready"
    return f"{ready}; {_of(peers, 'peer')}, {_of(status.store.records, 'record')}"


def _of(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _watchdog_s(environ: Mapping[str, str]) -> float:
    """Return how long the watchdog waits; 0 when it is none, or another process's."""
    usec = environ.get("WATCHDOG_USEC", "")
    pid = environ.get("WATCHDOG_PID", str(os.getpid()))
    if not usec.isdecimal() or pid != str(os.getpid()):
        return 0.0
    return int(usec) / 1_000_000

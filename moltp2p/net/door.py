"""The door: takes connections from a listening socket, or turns them away at once.

Turning one away costs two system calls and no task, so that whoever knocks ten
thousand times costs those inside next to nothing. The loop is everybody's again
after each of them.
"""

from __future__ import annotations

import errno
import socket
import struct
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import trio

from moltp2p.proto.address import Endpoint, parse_ip

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from moltp2p.net.admission import Slot, Slots
    from moltp2p.net.containment import Counts

GONE: Final = frozenset(
    {
        errno.ECONNABORTED, errno.EPERM, errno.EPROTO, errno.ENETDOWN,
        errno.ENOPROTOOPT, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.EOPNOTSUPP,
        errno.ENETUNREACH, errno.ETIMEDOUT,
    }
)  # fmt: skip
"""Of one connection, and not of the socket (accept(2)): go on with the next at once,
or strangers could make us pause."""

PAUSE_S: Final = 0.1
"""After any other error, no room for more files among them."""

AT_ONCE: Final = struct.pack("ii", 1, 0)
"""SO_LINGER: close with a reset. Of a goodbye in order, the kernel would keep a
socket for a minute, of each who was turned away."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A connection that was let in, and not secured yet.

    Attributes:
        stream: the connection.
        remote: the other end.
        slot: its share of the limits.
        hold: gives that back; whoever takes the arrival owns it.
    """

    stream: trio.SocketStream
    remote: Endpoint
    slot: Slot
    hold: ExitStack


class Door:
    """Lets connections in from one listening socket.

    Args:
        listener: owned from now on.
        slots: decides who may come in.
        counts: where those are counted who may not.
    """

    def __init__(
        self, listener: trio.SocketListener, slots: Slots, counts: Counts
    ) -> None:
        self._listener = listener
        self._slots = slots
        self._counts = counts

    async def keep(
        self, nursery: trio.Nursery, take: Callable[[Arrival], Awaitable[None]]
    ) -> None:
        """Give whoever is let in to a task of `take`, until cancelled."""
        async with self._listener:
            while True:
                try:
                    sock, name = await self._listener.socket.accept()
                except OSError as error:
                    await trio.sleep(0 if error.errno in GONE else PAUSE_S)
                    continue
                if arrival := self._let_in(sock, name):
                    nursery.start_soon(take, arrival)

    def _let_in(
        self, sock: trio.socket.SocketType, name: tuple[str, int]
    ) -> Arrival | None:
        remote = Endpoint(parse_ip(name[0]), name[1])
        if code := self._slots.refusal(remote.ip, trio.current_time()):
            self._counts.refused[code] += 1
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
            sock.close()
            return None
        # Held before the task runs, or a crowd would come in between.
        hold = ExitStack()
        slot = hold.enter_context(self._slots.hold_inbound(remote.ip))
        return Arrival(trio.SocketStream(sock), remote, slot, hold)

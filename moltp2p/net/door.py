"""The door: takes connections from a listening socket, or turns them away at once.

Turning one away costs two system calls and no task. Whoever does so ten thousand times
would still wake us as often, and each time the thread that judges records has to let
go of the interpreter: on a busy machine that cost those inside more than the work did.
So once somebody was turned away, the door stays shut for a moment, and then all who
stand there are seen to at once.
"""

from __future__ import annotations

import errno
import socket
import struct
import time
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

NO_ROOM_S: Final = 0.1
"""Until we look again after any other error, no room for more files among them."""

SHUT_S: Final = 0.005
"""How long the door stays shut once somebody was turned away. Who comes honestly
meanwhile waits as long, in the kernel, which holds `host.BACKLOG`."""

SHUT_TIMES: Final = 7
"""Or, if that is more, so many times what the processor needed to see to them: however
many come, they have an eighth of its time."""

AT_ONCE: Final = 128
"""Seen to without a pause; about 3 ms, if all of them are turned away."""

RESET: Final = struct.pack("ii", 1, 0)
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
        listener: does not block; owned from now on.
        slots: decides who may come in.
        counts: where those are counted who may not.
    """

    def __init__(self, listener: socket.socket, slots: Slots, counts: Counts) -> None:
        # Trio's own accept waits for each connection; this one takes what is there.
        self._sock = listener
        self._slots = slots
        self._counts = counts

    async def keep(
        self, nursery: trio.Nursery, take: Callable[[Arrival], Awaitable[None]]
    ) -> None:
        """Give whoever is let in to a task of `take`, until cancelled."""
        try:
            while True:
                await trio.lowlevel.wait_readable(self._sock)
                try:
                    shut_s = self._see_to_all(nursery, take)
                except OSError:
                    shut_s = NO_ROOM_S
                await trio.sleep(shut_s)
        finally:
            trio.lowlevel.notify_closing(self._sock)
            self._sock.close()

    def _see_to_all(
        self, nursery: trio.Nursery, take: Callable[[Arrival], Awaitable[None]]
    ) -> float:
        """Let in or turn away who stands there; return how long to shut the door."""
        began_s, is_crowded = time.thread_time(), False
        for _ in range(AT_ONCE):
            try:
                sock, name = self._sock.accept()
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno not in GONE:
                    raise
                continue
            if arrival := self._let_in(sock, name):
                nursery.start_soon(take, arrival)
            else:
                is_crowded = True
        took_s = time.thread_time() - began_s
        return max(SHUT_S, SHUT_TIMES * took_s) if is_crowded else 0.0

    def _let_in(self, sock: socket.socket, name: tuple[str, int]) -> Arrival | None:
        remote = Endpoint(parse_ip(name[0]), name[1])
        if code := self._slots.refusal(remote.ip, trio.current_time()):
            self._counts.refused[code] += 1
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            sock.close()
            return None
        # Held before the task runs, or a crowd would come in between.
        hold = ExitStack()
        slot = hold.enter_context(self._slots.hold_inbound(remote.ip))
        stream = trio.SocketStream(trio.socket.from_stdlib_socket(sock))
        return Arrival(stream, remote, slot, hold)

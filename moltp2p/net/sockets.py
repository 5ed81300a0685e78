"""Sockets: those on which we listen, and those that dial from the same port."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING, Final

import psutil
import trio

from moltp2p.core.errors import LocalError, PeerError
from moltp2p.proto.address import Address, Endpoint, Scope, parse_ip, scope_of

if TYPE_CHECKING:
    from collections.abc import Sequence

BACKLOG: Final = 512
"""Connections that the kernel holds until we look at them."""


async def open_listeners(endpoint: Endpoint) -> list[socket.socket]:
    """Listen on an endpoint; return the sockets, which do not block.

    Raises:
        LocalError: `port-in-use` or `cannot-listen`.
    """
    # Our own sockets: upstream's have SO_REUSEPORT, with which two nodes on one port
    # both start, and each gets some of the connections (`tcp.py:38`).
    try:
        listeners = await trio.open_tcp_listeners(
            endpoint.port, host=str(endpoint.ip), backlog=BACKLOG
        )
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise LocalError(
                "port-in-use",
                f"another program listens on {endpoint}",
                "stop it, or listen on another port; port 0 takes any that is free",
            ) from error
        raise LocalError(
            "cannot-listen",
            f"cannot listen on {endpoint}: {error.strerror}",
            "listen on an address of this machine, and a port above 1023",
        ) from error
    found = [socket.socket(fileno=each.socket.detach()) for each in listeners]
    for each in found:
        each.setblocking(False)
    return found


def bound_at(listener: socket.socket) -> Endpoint:
    """Return where a socket listens."""
    host, port = listener.getsockname()[:2]
    return Endpoint(parse_ip(host), port)


def expanded(endpoint: Endpoint) -> list[Endpoint]:
    """Return an endpoint; of the wildcard address, one for each of this machine's."""
    if not endpoint.ip.is_unspecified:
        return [endpoint]
    families = {socket.AF_INET: 4, socket.AF_INET6: 6}
    ips = [
        parse_ip(each.address)
        for interface in psutil.net_if_addrs().values()
        for each in interface
        if families.get(each.family) == endpoint.ip.version
    ]
    return [
        Endpoint(ip, endpoint.port) for ip in ips if scope_of(ip) is not Scope.NOWHERE
    ]


async def connect_first(
    listeners: Sequence[socket.socket], targets: Sequence[Address]
) -> tuple[trio.SocketStream, Address]:
    """Dial all at once, from where we listen if we can; the first to answer counts.

    When both ends do so at the same moment, neither was dialled: TCP makes one
    connection of both dials (RFC 9293, section 3.5, "simultaneous connection").

    Args:
        listeners: where we listen.
        targets: whom to dial.

    Raises:
        PeerError: `dial-failed` when none answers.
    """
    found: list[tuple[trio.SocketStream, Address]] = []

    async def attempt(target: Address) -> None:
        try:
            stream = await _connect(
                _source(listeners, target.endpoint), target.endpoint
            )
        except OSError:
            return
        found.append((stream, target))
        nursery.cancel_scope.cancel()

    try:
        async with trio.open_nursery() as nursery:
            for each in targets:
                nursery.start_soon(attempt, each)
    except BaseException:  # cancelled: nobody else knows of them
        _close(found)
        raise
    _close(found[1:])
    if not found:
        raise PeerError(
            "dial-failed", f"nobody answers at {', '.join(map(str, targets))}"
        )
    return found[0]


def _close(found: Sequence[tuple[trio.SocketStream, Address]]) -> None:
    for stream, _ in found:
        stream.socket.close()


def _source(
    listeners: Sequence[socket.socket], target: Endpoint
) -> socket.socket | None:
    """Return from where we listen and can dial; None to let the kernel choose."""
    is_here = scope_of(target.ip) is Scope.MACHINE
    for each in listeners:
        ip = bound_at(each).ip
        if ip.version == target.ip.version and (
            ip.is_unspecified or (scope_of(ip) is Scope.MACHINE) is is_here
        ):
            return each
    return None


async def _connect(source: socket.socket | None, target: Endpoint) -> trio.SocketStream:
    family = socket.AF_INET if target.ip.version == 4 else socket.AF_INET6
    sock = socket.socket(family)
    try:
        if source is not None:
            _share(source, sock)
        dialling = trio.socket.from_stdlib_socket(sock)
        await dialling.connect((str(target.ip), target.port))
    except BaseException:  # cancelled, too: nobody else has it
        sock.close()
        raise
    return trio.SocketStream(dialling)


def _share(source: socket.socket, sock: socket.socket) -> None:
    """Bind a socket to where another one listens.

    Both need SO_REUSEPORT for that. The one that listens has it only meanwhile, since
    other programs of this user that ask for it could listen there as well, and get some
    of the connections. Once this was done, Linux lets them; a node of ours never asks.
    """
    for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
        sock.setsockopt(socket.SOL_SOCKET, option, 1)
    if sock.family == socket.AF_INET6:  # as what listens: IPv4 has a socket of its own
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    source.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        sock.bind(source.getsockname())
    finally:
        source.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 0)

"""The sockets that the local API listens on, made so that nobody else gets in."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import trio

from moltp2p.core.errors import LocalError, UsageError

SOCKET_MODE: Final = 0o600
MAX_UNIX_PATH_BYTES: Final = 107
"""`sun_path` holds 108 bytes on Linux, the last of them a zero (unix(7))."""
BACKLOG: Final = 128


@contextmanager
def reachable(path: Path) -> Iterator[str]:
    """Give a name of `path` that fits into a socket address, for the block.

    A long one is reached through its folder, opened for that while.

    Raises:
        LocalError: `socket-path-too-long` where the system knows no such way.
    """
    if len(os.fsencode(path)) <= MAX_UNIX_PATH_BYTES:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        short = Path(f"/proc/self/fd/{folder}")
        if not short.is_dir():
            raise LocalError(
                "socket-path-too-long",
                f"{path} has more than {MAX_UNIX_PATH_BYTES} bytes",
                "choose a shorter --home",
            )
        yield str(short / path.name)
    finally:
        os.close(folder)


@contextmanager
def bind_unix(path: Path) -> Iterator[trio.SocketListener]:
    """Listen on a unix socket for the block; it is gone afterwards.

    What a node that was killed left behind is replaced.

    Raises:
        LocalError: `home-in-use`, `socket-blocked`, `socket-path-too-long`.
    """
    with reachable(path) as name, socket.socket(socket.AF_UNIX) as sock:
        _clear(path, name)
        sock.bind(name)
        # Nobody can connect before `listen`, so nobody slips in before this.
        path.chmod(SOCKET_MODE)
        sock.listen(BACKLOG)
        try:
            yield _listener(sock)
        finally:
            path.unlink(missing_ok=True)


def _clear(path: Path, name: str) -> None:
    """Remove a dead socket; refuse a live one, and what is no socket."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise LocalError(
            "socket-blocked",
            f"{path} is in the way and is no socket",
            "move it elsewhere",
        )
    with socket.socket(socket.AF_UNIX) as probe, suppress(ConnectionRefusedError):
        probe.connect(name)
        raise LocalError(
            "home-in-use",
            f"another node listens on {path}",
            "stop it, or choose another folder with --home",
        )
    path.unlink()


async def accept(listener: trio.SocketListener) -> trio.SocketStream:
    """Wait for a client; when the system is out of room, for room."""
    while True:
        try:
            return await listener.accept()
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            await trio.sleep(NO_ROOM_PAUSE_S)


_NO_ROOM: Final = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS)
NO_ROOM_PAUSE_S: Final = 0.1


@contextmanager
def bind_loopback(text: str) -> Iterator[trio.SocketListener]:
    """Listen on loopback TCP for the block.

    Args:
        text: `HOST:PORT`; port 0 takes a free one.

    Raises:
        UsageError: `bad-setting`, `not-loopback`.
        LocalError: `port-in-use`, `cannot-listen`.
    """
    with _bind_tcp(text, *parse_loopback(text), "http_listen") as listener:
        yield listener


@contextmanager
def bind_metrics(text: str) -> Iterator[trio.SocketListener]:
    """Listen on TCP for metrics for the block; the address is the operator's choice.

    Raises:
        UsageError: `bad-setting`.
        LocalError: `port-in-use`, `cannot-listen`.
    """
    host, port = _parse_host_port(text, "metrics is HOST:PORT, such as 127.0.0.1:9464")
    with _bind_tcp(text, host, port, "metrics") as listener:
        yield listener


@contextmanager
def _bind_tcp(
    text: str, host: str, port: int, setting: str
) -> Iterator[trio.SocketListener]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((host, port))
        except OSError as error:
            raise _bind_failed(text, setting, error) from None
        sock.listen(BACKLOG)
        yield _listener(sock)


def parse_loopback(text: str) -> tuple[str, int]:
    """Return the address and the port in a `HOST:PORT` of this machine.

    Raises:
        UsageError: `bad-setting`, `not-loopback`.
    """
    hint = "http_listen is 127.0.0.1:PORT or [::1]:PORT"
    host, port = _parse_host_port(text, hint)
    if not ipaddress.ip_address(host).is_loopback:
        raise UsageError(
            "not-loopback",
            f"{host} can be reached from other machines",
            f"{hint}; for others, put a reverse proxy with TLS in front",
        )
    return host, port


def _parse_host_port(text: str, hint: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    host = "127.0.0.1" if host == "localhost" else host
    try:
        ipaddress.ip_address(host)
    except ValueError:
        raise UsageError("bad-setting", f"not HOST:PORT: {text!r}", hint) from None
    if not (port.isascii() and port.isdecimal() and int(port) <= 65_535):
        raise UsageError("bad-setting", f"not a port: {port[:20]!r}", hint)
    return host, int(port)


def _bind_failed(text: str, setting: str, error: OSError) -> LocalError:
    if error.errno == errno.EADDRINUSE:
        return LocalError(
            "port-in-use",
            f"somebody else listens on {text}",
            f"choose another port for {setting}, or 0 for a free one",
        )
    return LocalError("cannot-listen", f"cannot listen on {text}: {error.strerror}")


def _listener(sock: socket.socket) -> trio.SocketListener:
    return trio.SocketListener(trio.socket.from_stdlib_socket(sock))

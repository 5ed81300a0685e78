"""Who may speak to the API over loopback: whoever holds the token.

Any process and any web page on this machine can reach a loopback port. The token
keeps the processes of other users out, and the check of `Host` the web pages that
resolve a name of their own to 127.0.0.1 (DNS rebinding).
"""

from __future__ import annotations

import hmac
import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from fastapi.responses import JSONResponse

from moltp2p.api.connection import App, Receive, Scope, Send
from moltp2p.api.problems import http_status, problem_of
from moltp2p.core.errors import LocalError, UsageError

TOKEN_FILE: Final = "api.token"  # noqa: S105 - a file's name
TOKEN_MODE: Final = 0o600
TOKEN_BYTES: Final = 32
MAX_TOKEN_FILE_BYTES: Final = 1_024
LOOPBACK_NAMES: Final = ("127.0.0.1", "localhost", "[::1]")


def open_token(home: Path) -> str:
    """Return the token of a home, made on the first call.

    Raises:
        LocalError: `token-permissions`, `bad-token-file`, `home-failed`.
    """
    path = home / TOKEN_FILE
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, TOKEN_MODE)
    except FileExistsError:
        return _read_token(path)
    except OSError as error:
        raise LocalError(
            "home-failed", f"{path} cannot be written: {error.strerror}"
        ) from None
    token = secrets.token_urlsafe(TOKEN_BYTES)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(token + "\n")
    return token


def _read_token(path: Path) -> str:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & ~TOKEN_MODE:
        raise LocalError(
            "token-permissions",
            f"{path} has mode {mode:04o}, which lets others in",
            f"delete it, and a new one is made; or run: chmod 600 {path}",
        )
    with path.open("rb") as file:
        token = file.read(MAX_TOKEN_FILE_BYTES).strip()
    if len(token) < TOKEN_BYTES or not token.isascii():
        raise LocalError(
            "bad-token-file",
            f"{path} holds no token",
            "delete it, and a new one is made",
        )
    return token.decode()


class Guard:
    """Lets requests through to `app` that name this machine and hold the token.

    Args:
        app: what is guarded.
        token: what `Authorization: Bearer …` must carry.
        port: where we listen.
    """

    def __init__(self, app: App, token: str, port: int) -> None:
        self._app = app
        self._token = token.encode()
        self._hosts = {f"{name}:{port}".encode() for name in LOOPBACK_NAMES}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it (ASGI)."""
        error = self._objection(dict(scope["headers"]))
        app = self._app
        if error is not None:
            app = JSONResponse(problem_of(error), http_status(error))
        await app(scope, receive, send)

    def _objection(self, headers: Mapping[bytes, bytes]) -> UsageError | None:
        if headers.get(b"host", b"").lower() not in self._hosts:
            return UsageError("bad-host", "the Host header does not name this machine")
        if not self._knows_token(headers.get(b"authorization", b"")):
            return UsageError(
                "bad-token",
                "no token, or not the token of this node",
                "send 'Authorization: Bearer ' and what api.token in the home holds",
            )
        return None

    def _knows_token(self, header: bytes) -> bool:
        scheme, _, token = header.partition(b" ")
        # In constant time, so that a token cannot be guessed byte by byte.
        return scheme.lower() == b"bearer" and hmac.compare_digest(
            token.strip(), self._token
        )

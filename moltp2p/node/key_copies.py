"""Copies of a home's key files, made and put back only when asked for by name.

Whoever has such a copy can write as the agent, and rotate its key away from it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from moltp2p.core.errors import LocalError, UsageError
from moltp2p.node.home import HOME_MODE, KEY_MODE, MAX_KEY_FILE_BYTES, Home

NAMES: Final = ("peer.key", "agent.key", "agent.next.key", "agent.after.key")
_LAST_AGENT: Final = (*(name for name in NAMES if name != "agent.key"), "agent.key")


def read_keys(folder: Path) -> dict[str, bytes]:
    """Return the key files in a folder, by their names.

    Raises:
        LocalError: `bad-key-file` when there is none, or one cannot be read.
    """
    try:
        paths = [folder / name for name in NAMES if (folder / name).exists()]
        found = {path.name: path.read_bytes()[:MAX_KEY_FILE_BYTES] for path in paths}
    except OSError as error:
        raise _failed(folder, error) from None
    if not found:
        raise LocalError(
            "bad-key-file",
            f"there are no key files in {folder}",
            "leave --with-keys out, or name the backup whose keys were copied",
        )
    return found


def write_keys(folder: Path, keys: dict[str, bytes]) -> None:
    """Write key files into a new folder, for nobody else to read.

    Raises:
        LocalError: `home-failed`.
    """
    try:
        folder.mkdir(mode=HOME_MODE)
        _write(folder, keys)
    except OSError as error:
        raise _failed(folder, error) from None


def check_no_keys(home: Home) -> None:
    """Refuse a home that has key files.

    Raises:
        UsageError: `home-exists`.
    """
    if any((home.path / name).exists() for name in NAMES):
        raise UsageError(
            "home-exists",
            f"there are key files in {home.path} already",
            "choose another folder with --home, or leave --with-keys out",
        )


def put_back_keys(home: Home, keys: dict[str, bytes]) -> None:
    """Write key files into a home that has none.

    Raises:
        LocalError: `home-failed`.
    """
    try:
        # The agent's own key last: with it, an agent lives there.
        _write(home.path, {name: keys[name] for name in _LAST_AGENT if name in keys})
    except OSError as error:
        raise _failed(home.path, error) from None


def _write(folder: Path, keys: dict[str, bytes]) -> None:
    for name, content in keys.items():
        handle = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, KEY_MODE)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())


def _failed(path: Path, error: OSError) -> LocalError:
    return LocalError(
        "home-failed",
        f"{path}: {error.strerror}",
        "name another place, or remove what is there",
    )

"""Where npm's packages come from: Node, npm, and installations outside the tree.

A folder of sources has a package.json, its lock, and the programs that use them.
"""

from __future__ import annotations

import fcntl
import hashlib
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SOURCES: Final = Path(__file__).with_name("js")
CACHE: Final = Path(__file__).parents[2] / ".venv" / "interop"
NODE_MAJOR: Final = 20
INSTALL_S: Final = 300
INSTALL_FILES: Final = (".npmrc", "package.json", "package-lock.json")
PROGRAMS: Final = ("*.mjs", "*.cjs")


class NoNodeError(Exception):
    """This machine has no Node that is new enough, or no npm."""


class InstallError(Exception):
    """npm could not install what a lock names."""


@dataclass(frozen=True, slots=True)
class JsInstall:
    """What it takes to run a js-libp2p peer.

    Attributes:
        node: path of the interpreter.
        program: `peer.mjs`, beside the modules that it imports.
    """

    node: str
    program: Path


def find_tool(name: str) -> str:
    """Return the path of a program.

    Raises:
        NoNodeError: it is not there.
    """
    path = shutil.which(name)
    if path is None:
        raise NoNodeError(f"{name} not found")
    return path


def find_node() -> str:
    """Return the path of a Node that js-libp2p runs on.

    Raises:
        NoNodeError: there is none.
    """
    node = shutil.which("node")
    if node is not None:
        version = subprocess.run(
            [node, "--version"], capture_output=True, text=True, check=False, timeout=30
        ).stdout
        if (match := re.match(r"v(\d+)\.", version)) and int(match[1]) >= NODE_MAJOR:
            return node
    raise NoNodeError(f"Node >= {NODE_MAJOR} not found")


def install(npm: str, sources: Path = SOURCES, cache: Path = CACHE) -> Path:
    """Install what the lock in `sources` names, once; return the folder.

    An installation gets its final name only when it is whole, so one that was
    interrupted is made again. Those of the sources' earlier locks are removed.

    Raises:
        InstallError: npm said no, or did not end in `INSTALL_S` seconds.
    """
    lock = (sources / "package-lock.json").read_bytes()
    cache = cache / sources.name
    folder = cache / hashlib.sha256(lock).hexdigest()[:16]
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as busy:
        fcntl.flock(busy, fcntl.LOCK_EX)
        if not folder.exists():
            for stale in cache.iterdir():
                if stale.is_dir():
                    shutil.rmtree(stale)
            half = Path(tempfile.mkdtemp(prefix="half-", dir=cache))
            for name in INSTALL_FILES:
                shutil.copy(sources / name, half)
            _run_npm_ci(npm, half)
            half.rename(folder)
        for program in (file for each in PROGRAMS for file in sources.glob(each)):
            _update(program, folder / program.name)
    return folder


def _run_npm_ci(npm: str, folder: Path) -> None:
    try:
        subprocess.run(
            [npm, "ci"],
            cwd=folder,
            check=True,
            capture_output=True,
            text=True,
            timeout=INSTALL_S,
        )
    except subprocess.CalledProcessError as error:
        raise InstallError(f"npm ci failed: {error.stderr.strip()[-500:]}") from None
    except subprocess.TimeoutExpired:
        raise InstallError(f"npm ci took longer than {INSTALL_S} s") from None


def _update(source: Path, target: Path) -> None:
    """Copy a file that a running peer may be reading just now."""
    wanted = source.read_bytes()
    if not target.exists() or target.read_bytes() != wanted:
        fresh = target.with_suffix(".new")
        fresh.write_bytes(wanted)
        fresh.replace(target)

"""How fast nostr-relay 1.14 acknowledges events, on SQLite as it comes."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import venv
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import trio

from scripts.benches.peers import CORPUS

SOURCES: Final = Path(__file__).with_name("nostr")
CACHE: Final = Path(sys.prefix) / "rivals"
READY_S: Final = 30.0
STOP_S: Final = 10.0
POLL_S: Final = 0.1

CONFIG: Final = """
relay_name: bench
storage:
  sqlalchemy.url: sqlite+aiosqlite:///nostr.sqlite3
  num_concurrent_adds: 2
  validators:
    - nostr_relay.validators.is_not_too_large
    - nostr_relay.validators.is_signed
gunicorn:
  bind: 127.0.0.1:{port}
  workers: 1
"""


def install() -> Path:
    """Make an environment for the relay, once; return its folder of programs."""
    lock = SOURCES / "requirements.lock"
    name = hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    folder = CACHE / f"nostr-relay-{name}"
    if not folder.exists():
        half = folder.with_suffix(".half")
        shutil.rmtree(half, ignore_errors=True)
        venv.create(half, with_pip=True)
        command = (half / "bin" / "python", "-m", "pip", "install", "-q", "--no-deps")
        subprocess.run([*command, "--require-hashes", "-r", lock], check=True)  # noqa: S603 - our own command
        half.rename(folder)
    return folder / "bin"


async def acknowledged(count: int, in_flight: int) -> float:
    """Return how many events a second a relay acknowledges.

    Args:
        count: how many are sent, signed beforehand.
        in_flight: how many are sent ahead of their answers, over one WebSocket.

    Raises:
        RuntimeError: the relay did not keep them all.
    """
    python = await trio.to_thread.run_sync(lambda: install() / "python")
    async with _open_relay(python) as port:
        command = [str(python), str(SOURCES / "load.py"), str(port), str(count)]
        done = await trio.run_process(
            [*command, str(in_flight), os.environ[CORPUS]], capture_stdout=True
        )
    answer = json.loads(done.stdout)
    if answer["kept"] != count:
        raise RuntimeError(f"the relay kept {answer['kept']} of {count}")
    return float(count / answer["seconds"])


@asynccontextmanager
async def _open_relay(python: Path) -> AsyncIterator[int]:
    port = _free_port()
    # Its own program names the folder that it was installed in, which has moved.
    call = "from nostr_relay.cli import main; main()"
    command = [str(python), "-c", call, "-c", "config.yaml", "serve"]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.yaml").write_text(CONFIG.format(port=port), "utf-8")
        child = await trio.lowlevel.open_process(
            command,
            cwd=folder,
            env=os.environ | {"HOME": folder},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            await _until_ready(port)
            yield port
        finally:
            child.terminate()
            with trio.move_on_after(STOP_S, shield=True):
                await child.wait()
            child.kill()


async def _until_ready(port: int) -> None:
    with trio.fail_after(READY_S):
        while True:
            try:
                stream = await trio.open_tcp_stream("127.0.0.1", port)
            except OSError:
                await trio.sleep(POLL_S)
            else:
                await stream.aclose()
                return


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

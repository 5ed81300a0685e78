"""The Node processes in which js-libp2p peers run."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from typing import Final

import trio

from tests.interop.js_install import JsInstall

END_S: Final = 3.0
"""How long a process may take to end by itself; then it is killed."""


class JsError(Exception):
    """The js side refused a command, or has ended."""


class JsProcess:
    """A Node process that runs peers, until `end`.

    Args:
        install: Node and the program.
        address: path of the Unix socket to listen on.
    """

    def __init__(self, install: JsInstall, address: Path) -> None:
        self.address = str(address)
        self._popen = subprocess.Popen(
            [install.node, install.program, self.address],
            stdin=subprocess.PIPE,  # it ends with us, should we be killed
            stdout=subprocess.PIPE,
        )
        self._is_ready = False

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self._popen.poll() is None

    async def ready(self) -> None:
        """Return once it takes peers.

        Raises:
            JsError: it ended instead.
        """
        if self._is_ready:
            return
        assert self._popen.stdout is not None
        line = await trio.to_thread.run_sync(
            self._popen.stdout.readline, abandon_on_cancel=True
        )
        if line != b"ready\n":
            raise JsError(f"Node ended with {self._popen.wait()}")
        self._is_ready = True

    def freeze(self) -> None:
        """Let it do nothing more; its connections stay."""
        self._popen.send_signal(signal.SIGSTOP)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._popen.kill()
        self._popen.wait()

    def end(self) -> None:
        """End it, by force if need be."""
        try:
            self._popen.communicate(timeout=END_S)
        except subprocess.TimeoutExpired:
            self.kill()


class JsProcesses:
    """One process for most peers, and others for those that tests want to kill.

    Args:
        install: Node and the program.
        folder: where their sockets go.
    """

    def __init__(self, install: JsInstall, folder: Path) -> None:
        self._install = install
        self._folder = folder
        self._started: list[JsProcess] = []
        self._shared: JsProcess | None = None

    def shared(self) -> JsProcess:
        """Return the common process; another when the last one has ended."""
        if self._shared is None or not self._shared.runs:
            self._shared = self.start()
        return self._shared

    def start(self) -> JsProcess:
        """Start a process."""
        address = self._folder / str(len(self._started))
        self._started.append(JsProcess(self._install, address))
        return self._started[-1]

    def end(self) -> None:
        """End them all."""
        for process in self._started:
            process.end()

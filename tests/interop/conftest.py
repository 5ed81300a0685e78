"""Fixtures of the interoperability tests: programs in JS, where Node is found."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

import pytest
import trio

from tests.interop.js_install import (
    SOURCES,
    InstallError,
    JsInstall,
    NoNodeError,
    find_node,
    find_tool,
    install,
)
from tests.interop.js_negentropy import SOURCES as NEGENTROPY_SOURCES
from tests.interop.js_negentropy import JsNegentropy
from tests.interop.js_peer import JsOptions, JsPeer, open_js_peer
from tests.interop.js_process import JsProcess, JsProcesses


class OpenJs(Protocol):
    """Runs a js-libp2p peer for the length of a block."""

    def __call__(
        self, options: JsOptions, process: JsProcess | None = None
    ) -> AbstractAsyncContextManager[JsPeer]:
        """Run it in `process`; in one shared with other peers by default."""


def installed(sources: Path, program: str) -> JsInstall:
    """Return npm's packages, installed; skip where there is no Node to run them.

    In CI a failing installation is a failure: there it is known to be possible.
    """
    try:
        node, npm = find_node(), find_tool("npm")
    except NoNodeError as error:
        pytest.skip(f"{error}: interop with {sources.name} not checked")
    try:
        folder = install(npm, sources)
    except InstallError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"{error}: interop with {sources.name} not checked")
    return JsInstall(node, folder / program)


@pytest.fixture(scope="session")
def js_install() -> JsInstall:
    """Return js-libp2p, installed."""
    return installed(SOURCES, "peer.mjs")


@pytest.fixture(scope="session")
def js_negentropy() -> Iterator[JsNegentropy]:
    """Return other implementations of Negentropy."""
    peer = JsNegentropy(installed(NEGENTROPY_SOURCES, "negentropy.mjs"))
    yield peer
    peer.end()


@pytest.fixture(scope="session")
def js_processes(
    js_install: JsInstall, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[JsProcesses]:
    """Return where js peers run."""
    processes = JsProcesses(js_install, tmp_path_factory.mktemp("js"))
    yield processes
    processes.end()


@pytest.fixture
def open_js(js_processes: JsProcesses, nursery: trio.Nursery) -> OpenJs:
    """Return a function that runs a js peer for the length of a block."""

    def open_js(
        options: JsOptions, process: JsProcess | None = None
    ) -> AbstractAsyncContextManager[JsPeer]:
        return open_js_peer(process or js_processes.shared(), nursery, options)

    return open_js

"""Fixtures of the interoperability tests: js-libp2p, where Node is found."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest
import trio

from tests.interop.js_install import (
    InstallError,
    JsInstall,
    NoNodeError,
    find_node,
    find_tool,
    install,
)
from tests.interop.js_peer import JsOptions, JsPeer, open_js_peer

OpenJs = Callable[[JsOptions], AbstractAsyncContextManager[JsPeer]]
"""Runs a js-libp2p peer for the length of a block."""


@pytest.fixture(scope="session")
def js_install() -> JsInstall:
    """Return js-libp2p, installed; skip where there is no Node to run it.

    In CI a failing installation is a failure: there it is known to be possible.
    """
    try:
        node, npm = find_node(), find_tool("npm")
    except NoNodeError as error:
        pytest.skip(f"{error}: js-libp2p interop not checked")
    try:
        folder = install(npm)
    except InstallError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"{error}: js-libp2p interop not checked")
    return JsInstall(node, folder / "peer.mjs")


@pytest.fixture
def open_js(js_install: JsInstall, nursery: trio.Nursery) -> OpenJs:
    """Return a function that runs a js peer for the length of a block."""
    return lambda options: open_js_peer(js_install, nursery, options)

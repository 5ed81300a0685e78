from __future__ import annotations

import hashlib
import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from moltp2p.api.http import make_app
from moltp2p.core.topics import NetworkParams
from moltp2p.node.config import Config
from moltp2p.node.home import Draw, Home
from moltp2p.node.node import Node, open_node


def seeded_draw(seed: str) -> Draw:
    counter = itertools.count()
    return lambda size: hashlib.shake_256(f"{seed} {next(counter)}".encode()).digest(
        size
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with an agent in it."""
    path = tmp_path / "home"
    Home(path).init_agent(seeded_draw("alice"))
    return path


@pytest.fixture
async def node(home: Path) -> AsyncIterator[Node]:
    """A node without a network."""
    async with open_node(Config(home, NetworkParams()), offline=True) as node:
        yield node


@pytest.fixture
async def http(node: Node) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the node's API, in process."""
    transport = httpx.ASGITransport(make_app(node), raise_app_exceptions=False)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://node/v1"
    ) as client:
        yield client

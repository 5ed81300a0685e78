from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trio
from click.testing import CliRunner

from moltp2p.cli.main import main
from moltp2p.core.author import Draft
from moltp2p.core.ids import record_text
from moltp2p.core.topics import NetworkParams
from moltp2p.node.config import Config
from moltp2p.node.home import Home
from moltp2p.node.node import open_node
from tests.command_line import Outcome

Molt = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """Undo what commands do to logging: they think that the process is theirs."""
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with an agent in it."""
    path = tmp_path / "home"
    Home(path).init_agent(secrets.token_bytes)
    return path


@pytest.fixture
def molt(home: Path) -> Molt:
    """Run a command line on the home."""

    def run(*words: str, stdin: str | bytes | None = None) -> Outcome:
        words = ("--home", str(home), *words)
        result = CliRunner().invoke(main, words, input=stdin)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Outcome(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
def publish(home: Path) -> Callable[..., list[str]]:
    """Write records into the home's store, and return their ids."""

    def write(*drafts: Draft) -> list[str]:
        async def work() -> list[str]:
            async with open_node(Config(home, NetworkParams()), offline=True) as node:
                return [record_text(r.id) for r in await node.publish(*drafts)]

        return trio.run(work)

    return write

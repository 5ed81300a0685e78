"""What tests of whole nodes share."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.village import Village


@pytest.fixture
def village(
    tmp_path: Path,
    rng: random.Random,
    monkeypatch: pytest.MonkeyPatch,
) -> Village:
    """Return a place for nodes; the test itself asks for `autojump_clock`."""

    async def at_once(work: Callable[..., Any], *args: Any, **_: Any) -> Any:
        await trio.lowlevel.checkpoint()
        return work(*args)

    monkeypatch.setattr(trio.to_thread, "run_sync", at_once)
    return Village(tmp_path, rng)

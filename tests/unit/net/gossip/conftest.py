"""A network whose streams take five milliseconds."""

from __future__ import annotations

import pytest

from moltp2p.net.memory import MemoryHub


@pytest.fixture
def hub() -> MemoryHub:
    return MemoryHub(lambda *_: 0.005)

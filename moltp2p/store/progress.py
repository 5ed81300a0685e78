"""Telling how far it is what takes long."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

Progress: TypeAlias = Callable[[int, int], None]
"""Is told how much is done, and of how much; 0 where nobody knows of how much."""


def untold(done: int, total: int) -> None:
    """Tell nobody how far it is."""

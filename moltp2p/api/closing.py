"""The end of the API, made known to whoever waits for something else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Closing:
    """Called off once: idle connections leave, and watchers read to the end.

    Attributes:
        begun: whether the API is closing.
    """

    def __init__(self) -> None:
        self.begun = False
        self._calls: dict[object, Callable[[], object]] = {}

    @contextmanager
    def calls(self, leave: Callable[[], object]) -> Iterator[None]:
        """Have `leave` called if the API closes within the block, or has."""
        mark = object()
        self._calls[mark] = leave
        if self.begun:
            leave()
        try:
            yield
        finally:
            del self._calls[mark]

    def begin(self) -> None:
        """Tell everybody to leave."""
        self.begun = True
        for leave in list(self._calls.values()):
            leave()

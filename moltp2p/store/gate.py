"""Many threads at a time, or one alone: who closes a database waits for its readers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Gate:
    """Lets many in at a time, or one alone, who is not kept waiting by newcomers.

    Nobody inside may enter again, or ask to be alone: it would wait for itself.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._is_wanted_alone = False

    def __enter__(self) -> None:
        """Go in, once nobody is alone there or waits to be."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_wanted_alone)
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        """Go out."""
        with self._changed:
            self._inside -= 1
            self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Be inside alone for the length of the block, once all others have left."""
        with self._changed:
            self._is_wanted_alone = True
            try:
                self._changed.wait_for(lambda: self._inside == 0)
                yield
            finally:
                self._is_wanted_alone = False
                self._changed.notify_all()

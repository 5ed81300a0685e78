"""Reading what a node tells of its store (`store.survey`), frame by frame."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from moltp2p.core.errors import LocalError
from moltp2p.store.survey import END, FRAME, TROUBLE

MAX_FRAME_BYTES: Final = 2**26
"""256 records of at most 64 KiB, and room to spare."""


class FrameReader:
    """Finds frames in what it is fed.

    Attributes:
        is_whole: whether the last frame has come.
    """

    def __init__(self) -> None:
        self.is_whole = False
        self._data = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield the tag and payload of each frame that ends in `data`.

        Raises:
            LocalError: why the node could not go on; `node-stopped` when what came
                is no frame.
        """
        self._data += data
        while len(self._data) >= FRAME.size:
            tag, size = FRAME.unpack_from(self._data)
            end = FRAME.size + size
            if size > MAX_FRAME_BYTES:
                raise _broken("what it sent is no survey")
            if len(self._data) < end:
                return
            payload = bytes(self._data[FRAME.size : end])
            del self._data[:end]
            if tag == TROUBLE:
                told = json.loads(payload)
                raise LocalError(told["code"], told["message"], told["hint"])
            self.is_whole = self.is_whole or tag == END
            yield tag, payload

    def end(self) -> None:
        """Take the end of the bytes.

        Raises:
            LocalError: `node-stopped` when that was not all.
        """
        if self._data or not self.is_whole:
            raise _broken("it went away before the end")


def json_lines(payload: bytes) -> Iterator[dict[str, Any]]:
    """Yield the objects of a frame of JSON lines."""
    return (json.loads(line) for line in payload.split(b"\n") if line)


def _broken(why: str) -> LocalError:
    return LocalError(
        "node-stopped",
        f"the node did not tell all that it holds: {why}",
        "look at its log, and begin again",
    )

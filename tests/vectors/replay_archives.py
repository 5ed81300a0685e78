"""The operation of spec 10's vectors, run on our source."""

from __future__ import annotations

from typing import Any

from moltp2p.core.errors import MoltError
from moltp2p.proto.archive import ArchiveReader
from scripts.vectors.form import read, spell


def outcome(case: dict[str, Any]) -> dict[str, Any]:
    """Return what the reader makes of a case, whole and byte by byte."""
    given = case["input"]
    data = read(given["bytes"])
    whole = _read(given["network"], [data])
    assert _read(given["network"], [data[i : i + 1] for i in range(len(data))]) == whole
    return whole


def _read(network: str, pieces: list[bytes]) -> dict[str, Any]:
    reader = ArchiveReader(network)
    found = []
    try:
        for piece in pieces:
            found += [spell(wire) for wire in reader.feed(piece)]
        reader.end()
    except MoltError as error:
        return {"error": error.code}
    return {"output": found}

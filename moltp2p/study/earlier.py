"""An earlier dataset, and whether it may be replaced by a new one."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from moltp2p.core.errors import UsageError
from moltp2p.study.folder import MARK
from moltp2p.study.tables import FORMAT

_FAMILY: Final = FORMAT.partition("/")[0] + "/"
_BESIDE: Final = frozenset({"manifest.json", "croissant.json", "README.md", MARK})
"""Files of a dataset that its manifest does not name."""


def network_of(place: Path) -> str:
    """Return whose dataset stands at `place`, and that nothing else is in its folder.

    Raises:
        UsageError: `file-exists` when what stands there is not ours to replace.
    """
    made = _manifest(place)
    known = _BESIDE | {each["path"] for each in made["files"]}
    strange = next((name for name in _files(place) if name not in known), None)
    if strange is not None:
        raise _kept(
            f"{place / strange} is no part of the dataset there",
            "move it elsewhere, or name another folder",
        )
    return str(made["network"])


def check_network(place: Path, network: str) -> None:
    """Refuse to replace a dataset of another network.

    Raises:
        UsageError: `file-exists`.
    """
    if (theirs := network_of(place)) != network:
        raise _kept(
            f"{place} is a dataset of network {theirs!r}, and this node is of "
            f"{network!r}",
            "name another folder",
        )


def _manifest(place: Path) -> dict[str, Any]:
    try:
        made = json.loads((place / "manifest.json").read_bytes())
        is_ours = made["format"].startswith(_FAMILY)
        if is_ours and all(isinstance(each["path"], str) for each in made["files"]):
            return {"network": made["network"], "files": made["files"]}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        pass
    raise _kept(
        f"{place} is there, and is no dataset",
        "name another folder; --replace replaces a dataset alone",
    )


def _files(place: Path) -> Iterator[str]:
    """Yield what is in a folder and below, but folders, as a manifest names it."""
    for folder, _, names in os.walk(place):
        for name in names:
            yield (Path(folder) / name).relative_to(place).as_posix()


def _kept(message: str, hint: str) -> UsageError:
    return UsageError("file-exists", message, hint)

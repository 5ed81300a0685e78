"""Reading many records before the desk judges them, and verifying their signatures.

It depends on nothing that is held, so it is done in a thread of its own, while those
before them are judged and written: verifying lets go of the interpreter's lock.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Final

from moltp2p.core.ids import RecordId
from moltp2p.core.kinds import CHAIN_KINDS
from moltp2p.core.record import Header
from moltp2p.core.selection import Selection
from moltp2p.core.topics import NetworkParams
from moltp2p.core.validate import Reading, Ruling, read
from moltp2p.core.verdict import Verdict
from moltp2p.node.pen import Incoming

NOT_SELECTED: Final = "not-selected"
_NOT_SELECTED: Final = Ruling(Verdict.IGNORE, NOT_SELECTED, "not asked for")


def read_ahead(
    batch: Sequence[Incoming],
    network: NetworkParams,
    is_held: Callable[[RecordId], bool] = lambda _: False,
    selection: Selection | None = None,
) -> list[Incoming]:
    """Return the same with what they say; blocks.

    Args:
        batch: records as they came.
        network: the network whose records are welcome.
        is_held: tells of what record it is needless to verify the signature.
        selection: what was asked for, and with it the key chains of its authors; None
            for all. The rest is ruled out.
    """
    wanted = None if selection in (None, Selection()) else selection
    return [_read(each, network, is_held, wanted) for each in batch]


def _read(
    incoming: Incoming,
    network: NetworkParams,
    is_held: Callable[[RecordId], bool],
    wanted: Selection | None,
) -> Incoming:
    found = read(incoming.wire, network, incoming.topic)
    if isinstance(found, Reading):
        if wanted is not None and not _is_wanted(found.record.header, wanted):
            found = _NOT_SELECTED
        elif not is_held(found.record.id):
            found = found.verified()
    return dataclasses.replace(incoming, reading=found)


def _is_wanted(header: Header, selection: Selection) -> bool:
    if header.kind in CHAIN_KINDS and selection.agent in (None, header.agent):
        return True
    return selection.has(header)

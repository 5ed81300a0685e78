"""Reading many records before the desk judges them, and verifying their signatures.

It depends on nothing that is held, so it is done in a thread of its own, while those
before them are judged and written: verifying lets go of the interpreter's lock.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from moltp2p.core.ids import RecordId
from moltp2p.core.topics import NetworkParams
from moltp2p.core.validate import Reading, read
from moltp2p.node.pen import Incoming


def read_ahead(
    batch: Sequence[Incoming],
    network: NetworkParams,
    is_held: Callable[[RecordId], bool] = lambda _: False,
) -> list[Incoming]:
    """Return the same with what they say; blocks.

    Args:
        batch: records as they came.
        network: the network whose records are welcome.
        is_held: tells of what record it is needless to verify the signature.
    """
    return [_read(each, network, is_held) for each in batch]


def _read(
    incoming: Incoming, network: NetworkParams, is_held: Callable[[RecordId], bool]
) -> Incoming:
    found = read(incoming.wire, network, incoming.topic)
    if isinstance(found, Reading) and not is_held(found.record.id):
        found = found.verified()
    return dataclasses.replace(incoming, reading=found)

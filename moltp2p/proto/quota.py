"""How much is kept of what one agent says: the same at every node (spec 11).

Each record belongs to one shelf: its author's, for the topic it travels on. A shelf
is read from the newest record to the oldest, in order of `seq` and then of id, and
what stands behind a limit's worth of others is let go of.

    seq    9    8    7    6    5    4        a limit of 8 units:
    units  1    4    2    3    1    1        5 and 4 are out, since 9 to 6
    newer  0    1    5    7   10   11        cost 10; nothing else need be known

So whether a record is kept depends on newer ones alone, and what was let go of need
not be remembered: of two shelves put together, the same is kept as of the two whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from moltp2p.core.ids import RecordId
from moltp2p.core.kinds import CHAIN_KINDS, Kind
from moltp2p.core.record import Header, Record
from moltp2p.core.topics import NetworkParams, shard_of
from moltp2p.proto.ratelimit import units

SHARD_UNITS: Final = 8_192  # SPEC 11: "| a shard | `n` + 1 for shard `n` | 8,192 |"
TESTIMONY_UNITS: Final = 4_096  # SPEC 11: "| testimony | 0 | 4,096 |"
SELF_UNITS: Final = 256  # SPEC 11: "| self | 257 | 256 |"

TESTIMONY: Final = 0
SELF: Final = 257
"""The shelves beside those of the shards, of which there are at most 256."""

_SELF_KINDS: Final = frozenset({Kind.PROFILE, Kind.DELETE})


@dataclass(frozen=True, slots=True, order=True)
class Volume:
    """A record on its shelf; volumes are in the order of `seq`, then of id.

    Attributes:
        seq: the record's.
        record: its id.
        units: what it costs.
    """

    seq: int
    record: RecordId
    units: int


@dataclass(frozen=True, slots=True)
class Limits:
    """How many units a shelf may hold before the oldest go; smaller ones in tests."""

    shard: int = SHARD_UNITS
    others: Mapping[int, int] = field(
        default_factory=lambda: {TESTIMONY: TESTIMONY_UNITS, SELF: SELF_UNITS}
    )

    def of(self, shelf: int) -> int:
        """Return a shelf's limit in units."""
        return self.others.get(shelf, self.shard)


SPEC_LIMITS: Final = Limits()
"""What all nodes of a network go by."""


def shelf_of(header: Header, network: NetworkParams) -> int | None:
    """Return which of its author's shelves a record stands on.

    None for what is always kept: inceptions and rotations, of which a key chain has
    at most 256 links.
    """
    if header.kind in CHAIN_KINDS:
        return None
    if header.community is not None:
        return 1 + shard_of(header.community, network.shards)
    return SELF if header.kind in _SELF_KINDS else TESTIMONY


def volume_of(record: Record) -> Volume:
    """Return a record as its shelf sees it: what is signed, body or no body."""
    header = record.header
    size_bytes = len(record.sign1) + (header.body_bytes or 0)
    return Volume(header.seq, record.id, units(size_bytes))


def is_over(volume: Volume, held: int, oldest: Volume | None, limit: int) -> bool:
    """Tell whether a record has no place on its shelf.

    Args:
        volume: the record, not on the shelf.
        held: what all on the shelf cost, units.
        oldest: the oldest on the shelf; None when it is empty.
        limit: the shelf's, units.
    """
    return held >= limit and oldest is not None and volume < oldest


def surplus(held: int, limit: int, oldest_first: Iterable[Volume]) -> Iterator[Volume]:
    """Yield what a shelf has to let go of, oldest first.

    Args:
        held: what all on the shelf cost, units.
        limit: the shelf's, units.
        oldest_first: all on the shelf; no more of it is read than is needed.
    """
    for volume in oldest_first:
        held -= volume.units
        if held < limit:
            return
        yield volume


def kept(volumes: Iterable[Volume], limit: int) -> list[Volume]:
    """Return what a shelf keeps of so many records, newest first (spec 11)."""
    found, newer = [], 0
    for volume in sorted(volumes, reverse=True):
        if newer >= limit:
            break
        found.append(volume)
        newer += volume.units
    return found

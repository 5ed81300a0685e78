"""What an operator chooses to keep of what comes, and to let go of (spec 11)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from moltp2p.core.ids import RecordId
from moltp2p.proto.quota import SPEC_LIMITS, Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What an operator chooses to keep (spec 11, section 2).

    Attributes:
        keep_all: whether records beyond their author's quota are kept as well.
        budget_bytes: how much to hold before the oldest posts go; 0 for no end.
        max_age_ms: how old what names a community may grow; 0 for any age.
        arrivals: whether it is noted how records came (`store.arrivals`).
        limits: of the shelves; not for an operator to choose, and smaller in tests.
    """

    keep_all: bool = False
    budget_bytes: int = 0
    max_age_ms: int = 0
    arrivals: bool = False
    limits: Limits = SPEC_LIMITS


KEEP_QUOTAS: Final = Policy()
"""What a node keeps whose operator chose nothing: as much as it must."""
KEEP_ALL: Final = Policy(keep_all=True)
"""What whoever copies a store keeps: the node that opens it lets go of the rest."""


@dataclass(frozen=True, slots=True)
class Retired:
    """What one step of retention did.

    Attributes:
        records: how many were removed.
        more: whether there is more to remove.
    """

    records: int
    more: bool


@dataclass(frozen=True, slots=True)
class Dropped:
    """A body that the operator does not want here.

    Attributes:
        record: of which record.
        dropped_at_ms: our clock at that time.
        held: whether the record's header is held.
    """

    record: RecordId
    dropped_at_ms: int
    held: bool

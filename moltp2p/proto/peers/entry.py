"""One address that a node knows, what came of it, and when to try it again."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Final

from moltp2p.proto.address import Address, group_of
from moltp2p.proto.peers.status import AddressStatus, DialState, Origin

BASE_DELAY_S: Final = 1.0
MAX_DELAY_S: Final = 300.0

FORGET_AFTER: Final = 8
"""Failures after which an address is dropped, some four minutes; one that worked in
the last `STALE_S` is kept, since its node may be away for a while."""

STALE_S: Final = 604_800.0
"""How long an address that worked is believed to work again: a week."""


def redial_delay_s(failures: int, rng: random.Random) -> float:
    """Return how long to leave an address alone after it failed `failures` times.

    Doubles up to five minutes; the jitter keeps a restarted bootstrap peer from
    being dialled by everybody in the same second.
    """
    ceiling = min(MAX_DELAY_S, BASE_DELAY_S * 2 ** min(failures, 10))
    return rng.uniform(ceiling / 2, ceiling)


@dataclass(slots=True, eq=False)
class Entry:
    """An address, and what came of it.

    Attributes:
        address: where, and who.
        source: the network group of the peer that told of it; None for what the
            operator configured.
        seq: of the newest peer record that named it; 0 without one.
        tried: whether its peer was reached there.
        bucket: where it is kept (`Tables`); -1 for what is kept apart.
        is_anchor: whether we were connected there when the node last ended.
        failures: failed dials since the last lasting connection.
        not_before: when it may be dialled.
        succeeded_at: when its peer was last reached there; None if never.
        dialling: whether it is being dialled.
        is_feeler: whether that is only to see whether it works.
        last_error: the code of the last failure, or "".
        group: the network group of its endpoint.
    """

    address: Address
    source: str | None
    seq: int = 0
    tried: bool = False
    bucket: int = -1
    is_anchor: bool = False
    failures: int = 0
    not_before: float = 0.0
    succeeded_at: float | None = None
    dialling: bool = False
    is_feeler: bool = False
    last_error: str = ""
    group: str = field(init=False)

    def __post_init__(self) -> None:
        self.group = group_of(self.address.endpoint)

    @property
    def is_bootstrap(self) -> bool:
        """Tell whether it is the operator's own."""
        return self.source is None

    def is_worthless(self, now: float) -> bool:
        """Tell whether it may be forgotten."""
        worked = self.succeeded_at is not None and now - self.succeeded_at < STALE_S
        return self.failures >= FORGET_AFTER and not worked

    def status(self, now: float, *, connected: bool) -> AddressStatus:
        """Return what there is to say of it."""
        state = DialState.DIALLING if self.dialling else DialState.WAITING
        if connected:
            state = DialState.CONNECTED
        waiting = state is DialState.WAITING
        origin = Origin.ANCHOR if self.is_anchor else Origin.PEER
        return AddressStatus(
            address=str(self.address),
            bootstrap=self.is_bootstrap,
            origin=Origin.BOOTSTRAP if self.is_bootstrap else origin,
            tried=self.succeeded_at is not None,
            state=state,
            failures=self.failures,
            next_attempt_s=max(0.0, self.not_before - now) if waiting else 0.0,
            last_error=self.last_error,
        )

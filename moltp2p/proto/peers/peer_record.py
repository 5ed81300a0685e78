"""What a peer says of itself: where it listens, signed with its own key.

The bytes are a signed envelope of libp2p (its RFC 0002 and 0003), which
`net/finding/peer_records.py` reads and writes; here is what they mean (spec 04,
section 5).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from moltp2p.core.ids import PeerId
from moltp2p.proto.address import Address, IpAddress, Scope, scope_of

MAX_PEER_RECORD_BYTES: Final = 400  # SPEC 04: "at most 400 bytes"
MAX_PER_RECORD: Final = 4  # SPEC 04: "at most 4 addresses"
MAX_RECORD_AGE_MS: Final = 259_200_000  # SPEC 04: "older than 259,200 seconds"
MAX_RECORD_AHEAD_MS: Final = 600_000  # SPEC 04: "more than 600 seconds ahead"
SIGN_AGAIN_S: Final = 86_400.0  # SPEC 04: "every 86,400 seconds"


@dataclass(frozen=True, slots=True)
class PeerRecord:
    """Where one peer listens, in one scope.

    Attributes:
        peer: who signed it.
        seq: when, milliseconds since 1970 UTC; a greater one takes its place.
        scope: from where its endpoints can be reached.
        addresses: where it can be dialled; of forms that we know, maybe none.
        wire: the envelope, to be passed on byte for byte.
    """

    peer: PeerId
    seq: int
    scope: Scope
    addresses: tuple[Address, ...]
    wire: bytes

    def names(self, ip: IpAddress) -> bool:
        """Tell whether one of the addresses is at `ip`."""
        return any(each.endpoint.ip == ip for each in self.addresses)

    def is_current(self, wall_ms: int) -> bool:
        """Tell whether it was signed neither too long ago nor in the future."""
        return -MAX_RECORD_AHEAD_MS <= wall_ms - self.seq <= MAX_RECORD_AGE_MS


def by_scope(addresses: Iterable[Address]) -> dict[Scope, tuple[Address, ...]]:
    """Return what goes into one record each: so many addresses of one scope."""
    distinct = sorted(dict.fromkeys(addresses), key=_scope)
    return {
        scope: tuple(some)[:MAX_PER_RECORD]
        for scope, some in groupby(distinct, _scope)
        if scope is not Scope.NOWHERE
    }


def _scope(address: Address) -> Scope:
    return scope_of(address.endpoint.ip)

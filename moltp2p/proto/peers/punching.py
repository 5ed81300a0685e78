"""Hole punching: where two peers behind routers dial each other, and how often."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from moltp2p.proto.address import (
    Endpoint,
    IpAddress,
    Scope,
    can_be_dialled,
    scope_of,
)
from moltp2p.proto.ratelimit import Rate

# SPEC 04: "at most 3 times in a row"
ATTEMPTS: Final = 3

# SPEC 04: "at most 4 of the endpoints that it is told"
MAX_ENDPOINTS: Final = 4

PUNCHES_PER_PEER: Final = Rate(per_s=1 / 600, burst=ATTEMPTS)
PUNCHES_IN_ALL: Final = Rate(per_s=0.2, burst=15)
"""How often we dial so, with one peer and with all together: with those that dialled
us, and as often with those that we dialled."""


@dataclass(frozen=True, slots=True)
class PunchStats:
    """What came of it.

    Attributes:
        tried: attempts at a direct connection, ours and those of peers.
        opened: how many of them led to one.
    """

    tried: int
    opened: int


def predicted(
    seen: Iterable[IpAddress], listening: Sequence[Endpoint]
) -> list[Endpoint]:
    """Return where a router lets us be reached that keeps our port.

    Args:
        seen: our IPs as others see them.
        listening: where we listen; what we dial from there leaves by that port.
    """
    found = [
        Endpoint(ip, each.port)
        for ip in seen
        for each in listening
        if each.ip.version == ip.version
        and (scope_of(each.ip) is Scope.MACHINE) is (scope_of(ip) is Scope.MACHINE)
    ]
    return list(dict.fromkeys(found))


def usable(told: Iterable[Endpoint | None], relay: IpAddress) -> list[Endpoint]:
    """Return the endpoints, among those that were told, that may be dialled.

    Args:
        told: by a peer or by ourselves; None for what is no endpoint.
        relay: where the relay is: beyond it, narrower scopes are other places.
    """
    least = scope_of(relay)
    found = [
        each
        for each in told
        if each is not None and can_be_dialled(each) and scope_of(each.ip) >= least
    ]
    return list(dict.fromkeys(found))[:MAX_ENDPOINTS]

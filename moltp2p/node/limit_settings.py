"""The settings that say how much of this machine strangers may hold.

Each is one number of `ConnectionLimits`, under a name that a file can be read by.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from moltp2p.core.errors import UsageError
from moltp2p.net.base import ConnectionLimits

DEFAULTS: Final = ConnectionLimits()


@dataclass(frozen=True, slots=True)
class LimitSetting:
    """One limit to choose.

    Attributes:
        name: its key in the file.
        field: of `ConnectionLimits`.
        default: what holds when nobody chose.
        low: the least it may be.
        high: the most it may be.
        meaning: one sentence for the operator.
        unit: what one of the setting is in the unit of the field.
    """

    name: str
    field: str
    default: int
    low: int
    high: int
    meaning: str
    unit: int = 1


LIMIT_SETTINGS: Final = (
    LimitSetting(
        "max_connections",
        "total",
        DEFAULTS.total,
        1,
        65_536,
        "Connections at once, both directions.",
    ),
    LimitSetting(
        "max_inbound",
        "inbound",
        DEFAULTS.inbound,
        0,
        65_536,
        "How many of those others may have opened.",
    ),
    LimitSetting(
        "max_per_address",
        "per_address",
        DEFAULTS.per_address,
        1,
        65_536,
        "Connections at once from one IP address; this machine's own are not counted.",
    ),
    LimitSetting(
        "max_per_subnet",
        "per_subnet",
        DEFAULTS.per_subnet,
        1,
        65_536,
        "Connections at once from one /24 (IPv4) or /64 (IPv6); twice that from a /48.",
    ),
    LimitSetting(
        "max_handshakes",
        "handshakes",
        DEFAULTS.handshakes,
        1,
        4_096,
        "Inbound connections at once that are not yet secured.",
    ),
    LimitSetting(
        "handshakes_per_s",
        "handshakes_per_s",
        DEFAULTS.handshakes_per_s,
        1,
        10_000,
        "Inbound connections a second; eight seconds' worth may come at once.",
    ),
    LimitSetting(
        "address_per_s",
        "address_per_s",
        DEFAULTS.address_per_s,
        1,
        10_000,
        "The same from one IPv4 address, or one /64 of IPv6.",
    ),
    LimitSetting(
        "max_streams",
        "streams",
        DEFAULTS.streams,
        64,
        1_000_000,
        "Streams at once that peers together may have opened.",
    ),
    LimitSetting(
        "max_streams_per_peer",
        "streams_per_peer",
        DEFAULTS.streams_per_peer,
        # SPEC 04: "beyond a number of its choice, 64 or more"
        64,
        4_096,
        "Streams at once that one peer may have opened.",
    ),
    LimitSetting(
        "up_kib",
        "up_bytes_s",
        0,
        0,
        10_000_000,
        "KiB a second to all peers together, 64 or more; 0 for no limit.",
        unit=1024,
    ),
    LimitSetting(
        "down_kib",
        "down_bytes_s",
        0,
        0,
        10_000_000,
        "KiB a second from all peers together, 64 or more; 0 for no limit.",
        unit=1024,
    ),
)

LEAST_KIB: Final = 64
"""A piece of a stream is 64 KiB. With less, it would take longer than a second."""


def limits_of(values: Mapping[str, object]) -> ConnectionLimits:
    """Return the limits that the settings make.

    Raises:
        UsageError: `bad-setting` where they contradict each other.
    """
    for name in ("up_kib", "down_kib"):
        if 0 < cast("int", values[name]) < LEAST_KIB:
            raise UsageError("bad-setting", f"{name} is 0, or {LEAST_KIB} and more")
    chosen: dict[str, Any] = {
        each.field: cast("int", values[each.name]) * each.unit
        for each in LIMIT_SETTINGS
    }
    if chosen["inbound"] > chosen["total"]:
        raise UsageError(
            "bad-setting",
            f"max_inbound is {chosen['inbound']}, of {chosen['total']} max_connections",
            "raise max_connections above max_inbound, to leave room for own dials",
        )
    return ConnectionLimits(**chosen)


def settings_of(limits: ConnectionLimits) -> dict[str, int]:
    """Return what an operator would have to choose to get these limits."""
    return {
        each.name: getattr(limits, each.field) // each.unit for each in LIMIT_SETTINGS
    }

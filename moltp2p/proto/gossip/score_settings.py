"""The numbers of peer scoring (spec 05)."""

from __future__ import annotations

import ipaddress
from typing import Final

from moltp2p.proto.address import IpNetwork

LOOPBACK: Final[tuple[IpNetwork, ...]] = (
    ipaddress.ip_network("127.0.0.0/8"),
    ipaddress.ip_network("::1/128"),
)

# Thresholds.
GOSSIP_THRESHOLD: Final = -500.0
# SPEC 05: "| gossip | -500: no IHAVE or IWANT, either way |"
PUBLISH_THRESHOLD: Final = -1000.0
# SPEC 05: "| publish | -1000: none of our messages to it, none of its read |"
GRAYLIST_THRESHOLD: Final = -2500.0
# SPEC 05: "| graylist | -2500: nothing of it is read |"
OPPORTUNISTIC_THRESHOLD: Final = 2.5
# SPEC 05: "| opportunistic graft | 2.5: the median in a mesh |"

# Credit.
TIME_WEIGHT: Final = 1 / 3600
MAX_TIME: Final = 3600
# SPEC 05: "| time in mesh | 1 / 3,600 each heartbeat | | 3,600 | |"
FIRST_WEIGHT: Final = 0.5
FIRST_DECAY: Final = 600
MAX_FIRST: Final = 100.0
# SPEC 05: "| first delivery | 0.5 | 600 heartbeats | 100 | |"
MAX_CREDIT: Final = 100.0  # SPEC 05: "at most 100"

# Blame.
INVALID_WEIGHT: Final = -1000.0
INVALID_DECAY: Final = 3600
MAX_INVALID: Final = 100.0
# SPEC 05: "| invalid message | -1000, squared | 3,600 heartbeats | 100 | |"
FAULT_WEIGHT: Final = -20.0
FAULT_DECAY: Final = 600
MAX_FAULTS: Final = 25.0
FREE_FAULTS: Final = 5.0
# SPEC 05: "| fault | -20 | 600 heartbeats | 25 | 5 |"
COLOCATION_WEIGHT: Final = -100.0
FREE_NEIGHBOURS: Final = 5
# SPEC 05: "| neighbour | -100, squared | | | 5 |"
BEHAVIOUR_WEIGHT: Final = -10.0
BEHAVIOUR_DECAY: Final = 3600
MAX_BEHAVIOUR: Final = 100.0
FREE_BEHAVIOUR: Final = 6.0
# SPEC 05: "| misbehaviour | -10, squared | 3,600 heartbeats | 100 | 6 |"

DECAY_TO_ZERO: Final = 0.01  # SPEC 05: "a count below 0.01 is zero"

# What is kept of those who left.
RETENTION_S: Final = 21_600.0  # SPEC 05: "for 6 hours after a peer left"
MAX_RETAINED: Final = 4096  # SPEC 05: "| peers that left and are blamed | 4,096 |"


def decay(heartbeats: int) -> float:
    """Return the factor that, applied at so many heartbeats, takes 1 to zero."""
    return float(DECAY_TO_ZERO ** (1 / heartbeats))

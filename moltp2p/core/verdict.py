"""The three verdicts, with GossipSub's meaning (spec 05)."""

from __future__ import annotations

import enum


class Verdict(enum.Enum):
    """What to do with a record that came by any road.

    ACCEPT: keep it and pass it on. IGNORE: do neither, and blame nobody.
    REJECT: do neither, and lower the standing of whoever sent it.
    """

    ACCEPT = "accept"
    IGNORE = "ignore"
    REJECT = "reject"

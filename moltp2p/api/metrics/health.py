"""Whether a node is alive, and whether it is of use now; with the reasons.

Alive: the loop comes round; a node that is not should be restarted. Ready: others can
be sent to it; a node that is not may become so by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from moltp2p.api.loop_lag import LoopLag
from moltp2p.node.settings import Role
from moltp2p.node.status import Status

LIVE_LAG_S: Final = 10.0
"""A loop that was so late in the last minute serves nobody."""
READY_LAG_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a node is not ready: a code, and words."""

    code: str
    message: str


def not_live(lag: LoopLag, now: float) -> list[Reason]:
    """Return why a node that answers is dead all the same; mostly nothing."""
    worst_s = lag.worst_s(now)
    if worst_s < LIVE_LAG_S:
        return []
    return [Reason("loop-late", f"the event loop was {worst_s:.1f} s late")]


def not_ready(status: Status, lag: LoopLag, now: float) -> list[Reason]:
    """Return all that keeps a node from being of use."""
    reasons = []
    worst_s = lag.worst_s(now)
    if worst_s >= READY_LAG_S:
        late = f"the event loop was {worst_s:.1f} s late"
        reasons.append(Reason("loop-late", late))
    if status.store.state != "ok":
        hint = f": {status.store.hint}" if status.store.hint else ""
        cannot = f"the store cannot be written{hint}"
        reasons.append(Reason(status.store.state, cannot))
    if status.gossip is None:
        reasons.append(Reason("offline", "it runs without a network"))
    elif not status.gossip.peers and status.role != Role.BOOTSTRAP.value:
        # A first address for others is of use before anybody has come.
        reasons.append(Reason("no-peers", "nobody is connected: see moltp2p status"))
    return reasons

"""Watches how long a mesh's gossip takes to recover from a partition or an attack."""

from __future__ import annotations

import math

import trio

from moltp2p.proto.gossip.settings import HEARTBEAT_S, GossipSettings
from moltp2p.testing.mesh import Mesh


class Recovery:
    """When every node that runs gossips again with as many as it should.

    That is D_lo for a network of its size, or all where there are fewer, in each of
    its topics. Sybils have left by then.

    Args:
        mesh: watched by `look`, after each of its own.

    Attributes:
        heartbeats: how many it took, from the fault's end; None until then.
    """

    def __init__(self, mesh: Mesh) -> None:
        self.heartbeats: int | None = None
        self._mesh = mesh
        self._began: float | None = None

    def begin(self) -> None:
        """Note that the fault is over."""
        self._began = trio.current_time()

    def look(self) -> None:
        """Note whether the meshes are whole, as they were last looked at."""
        if self._began is None or self.heartbeats is not None:
            return
        running = self._mesh.running()
        low = GossipSettings().degrees_for(len(running)).low
        enough = min(low, len(running) - 1)
        if all(each.mesh >= enough for each in running):
            took_s = trio.current_time() - self._began
            self.heartbeats = math.ceil(took_s / HEARTBEAT_S)

    def is_due(self, within: int) -> bool:
        """Return whether so many heartbeats have not passed, and it is yet to come."""
        if self._began is None or self.heartbeats is not None:
            return False
        return trio.current_time() - self._began <= within * HEARTBEAT_S

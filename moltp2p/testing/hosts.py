"""Hosts for the nodes of a mesh: network namespaces on this machine."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Host:
    """Where one node runs.

    Attributes:
        name: the namespace.
        listen: the multiaddr that the node there listens on.
    """

    name: str
    listen: str

    @property
    def prefix(self) -> tuple[str, ...]:
        """Return the command that runs a command there."""
        return ("ip", "netns", "exec", self.name)

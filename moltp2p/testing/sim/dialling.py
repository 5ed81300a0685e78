"""What it costs to connect."""

from __future__ import annotations

from typing import Final

DIAL_ROUND_TRIPS: Final = 4
"""TCP, the choice of Noise and its handshake, yamux and identify."""

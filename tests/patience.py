"""How long a test on real sockets waits for what ought to come at once."""

from __future__ import annotations

from typing import Final

PATIENCE_S: Final = 25.0
"""Ends what hangs, and says where: before `faulthandler_timeout`, and long after what a
busy machine takes."""

"""Where hostile peers meet whole nodes."""

from __future__ import annotations

from tests.village import village

__all__ = ["village"]

"""What tests of whole nodes share."""

from __future__ import annotations

from tests.village import village

__all__ = ["village"]

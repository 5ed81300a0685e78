"""What a call was refused with."""

from __future__ import annotations

from collections.abc import Callable

from moltp2p.core.errors import MoltError


def code_of(attempt: Callable[[], object]) -> str | None:
    """Return the code of the failure, or None when there is none."""
    try:
        attempt()
    except MoltError as error:
        return error.code
    return None

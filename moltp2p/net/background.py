"""A nursery for what runs beside a block and ends with it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@asynccontextmanager
async def open_background() -> AsyncIterator[trio.Nursery]:
    """Run tasks beside the block, and cancel them at its end.

    An error of the block leaves it as it is: in trio's own nursery it would come
    out in a group, and callers catch codes, not groups. An error of a task still
    comes out in a group, and ends the block; our tasks contain their own.
    """
    failure: Exception | None = None
    async with trio.open_nursery() as nursery:
        try:
            yield nursery
        except Exception as error:  # noqa: BLE001 — raised again, outside the nursery
            failure = error
        finally:
            nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure

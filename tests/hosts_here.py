"""Whether this machine lets a test make hosts of its own."""

from __future__ import annotations

import trio

from moltp2p.core.errors import LocalError
from moltp2p.testing.hosts.namespaces import open_hosts


def hosts_lack() -> str:
    """Return why there can be no hosts here; empty when there can."""
    return trio.run(_lack)


async def _lack() -> str:
    try:
        async with open_hosts(1):
            return ""
    except LocalError as error:
        return error.message

"""What agents call themselves, asked of the node."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from moltp2p.cli.client import Client


async def names_of(client: Client, records: Iterable[dict[str, Any]]) -> dict[str, str]:
    """Return the names of the authors of `records`, as far as they said one.

    Names are not unique: never show one without the key beside it.
    """
    names = {}
    for agent in dict.fromkeys(record["agent"] for record in records):
        page = await client.get("/records", agent=agent, kind="profile", limit=1)
        for profile in page["records"]:
            if profile["name"]:
                names[agent] = profile["name"]
    return names

"""What a store does before it is used: it is begun, refused, or brought up to date."""

from __future__ import annotations

import json
from typing import Final

from moltp2p.core.errors import LocalError
from moltp2p.core.topics import NetworkParams
from moltp2p.store import layout
from moltp2p.store.building import SETS, begin_building, go_on_building
from moltp2p.store.engine import Engine, Put
from moltp2p.store.progress import Progress

NEW_TABLES: Final = SETS + layout.DELETION + layout.FORK
"""The tables that schema 1 did not have."""


def prepare(engine: Engine, network: NetworkParams, progress: Progress) -> None:
    """Begin a new store, or bring an old one up to date.

    Forward only, from every schema before; each table that it lacks is built. So is
    the table of sets, when the network has another number of shards than before.

    Raises:
        LocalError: `newer-schema`, `other-network`, `store-damaged`, `disk-full`,
            `store-failed`.
    """
    with engine.view() as view:
        is_new = next(view.scan(b""), None) is None
    if is_new:
        _begin(engine, network)
        return
    version = _check_origin(engine, network)
    if version < layout.SCHEMA:
        engine.keep_copy(version)
        # The number first: the version before would leave the new tables behind.
        schema = Put(layout.SCHEMA_KEY, layout.number(layout.SCHEMA))
        engine.apply([schema, *begin_building(NEW_TABLES, engine, network)])
    if engine.get(layout.SHARDS_KEY) != layout.number(network.shards):
        engine.apply(begin_building(SETS, engine, network))
    go_on_building(engine, network, progress)
    engine.drop_copies(range(1, layout.SCHEMA))


def _check_origin(engine: Engine, network: NetworkParams) -> int:
    """Refuse what this version did not write for this network; return its schema."""
    schema = engine.get(layout.SCHEMA_KEY)
    origin = engine.get(layout.NETWORK_KEY)
    if schema is None or origin is None:
        raise layout.store_damaged("it does not say what wrote it")
    version = int.from_bytes(schema, "big")
    if version > layout.SCHEMA:
        raise LocalError(
            "newer-schema",
            f"the store has schema {version}; this version reads {layout.SCHEMA}",
            "upgrade moltp2p, or use another home",
        )
    if origin != network.id.encode():
        theirs = origin.decode(errors="replace")
        raise LocalError(
            "other-network",
            f"the store is of network {theirs!r}, not {network.id!r}",
            "use another home for another network; where it is the one you mean, write "
            f"network = {json.dumps(theirs)} into this home's config.toml",
        )
    return version


def _begin(engine: Engine, network: NetworkParams) -> None:
    engine.apply(
        [
            Put(layout.SCHEMA_KEY, layout.number(layout.SCHEMA)),
            Put(layout.NETWORK_KEY, network.id.encode()),
            Put(layout.COUNT_KEY, layout.number(0)),
            Put(layout.BYTES_KEY, layout.number(0)),
            Put(layout.SHARDS_KEY, layout.number(network.shards)),
        ]
    )

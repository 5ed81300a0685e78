"""What a node takes from outside itself: the clock, the dice, the disk, the network.

Tests pass a world of their own; the simulator will too.
"""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from moltp2p.core.topics import NetworkParams
from moltp2p.net.base import Network
from moltp2p.net.log import get_logger
from moltp2p.node.config import Config
from moltp2p.node.home import Draw
from moltp2p.store.base import Policy, Store
from moltp2p.store.building import CHUNK_RECORDS
from moltp2p.store.leveldb import open_store
from moltp2p.store.progress import Progress

log = get_logger(__name__)

_TOLD_CHUNKS: Final = 10
"""A migration says so often how far it is: every second or a few, and at its begin."""

OpenNetwork = Callable[[Config, bytes], AbstractAsyncContextManager[Network]]
"""Opens a network for a config and the node's 32-byte libp2p seed."""

OpenStore = Callable[[Path, NetworkParams, Policy], Store]
"""Opens the store in a folder, of that network, and keeps so much; blocks."""


def log_progress(done: int, total: int) -> None:
    """Log how far a migration of the store is."""
    chunk = done // CHUNK_RECORDS
    if chunk == 1 or chunk % _TOLD_CHUNKS == 0 or done == total:
        log.info("building the store's tables", records=done, of=total)


def _open_level(
    folder: Path,
    network: NetworkParams,
    policy: Policy,
    progress: Progress = log_progress,
) -> Store:
    return open_store(folder, network, policy, progress)


@dataclass(frozen=True, slots=True)
class World:
    """The outside.

    Attributes:
        now_ms: the wall clock, milliseconds since 1970 UTC.
        draw: secret random bytes, for keys.
        dice: chance that nobody needs to keep secret.
        open_network: how to reach peers.
        open_store: how to keep records.
        has_neighbours: whether other machines can be reached by multicast.
    """

    now_ms: Callable[[], int]
    draw: Draw
    dice: random.Random
    open_network: OpenNetwork
    open_store: OpenStore = _open_level
    has_neighbours: bool = False


def real_world(progress: Progress = log_progress) -> World:
    """Return the machine's clock, its randomness, and libp2p.

    Args:
        progress: is told how far a migration of the store is.
    """
    return World(
        now_ms=lambda: time.time_ns() // 1_000_000,
        draw=secrets.token_bytes,
        dice=random.SystemRandom(),
        open_network=_open_libp2p,
        open_store=partial(_open_level, progress=progress),
        has_neighbours=True,
    )


@asynccontextmanager
async def _open_libp2p(config: Config, seed: bytes) -> AsyncIterator[Network]:
    # Importing libp2p takes a second: an offline node and the CLI go without.
    from moltp2p.net.host import open_host  # noqa: PLC0415

    opening = open_host(seed=seed, listen=config.listen, limits=config.limits)
    async with opening as network:
        yield network

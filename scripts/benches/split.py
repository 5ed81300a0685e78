"""Twenty nodes that lost gossip and were split: how long until they are alike.

Whole nodes on a network inside this process, in virtual time, so that the figure is
the protocol's own and not this machine's. Prints it, in seconds.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import trio
from trio.testing import MockClock

from tests.village import Village, alike, meet, peer_of, say

NODES: Final = 20
LINKS: Final = 3
LOSS: Final = 0.3
SPLIT_S: Final = 60
POSTS_A_SECOND: Final = 8
BRIDGES: Final = 3
"""Links between the halves once they are healed."""


async def split(folder: Path, seed: int) -> float:
    """Return how long it took from healing until all held the same, seconds."""
    dice = random.Random(seed)  # noqa: S311 - the same each time
    village = Village(folder, dice)
    async with village.open_many(NODES, target_peers=6) as nodes:
        for number, node in enumerate(nodes):
            await meet(node, *dice.sample(nodes[:number], min(number, LINKS)))
        await trio.sleep(5)
        village.loss = LOSS
        half = NODES // 2
        peers = [peer_of(node) for node in nodes]
        village.hub.partition(peers[:half], peers[half:])
        for second in range(SPLIT_S):
            for node in dice.sample(nodes, POSTS_A_SECOND // 2):
                await say(node, 2, f"at {second}")
            await trio.sleep(1)
        village.hub.heal_all()
        for one, other in zip(nodes[:BRIDGES], nodes[half:], strict=False):
            await meet(one, other)
        return await alike(nodes, within_s=300)


async def at_once(work: Callable[..., Any], *args: Any, **_: Any) -> Any:  # noqa: ANN401
    """Do at once what else a thread does: virtual time does not wait for threads."""
    await trio.lowlevel.checkpoint()
    return work(*args)


def main() -> None:
    """Print the seconds."""
    trio.to_thread.run_sync = at_once  # type: ignore[assignment]
    with tempfile.TemporaryDirectory() as folder:
        clock = MockClock(autojump_threshold=0)
        print(trio.run(split, Path(folder), 1, clock=clock))


if __name__ == "__main__":
    main()

"""What the agents of a mesh post, and what of it they were told is durable."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Final

import trio

from moltp2p.core.errors import LocalError
from moltp2p.testing.members import Text
from moltp2p.testing.mesh import Mesh
from moltp2p.testing.plan import Plan, Posted

BURST_POSTS: Final = 64
"""Posts an agent hands to its node at once, in a burst."""


class Load:
    """The posts of one run.

    Args:
        mesh: whose agents post.
        plan: what, and how fast.
        began: `trio.current_time()` of the beginning.

    Attributes:
        posted: each post that is durable, by its record's id in hex.
        skipped: posts that fell due while their author was down, or that it had not
            answered for when it was killed.
    """

    def __init__(self, mesh: Mesh, plan: Plan, began: float) -> None:
        self.posted: dict[str, Posted] = {}
        self.skipped = 0
        self._mesh = mesh
        self._plan = plan
        self._began = began
        load = None if plan.scenario is None else plan.scenario.load
        self._from_s = load.from_s if load else 0.0
        nodes = len(mesh.members)
        self._authors = min(load.publishers or nodes, nodes) if load else nodes

    async def post(self) -> None:
        """Post as planned."""
        plan = self._plan
        dice = random.Random(plan.seed)  # noqa: S311 - which agent posts is no secret
        authors = [dice.randrange(self._authors) for _ in range(plan.posts)]
        texts = [plan.texts[index % len(plan.texts)] for index in range(plan.posts)]
        await trio.sleep_until(self._began + self._from_s)
        with trio.move_on_after(plan.duration_s or math.inf):
            async with trio.open_nursery() as nursery:
                for index in range(self._authors):
                    mine = [
                        (number, text)
                        for number, (author, text) in enumerate(
                            zip(authors, texts, strict=True)
                        )
                        if author == index
                    ]
                    nursery.start_soon(self._post_as, index, mine)

    async def _post_as(self, index: int, mine: Sequence[tuple[int, Text]]) -> None:
        """Post one agent's share: in handfuls, or each at its moment."""
        began, rate = trio.current_time(), self._plan.rate
        size = BURST_POSTS if rate is None else 1
        for start in range(0, len(mine), size):
            some = mine[start : start + size]
            if rate is not None:
                await trio.sleep_until(began + some[0][0] / rate)
            ids = await self._publish(index, [text for _, text in some])
            posted = Posted(index, trio.current_time() - self._began)
            self.posted.update(dict.fromkeys(ids, posted))
            self.skipped += len(some) - len(ids)
            self._mesh.authored[index] += len(ids)

    async def _publish(self, index: int, texts: Sequence[Text]) -> list[str]:
        """Return the ids of what is durable: none of it when the author is down."""
        if not self._mesh.is_up[index]:
            await trio.lowlevel.checkpoint()
            return []
        try:
            return await self._mesh.members[index].publish(texts)
        except LocalError:
            if self._mesh.is_up[index]:
                raise
            return []

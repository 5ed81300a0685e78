"""A process that has imported all of a node, and forks one for each life.

stdin    one order a line, in JSON
stdout   what the lives acknowledge, a line each: "step id id id";
         and after each life "= status", as waitpid tells it
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

import trio

from moltp2p.core.author import Draft
from moltp2p.core.ids import RecordId
from moltp2p.core.kinds import Kind, Post
from moltp2p.core.record import Record
from moltp2p.core.validate import Road
from moltp2p.node.config import Config
from moltp2p.node.home import Home
from moltp2p.node.node import Node, open_node
from moltp2p.node.pen import AWAITED
from moltp2p.node.world import World, real_world
from moltp2p.store.base import Query
from moltp2p.testing.factories import EPOCH_MS
from tests.crash import traps
from tests.crash.story import NETWORK, Step, secret, tell
from tests.crash.traps import Fate, Trap

HELD: Final = AWAITED | {"ok", "duplicate", "deleted"}
"""What is ruled of a record that is held by the end of its batch: one that waits for
a rotation finds it there."""


@dataclass(frozen=True, slots=True)
class Order:
    """One life.

    Attributes:
        home: whose.
        seed: of the story.
        begin: the first step that nobody acknowledged.
        end: the step before which it shuts down in order.
        trap: where it ends.
        delay_s: after how long it is killed; None when it is not.
    """

    home: str
    seed: int
    begin: int
    end: int
    trap: Trap | None = None
    delay_s: float | None = None

    @classmethod
    def parse(cls, text: str) -> Order:
        """Return the order that a line gives."""
        fields = json.loads(text)
        trap = fields.pop("trap")
        return cls(**fields, trap=None if trap is None else Trap(**trap))


def main() -> None:
    """Have lives lived until there are no more orders."""
    story_of = cache(tell)
    for text in sys.stdin:
        order = Order.parse(text)
        story = story_of(order.seed)
        child = os.fork()
        if child == 0:
            live(order, story)
        if order.delay_s is not None:
            time.sleep(order.delay_s)
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        say(f"= {status}")


def say(text: str) -> None:
    """Write a line at once; the kernel keeps it when we die."""
    os.write(1, text.encode() + b"\n")


def live(order: Order, story: list[Step]) -> None:
    """Run a node in this process until it dies, or the story is over."""
    code = 1
    try:
        fate = Fate(order.trap)
        traps.prepare(fate)
        trio.run(Life(order, story, fate).run)
        code = 0 if order.trap is None else traps.SURVIVED
    except BaseException:  # noqa: BLE001 - a forked child must not return to its parent
        traceback.print_exc()
    os._exit(code)


class Life:
    """A node that takes the story up where the one before was cut off."""

    def __init__(self, order: Order, story: list[Step], fate: Fate) -> None:
        self._order = order
        self._story = story
        self._fate = fate
        self._step = 0
        self._draws = 0
        self._now_ms = EPOCH_MS

    async def run(self) -> None:
        """Do what was not acknowledged."""
        order = self._order
        home = Home(Path(order.home))
        if not home.has_agent:
            home.init_agent(self._draw)
        config = Config(home.path, NETWORK)
        async with open_node(config, offline=True, world=self._world()) as node:
            for step in self._story[order.begin : order.end]:
                self._step, self._draws = step.number, 0
                self._now_ms = step.time_ms
                kept = await self._do(node, step)
                say(" ".join([str(step.number), *(each.hex() for each in kept)]))

    def _world(self) -> World:
        real = real_world()
        return World(
            now_ms=lambda: self._now_ms,
            draw=self._draw,
            dice=real.dice,
            open_network=real.open_network,
            open_store=partial(traps.open_trapped, fate=self._fate),
        )

    def _draw(self, size: int) -> bytes:
        self._draws += 1
        return secret(self._order.seed, self._step, self._draws, size)

    async def _do(self, node: Node, step: Step) -> list[RecordId]:
        if step.name == "receive":
            rulings = await node.take(step.wires, Road.SYNC)
            assert {each.code for each in rulings} <= HELD, rulings
            return [each.record.id for each in rulings if each.record is not None]
        own = await self._own(node)
        # Written before, and not acknowledged: the life before was cut off there.
        record = own.get(step.time_ms) or await self._write(node, step, own)
        return [record.id]

    async def _write(self, node: Node, step: Step, own: dict[int, Record]) -> Record:
        if step.name == "rotate":
            return await node.rotate()
        draft = Draft(Kind.POST, Post(step.text), "general")
        if step.name == "delete":
            target = own[self._story[step.target].time_ms].id
            draft = Draft(Kind.DELETE, None, "general", {"target": target})
        (record,) = await node.publish(draft)
        return record

    async def _own(self, node: Node) -> dict[int, Record]:
        """Return what this node's agent wrote, by the time of the step."""
        query: Any = Query(agent=node.agent, deleted=True, limit=1_000)
        page = await node.query(query)
        return {each.record.header.time_ms: each.record for each in page.records}


if __name__ == "__main__":
    main()

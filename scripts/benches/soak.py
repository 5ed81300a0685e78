"""`soak`: a bootstrap peer and 40 others that post, come and go; a round is a minute.

The bootstrap peer is a process of its own, and its memory is what is looked at, after
a warm-up that is busier than what follows; the others share one process. At the end
nobody goes any more, and every post that was acknowledged must be in every store.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import trio

from moltp2p.core.author import Draft
from moltp2p.core.errors import MoltError
from moltp2p.core.ids import RecordId
from moltp2p.core.kinds import Kind, Post
from moltp2p.core.topics import NetworkParams
from moltp2p.node.config import Config
from moltp2p.node.home import Home
from moltp2p.node.node import Node, open_node
from scripts.benches.outcome import Outcome
from scripts.benches.peers import Peer, Side, open_peer

BOOTSTRAP: Final = Side(
    "bootstrap", (sys.executable, "-m", "scripts.benches.bootstrap_peer", "crowd")
)
OTHERS: Final = 40
TARGET_PEERS: Final = 4
POSTS_EACH_S: Final = 0.5
CHURN_EACH_S: Final = 6.0
"""One leaves so often, and comes back as long after."""
SAMPLE_EACH_S: Final = 5.0
WARM_UP: Final = 1 / 3
"""How long memory may take first to find its level, as a share of the time counted."""
WARM_UP_PACE: Final = 2.0
"""How many times as busy they are meanwhile."""
SETTLE_S: Final = 300.0


@dataclass(slots=True)
class Soak:
    """What went on.

    Attributes:
        nodes: those that run now, by number.
        posted: what was acknowledged.
        visits: how often a node came.
        samples: bytes that the bootstrap peer holds, each with its second. Pages of
            files, which the kernel takes back as it likes, are left out.
        warm: the second that the warm-up ended.
    """

    nodes: dict[int, Node] = field(default_factory=dict)
    posted: list[RecordId] = field(default_factory=list)
    visits: int = 0
    samples: list[tuple[float, float]] = field(default_factory=list)
    warm: float = 0.0


class Villager:
    """One node that comes and goes.

    Args:
        soak: where it is entered.
        number: which one it is.
        config: how it runs.
    """

    def __init__(self, soak: Soak, number: int, config: Config) -> None:
        self._soak = soak
        self._number = number
        self._config = config
        self._leave = trio.Event()
        self._gone = trio.Event()

    async def live(self, task_status: trio.TaskStatus[None]) -> None:
        """Run until told to leave; started once it is there."""
        self._leave, self._gone = trio.Event(), trio.Event()
        async with open_node(self._config) as node:
            self._soak.nodes[self._number] = node
            self._soak.visits += 1
            task_status.started()
            await self._leave.wait()
            del self._soak.nodes[self._number]
        self._gone.set()

    async def leave(self) -> None:
        """Tell it to go, and wait until it has gone."""
        self._leave.set()
        await self._gone.wait()


async def churn(
    houses: trio.Nursery,
    villagers: Sequence[Villager],
    dice: random.Random,
    pace: float,
) -> None:
    """Let one after the other leave and come back, for ever; cancelled, all are in."""
    while True:
        await trio.sleep(CHURN_EACH_S / pace / 2)
        with trio.CancelScope(shield=True):
            one = dice.choice(villagers)
            await one.leave()
            await trio.sleep(CHURN_EACH_S / pace / 2)
            await houses.start(one.live)


async def post(soak: Soak, dice: random.Random, pace: float) -> None:
    """Post for ever, as one or another who is there."""
    while True:
        await trio.sleep(POSTS_EACH_S / pace)
        node = dice.choice(list(soak.nodes.values()))
        text = f"post {len(soak.posted)} of the soak. " * 10
        draft = Draft(Kind.POST, Post(text), f"community-{dice.randrange(8)}")
        try:
            with trio.CancelScope(shield=True):
                (record,) = await node.publish(draft)
        except MoltError:
            continue  # it was leaving: nothing was acknowledged
        soak.posted.append(record.id)


async def watch(soak: Soak, boot: Peer) -> None:
    """Note the bootstrap peer's memory, for ever."""
    while True:
        with trio.CancelScope(shield=True):
            state = await boot.ask("state")
        held = float(state["rss"] - state["mapped"])
        soak.samples.append((trio.current_time(), held))
        await trio.sleep(SAMPLE_EACH_S)


async def missing(soak: Soak) -> int:
    """Return how many acknowledged posts are not held, over all the nodes."""
    lost = 0
    for node in soak.nodes.values():
        for record in soak.posted:
            lost += await node.get(record) is None
    return lost


async def settle(soak: Soak, boot: Peer) -> float:
    """Wait until all hold the same; return how long that took, seconds.

    Raises:
        trio.TooSlowError: they do not, after `SETTLE_S`.
    """
    begun = trio.current_time()
    with trio.fail_after(SETTLE_S):
        while True:
            nodes = list(soak.nodes.values())
            found = {(await node.status()).store.fingerprint for node in nodes}
            found.add((await boot.ask("state"))["fingerprint"])
            if len(found) == 1:
                return trio.current_time() - begun
            await trio.sleep(1.0)


async def soak_for(minutes: float, others: int = OTHERS) -> tuple[Soak, Outcome]:
    """Let them be for so many minutes after a warm-up; return that, and the figures."""
    soak, outcome = Soak(), Outcome("soak")
    dice = random.Random(7)  # noqa: S311 - the same each time
    with tempfile.TemporaryDirectory() as folder:
        async with open_peer(BOOTSTRAP) as boot, trio.open_nursery() as houses:
            address = (await boot.ask("address"))["address"]
            villagers = []
            for number in range(others):
                config = _config(Path(folder) / str(number), address, dice)
                villagers.append(Villager(soak, number, config))
                await houses.start(villagers[-1].live)
            for share, pace in ((WARM_UP, WARM_UP_PACE), (1, 1)):
                soak.warm = trio.current_time()
                with trio.move_on_after(60 * minutes * share):
                    async with trio.open_nursery() as doings:
                        doings.start_soon(churn, houses, villagers, dice, pace)
                        doings.start_soon(post, soak, dice, pace)
                        doings.start_soon(watch, soak, boot)
            outcome.add("until all are alike", await settle(soak, boot), "s")
            outcome.add("lost", await missing(soak), "posts")
            state = await boot.ask("state")
            for villager in villagers:
                houses.start_soon(villager.leave)
    outcome.add("posts", len(soak.posted), "")
    outcome.add("visits", soak.visits, "")
    outcome.add("bugs", sum(state["bugs"].values()), "")
    outcome.add("memory at the end", state["rss"] / 2**20, "MiB")
    outcome.add("of that pages of files", state["mapped"] / 2**20, "MiB")
    outcome.add("memory's slope", slope_mb_h(soak.samples, soak.warm), "MB/h")
    return soak, outcome


def slope_mb_h(samples: Sequence[tuple[float, float]], warm: float) -> float:
    """Return how fast memory grows from second `warm` on: least squares, MB/h."""
    kept = [(second, size) for second, size in samples if second >= warm]
    seconds, sizes = zip(*kept, strict=True)
    slope, _ = statistics.linear_regression(seconds, sizes)
    return slope * 3600 / 1e6


def _config(home: Path, address: str, dice: random.Random) -> Config:
    Home(home).init_agent(dice.randbytes)
    return Config(
        home,
        NetworkParams("test-bench"),
        bootstrap=(address,),
        target_peers=TARGET_PEERS,
    )


async def run(rounds: int) -> Outcome:
    """Let them be for so many minutes."""
    _, outcome = await soak_for(rounds)
    outcome.conditions["load"] = (
        f"{OTHERS} nodes in one process and a bootstrap peer in another, {rounds} min;"
        f" a post each {POSTS_EACH_S:g} s, one leaves each {CHURN_EACH_S:g} s; before"
        f" that {WARM_UP * rounds:.2g} min at {WARM_UP_PACE:g} times that pace"
    )
    return outcome

"""The nodes of a benchmark, each in its own process, all spoken to alike.

side       what runs                       what a message costs it
ours       peer_ours.py, a whole node      signed, verified, in a synced LevelDB
py-libp2p  peer_bare.py, its own pubsub    no signature, no store
js-libp2p  peer_js.mjs, its own gossipsub  no signature, no store
js signed  the same, its default policy    signed and verified, no store

A process takes JSON lines on stdin, `{"op": …}`, and answers each with one line:

address    where it listens, a multiaddr
dial       once connected to `address`
state      peers in the topic, mesh peers, messages received and when the last came
           (seconds since 1970), processor seconds, resident bytes; of ours also
           bytes sent by gossip, and duplicates
publish    once `count` messages from `first` on are published, at `rate` a second
           or as fast as publishing returns; when it began and ended
delays     milliseconds from publishing to receiving, of all received so far
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import trio

from tests.interop.js_install import find_node, find_tool, install

HERE: Final = Path(__file__).parent
CORPUS: Final = "MOLTP2P_BENCH_CORPUS"
"""The variable that tells a peer which JSON lines to publish."""

ANSWER_S: Final = 300.0
STOP_S: Final = 10.0
READY_S: Final = 60.0
POLL_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Side:
    """One contestant: its name, and how to start one of its nodes."""

    name: str
    command: tuple[str, ...]


class Peer:
    """A node in a process of its own."""

    def __init__(self, child: trio.Process, stdio: trio.abc.Stream) -> None:
        self._child = child
        self._stdio = stdio
        self._unread = b""

    async def ask(self, op: str, **values: object) -> dict[str, Any]:
        """Send one command, and return its answer.

        Raises:
            RuntimeError: the process has ended, or could not do it.
        """
        await self._stdio.send_all(json.dumps({"op": op, **values}).encode() + b"\n")
        with trio.fail_after(ANSWER_S):
            while b"\n" not in self._unread:
                more = await self._stdio.receive_some()
                if not more:
                    raise RuntimeError("a peer's process has ended")
                self._unread += more
        line, self._unread = self._unread.split(b"\n", 1)
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise RuntimeError(f"{op}: {answer['error']}")
        return answer


def ours() -> Side:
    """Return this project's side."""
    return Side("ours", (sys.executable, "-m", "scripts.benches.peer_ours"))


def bare() -> Side:
    """Return py-libp2p's own pubsub, its protections off."""
    return Side("py-libp2p", (sys.executable, "-m", "scripts.benches.peer_bare"))


def js(*, signed: bool = False) -> Side:
    """Return js-libp2p's gossipsub, installed when it is not yet.

    Args:
        signed: whether it signs and verifies each message, as it does by default.

    Raises:
        NoNodeError: Node is missing.
        InstallError: npm could not install it.
    """
    folder = install(find_tool("npm"))
    program = folder / "peer_js.mjs"
    shutil.copy(HERE / "peer_js.mjs", program)
    name, policy = "js-libp2p", "StrictNoSign"
    if signed:
        name, policy = "js signed", "StrictSign"
    return Side(name, (find_node(), str(program), policy))


@asynccontextmanager
async def open_peer(side: Side) -> AsyncIterator[Peer]:
    """Run one node for the length of the block."""
    child = await trio.lowlevel.open_process(
        list(side.command), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        if child.stdin is None or child.stdout is None:
            raise RuntimeError("a peer's process has no pipes")
        yield Peer(child, trio.StapledStream(child.stdin, child.stdout))
        await child.stdin.aclose()
        with trio.move_on_after(STOP_S):
            await child.wait()
    finally:
        child.kill()
        with trio.CancelScope(shield=True):
            await child.wait()


@asynccontextmanager
async def open_peers(
    side: Side, count: int, dials: int | None = None
) -> AsyncIterator[list[Peer]]:
    """Run nodes that are connected to each other, for the length of the block.

    On entry each knows its peers to be in the topic, and has them in its mesh as
    far as its own parameters want.

    Args:
        side: what runs.
        count: how many nodes.
        dials: how many of those before it each node dials, drawn by lot; None
            for all.
    """
    dice = random.Random(count)  # noqa: S311 - the same graph each time
    degrees = [0] * count
    async with AsyncExitStack() as stack:
        peers = [await stack.enter_async_context(open_peer(side)) for _ in range(count)]
        addresses = [(await peer.ask("address"))["address"] for peer in peers]
        for index, peer in enumerate(peers):
            for other in dice.sample(range(index), min(index, dials or index)):
                await peer.ask("dial", address=addresses[other])
                degrees[index] += 1
                degrees[other] += 1
        with trio.fail_after(READY_S):
            for peer, degree in zip(peers, degrees, strict=True):
                await _until_ready(peer, degree)
        yield peers


async def _until_ready(peer: Peer, others: int) -> None:
    while True:
        state = await peer.ask("state")
        if state["peers"] >= others and state["mesh"] >= min(others, 4):
            return
        await trio.sleep(POLL_S)

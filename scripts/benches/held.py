"""`held`: a hundred connections held by a bootstrap peer; a round is a minute."""

from __future__ import annotations

import sys
from contextlib import AsyncExitStack
from typing import Any, Final

import trio

from moltp2p.core.errors import PeerError
from moltp2p.net.base import Network, Stream
from moltp2p.net.gossip.peering import PROTOCOLS
from moltp2p.net.host import open_host
from moltp2p.net.identify import PING
from moltp2p.net.streams import READ_BYTES
from scripts.benches.outcome import Outcome
from scripts.benches.peers import Side, open_peer

BOOTSTRAP: Final = Side(
    "bootstrap", (sys.executable, "-m", "scripts.benches.bootstrap_peer", "crowd")
)
HELD: Final = 100
PINGS_S: Final = 20.0
"""Each that is held asks so often whether the bootstrap peer is still there."""
PATIENCE_S: Final = 30.0


async def swallow(stream: Stream) -> None:
    """Read what the bootstrap peer gossips, and say nothing."""
    while await stream.receive_some(READ_BYTES):
        pass


async def ping(stranger: Network) -> float:
    """Ask for an answer once; return how long it took, milliseconds.

    Raises:
        PeerError: none came in time, or the connection is gone.
    """
    (info,) = stranger.peers()
    begun = trio.current_time()
    stream = await stranger.open_stream(info.peer, [PING])
    with trio.move_on_after(PATIENCE_S):
        await stream.send_all(bytes(32))
        if await stream.receive_some(32) != bytes(32):
            raise RuntimeError("a ping came back as something else")
        await stream.close()
        return (trio.current_time() - begun) * 1e3
    raise PeerError("too-slow", "no answer")


async def ping_all(crowd: list[Network], answers: list[float]) -> int:
    """Ask for one answer each, one after the other; return how many did not come."""
    late = 0
    for stranger in crowd:
        try:
            answers.append(await ping(stranger))
        except PeerError:
            late += 1
        await trio.sleep(PINGS_S / HELD)
    return late


async def run(rounds: int) -> Outcome:
    """Hold them for so many minutes, and look who is still there."""
    answers: list[float] = []
    late = 0
    async with open_peer(BOOTSTRAP) as boot, AsyncExitStack() as stack:
        address = (await boot.ask("address"))["address"]
        empty = await boot.ask("state")
        crowd: list[Network] = []
        for number in range(HELD):
            host = open_host((9_000 + number).to_bytes(32), [])
            crowd.append(await stack.enter_async_context(host))
            for protocol in PROTOCOLS:
                crowd[-1].handle(protocol, swallow)
            await crowd[-1].dial(address)
        full = await boot.ask("state")
        until = trio.current_time() + 60 * rounds
        while trio.current_time() < until:
            late += await ping_all(crowd, answers)
        last = await boot.ask("state")
        last["stayed"] = sum(len(stranger.peers()) for stranger in crowd)
    outcome = _told(empty, full, last)
    outcome.add("for", rounds, "min")
    outcome.add("answers", len(answers), "pings")
    outcome.add("slowest answer", max(answers), "ms")
    outcome.add("without an answer in time", late, "pings")
    return outcome


def _told(empty: dict[str, Any], full: dict[str, Any], last: dict[str, Any]) -> Outcome:
    outcome = Outcome("held")
    outcome.add("held at the end", last["connections"], f"of {HELD} connections")
    outcome.add("held from the other side", last["stayed"], "connections")
    outcome.add("memory each", (full["rss"] - empty["rss"]) / HELD / 1024, "KiB")
    outcome.add("growth while held", (last["rss"] - full["rss"]) / 2**20, "MiB")
    outcome.add("refused", sum(last["refused"].values()), "")
    outcome.add("bugs", sum(last["bugs"].values()), "")
    return outcome

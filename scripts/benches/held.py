"""`held`: a hundred connections held by a bootstrap peer; a round is a minute."""

from __future__ import annotations

import sys
from contextlib import AsyncExitStack
from typing import Final

import trio

from moltp2p.net.base import Network, Stream
from moltp2p.net.host import open_host
from moltp2p.net.identify import PING
from moltp2p.net.peering import PROTOCOLS
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


async def ping(stranger: Network, slowest: list[float]) -> None:
    """Ask for an answer once; note how long it took, seconds.

    Raises:
        PeerError: the connection is gone.
        trio.TooSlowError: no answer came.
    """
    (info,) = stranger.peers()
    begun = trio.current_time()
    with trio.fail_after(PATIENCE_S):
        stream = await stranger.open_stream(info.peer, [PING])
        await stream.send_all(bytes(32))
        answer = await stream.receive_some(32)
        await stream.close()
    if answer != bytes(32):
        raise RuntimeError("a ping came back as something else")
    slowest.append(trio.current_time() - begun)


async def run(rounds: int) -> Outcome:
    """Hold them for so many minutes, and look who is still there."""
    outcome = Outcome("held")
    answers: list[float] = []
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
            async with trio.open_nursery() as nursery:
                for stranger in crowd:
                    nursery.start_soon(ping, stranger, answers)
            await trio.sleep(PINGS_S)
        last = await boot.ask("state")
    outcome.add("held at the end", last["connections"], f"of {HELD} connections")
    outcome.add("for", rounds, "min")
    outcome.add("answers", len(answers), "pings")
    outcome.add("slowest answer", max(answers) * 1e3, "ms")
    outcome.add("memory each", (full["rss"] - empty["rss"]) / HELD / 1024, "KiB")
    outcome.add("growth while held", (last["rss"] - full["rss"]) / 2**20, "MiB")
    outcome.add("refused", sum(last["refused"].values()), "")
    outcome.add("bugs", sum(last["bugs"].values()), "")
    return outcome

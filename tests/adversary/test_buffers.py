"""What one hostile peer makes a node keep: 5 MB of its own words, 1 MB of ours.

The node is a process of its own (`tests/adversary/victim.py`): what it holds is its
resident memory, Python's own overhead included, shared among many hostile peers.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from typing import Any

import pytest
import trio

from moltp2p.core.errors import PeerError
from moltp2p.core.ids import PeerId
from moltp2p.net.base import Network, Stream
from moltp2p.net.gossip.peering import PROTOCOLS
from moltp2p.net.gossip.rpc_codec import MAX_FRAME_BYTES, encode_rpc, frame
from moltp2p.net.host import open_host
from moltp2p.proto.framing import encode_varint
from moltp2p.proto.gossip.rpc import MAX_MESSAGE_BYTES
from moltp2p.proto.peers import peer_exchange
from scripts.benches.peers import Peer, Side, open_peer
from tests.gossipers import SUBSCRIBE
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.slow

VICTIM = Side("victim", (sys.executable, "-m", "tests.adversary.victim"))
HOSTILE = 8
IN_BYTES = 5_000_000
OUT_BYTES = 1_000_000

Attack = Callable[[Network, PeerId], Awaitable[None]]


async def never_read(stream: Stream) -> None:
    await trio.sleep_forever()


async def half_frames(network: Network, peer: PeerId) -> None:
    """Announce a large frame on every stream that one gets, and send half of it."""
    half = encode_varint(MAX_FRAME_BYTES) + bytes(MAX_FRAME_BYTES // 2)
    for protocol in (*PROTOCOLS, peer_exchange.PROTOCOL, "/ipfs/ping/1.0.0"):
        for _ in range(6):
            with suppress(PeerError), trio.move_on_after(0.1):
                stream = await network.open_stream(peer, [protocol])
                await stream.send_all(half)


async def streams_without_end(network: Network, peer: PeerId) -> None:
    """Open streams in every protocol and never close one."""
    for number in range(80):
        protocol = (*PROTOCOLS, "/ipfs/ping/1.0.0", "/ipfs/id/1.0.0")[number % 4]
        with suppress(PeerError), trio.move_on_after(0.05):
            await network.open_stream(peer, [protocol])


async def listen_and_never_read(network: Network, peer: PeerId) -> None:
    """Join the topic, and read nothing of what is said there."""
    for protocol in PROTOCOLS:
        network.handle(protocol, never_read)
    stream = await network.open_stream(peer, PROTOCOLS)
    await stream.send_all(frame([encode_rpc(SUBSCRIBE)]))


async def warmed_up(victim: Peer) -> dict[str, Any]:
    """Return the victim's state once it has had to do with a peer."""
    address = (await victim.ask("address"))["address"]
    async with open_host(b"w" * 32, []) as friend:
        await listen_and_never_read(friend, await friend.dial(address))
    return await victim.ask("state")


async def attacked(
    victim: Peer, attack: Attack, stack: AsyncExitStack
) -> Sequence[Network]:
    """Let hostile peers do what they do, and stay."""
    address = (await victim.ask("address"))["address"]
    hostile = []
    for number in range(HOSTILE):
        network = await stack.enter_async_context(
            open_host((9000 + number).to_bytes(32), [])
        )
        hostile.append(network)
    async with trio.open_nursery() as nursery:
        for network in hostile:
            peer = await network.dial(address)
            nursery.start_soon(attack, network, peer)
    return hostile


def held_bytes(before: dict[str, Any], after: dict[str, Any]) -> int:
    """Return how much more was held at the worst moment than before."""
    return int(after["peak"] - before["rss"])


@pytest.mark.parametrize("attack", [half_frames, streams_without_end])
async def test_what_a_peer_says_and_nobody_reads_is_bounded(attack: Attack) -> None:
    async with open_peer(VICTIM) as victim, AsyncExitStack() as stack:
        before = await warmed_up(victim)
        await attacked(victim, attack, stack)
        after = await victim.ask("state")

        assert after["bugs"] == 0
        print(f"{held_bytes(before, after) / HOSTILE:.0f} a peer")  # noqa: T201
        assert held_bytes(before, after) / HOSTILE < IN_BYTES


async def test_what_a_peer_does_not_read_is_bounded() -> None:
    """Ten megabytes are said in a topic, among peers who read nothing of it."""
    async with open_peer(VICTIM) as victim, AsyncExitStack() as stack:
        before = await warmed_up(victim)
        await attacked(victim, listen_and_never_read, stack)
        with trio.fail_after(PATIENCE_S):
            while (await victim.ask("state"))["peers"] < HOSTILE:  # noqa: ASYNC110 - it is another process
                await trio.sleep(0.1)
        count = 10_000_000 // MAX_MESSAGE_BYTES
        await victim.ask("publish", count=count, size=MAX_MESSAGE_BYTES, within_s=8)
        after = await victim.ask("state")

        assert after["bugs"] == 0
        assert all(queued < OUT_BYTES for queued in after["queued"])
        # The message cache, 16 MiB, is the node's and not any peer's.
        print(f"{held_bytes(before, after) / HOSTILE:.0f} a peer")  # noqa: T201
        assert held_bytes(before, after) < HOSTILE * OUT_BYTES + 16 * 2**20

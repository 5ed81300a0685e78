"""Why libp2p's Swarm and BasicHost do not run in a node of ours.

Each test shows a defect of the bare library, and fails on the day it is mended.
When all of them fail, `net/switch.py` could stand on the Swarm again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trio
from libp2p.abc import INetStream
from libp2p.peer.peerinfo import info_from_p2p_addr
from libp2p.protocol_muxer.exceptions import MultiselectError
from multiaddr import Multiaddr

from moltp2p.core.errors import PeerError
from moltp2p.core.ids import PeerId
from moltp2p.net.base import Network
from moltp2p.net.host import open_host
from tests.tripwire.bare import TEST, Bare, mended, open_bare

pytestmark = pytest.mark.slow

LOOPBACK = ["/ip4/127.0.0.1/tcp/0"]


@asynccontextmanager
async def stranger() -> AsyncIterator[Network]:
    async with open_host(b"s" * 32, LOOPBACK) as network:
        yield network


async def ends(attack: Callable[[Network, Bare], Awaitable[None]]) -> bool:
    """Tell whether what a stranger does ends a bare host."""
    attacked = False
    ended = True
    try:
        async with open_bare() as bare, stranger() as network:
            await network.dial(bare.address)
            attacked = True
            await attack(network, bare)
            with trio.move_on_after(1) as patience:
                await bare.host.get_network().manager.wait_finished()  # type: ignore[attr-defined]
            ended = not patience.cancelled_caught
    except* (ValueError, MultiselectError):
        # A host that ends raises what ended it: UnicodeDecodeError is a ValueError.
        assert ended
    assert attacked
    return ended


async def test_a_host_that_nobody_attacks_goes_on() -> None:
    async def nothing(network: Network, bare: Bare) -> None: ...

    assert not await ends(nothing)


async def test_c1_a_handler_that_raises_ends_the_swarm() -> None:
    async def handler(stream: INetStream) -> None:
        raise ValueError("a stranger sent something odd")

    async def attack(network: Network, bare: Bare) -> None:
        bare.host.set_stream_handler(TEST, handler)
        await network.open_stream(PeerId(bare.peer), [TEST])

    if not await ends(attack):
        mended("C1, exceptions in handlers", "net/containment.py")


async def test_c1_a_token_that_is_not_utf8_ends_the_swarm() -> None:
    async def attack(network: Network, bare: Bare) -> None:
        stream = await network.open_stream(PeerId(bare.peer), ["/ipfs/ping/1.0.0"])
        muxed = stream._raw._stream  # type: ignore[attr-defined]
        raw = await muxed.muxed_conn.open_stream()
        await raw.write(b"\x13/multistream/1.0.0\n" + b"\x05\xff\xfe\xfd\xfc\n")

    if not await ends(attack):
        mended("C1, tokens that are not UTF-8", "a clause in net/negotiation.py")


async def test_c3_an_inbound_slot_is_never_given_back() -> None:
    async with open_bare(max_connections=2) as bare:
        refused = []
        for _ in range(3):
            async with stranger() as network:
                try:
                    await network.dial(bare.address)
                except PeerError:
                    refused.append(True)
                else:
                    refused.append(False)

    assert refused[:2] == [False, False]
    if not refused[2]:
        mended("C3, inbound slots", "the reason of net/admission.py")


async def test_a_dead_connection_goes_on_being_used() -> None:
    async def read_on(stream: INetStream) -> None:
        while await stream.read(100):
            pass

    async with open_bare() as bare:
        bare.host.set_stream_handler(TEST, read_on)
        async with stranger() as network:
            address = network.addresses()[0]
            info = info_from_p2p_addr(Multiaddr(address))
            await bare.host.connect(info)
            stream = await network.open_stream(PeerId(bare.peer), [TEST])
            await stream.send_all(b"hello")
            await trio.sleep(0.1)
        await trio.sleep(0.5)
        async with open_host(b"s" * 32, [address.partition("/p2p/")[0]]) as network:
            await bare.host.connect(info)
            connected = bool(network.peers())

    if connected:
        mended("the dead connection (swarm_connection.py:149)", "nothing of ours")


async def test_two_hosts_listen_on_one_port() -> None:
    from libp2p.transport.tcp.tcp import TCP  # noqa: PLC0415

    async def ignore(_stream: object) -> None: ...

    one, other = TCP().create_listener(ignore), TCP().create_listener(ignore)
    await one.listen(Multiaddr(LOOPBACK[0]))
    try:
        await other.listen(one.get_addrs()[0])
        await other.close()
    except Exception:  # noqa: BLE001 — any refusal is the cure
        mended("SO_REUSEPORT on listeners", "our own sockets in net/host.py")
    finally:
        await one.close()

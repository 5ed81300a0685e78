"""What only the network on real sockets does."""

from __future__ import annotations

import ipaddress
import socket
from importlib.metadata import version
from types import SimpleNamespace

import psutil
import pytest
import trio
from libp2p.identity.identify.pb.identify_pb2 import Identify
from multiaddr import Multiaddr
from trio.testing import MockClock

from moltp2p.core.errors import LocalError, PeerError, UsageError
from moltp2p.net.base import ConnectionLimits, Stream
from moltp2p.net.circuits import STOP
from moltp2p.net.host import LOOK_S, open_host
from moltp2p.net.identify import IDENTIFY, IDENTIFY_BYTES, PING
from moltp2p.net.streams import FrameReader
from moltp2p.proto.address import parse_address
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.slow

ALICE, BOB = b"a" * 32, b"b" * 32
ANY_PORT = "/ip4/127.0.0.1/tcp/0"
ECHO = "/test/echo/1.0.0"


async def echo(stream: Stream) -> None:
    while data := await stream.receive_some(65536):
        await stream.send_all(data)


async def test_a_seed_is_an_identity() -> None:
    async with open_host(ALICE, []) as one:
        first = one.peer_id
    async with open_host(ALICE, []) as again, open_host(BOB, []) as other:
        assert again.peer_id == first != other.peer_id
        assert first.startswith("12D3Koo")


async def test_a_node_that_does_not_listen_can_dial() -> None:
    async with open_host(ALICE, []) as alice, open_host(BOB, [ANY_PORT]) as bob:
        assert alice.addresses() == []
        await alice.dial(bob.addresses()[0])

        assert [info.peer for info in alice.peers()] == [bob.peer_id]


async def test_addresses_that_a_machine_gets_later_are_told_too(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    ips = ["127.0.0.1"]

    def found() -> dict[str, list[SimpleNamespace]]:
        return {"e": [SimpleNamespace(family=socket.AF_INET, address=ip) for ip in ips]}

    monkeypatch.setattr(psutil, "net_if_addrs", found)
    async with open_host(ALICE, ["/ip4/0.0.0.0/tcp/0"]) as alice:
        before = alice.addresses()
        ips.append("192.168.0.7")
        await trio.sleep(LOOK_S)
        after = alice.addresses()
        ips.remove("127.0.0.1")
        await trio.sleep(LOOK_S)
        at_last = alice.addresses()

    assert [each.split("/")[2] for each in before] == ["127.0.0.1"]
    assert [each.split("/")[2] for each in after] == ["127.0.0.1", "192.168.0.7"]
    assert at_last == after[1:]


@pytest.mark.parametrize("listen", [ANY_PORT, "/ip6/::1/tcp/0"])
async def test_each_family_carries_streams(listen: str) -> None:
    async with open_host(ALICE, [listen]) as alice, open_host(BOB, [listen]) as bob:
        bob.handle(ECHO, echo)
        await alice.dial(bob.addresses()[0])
        stream = await alice.open_stream(bob.peer_id, [ECHO])
        await stream.send_all(b"hello")

        assert await stream.receive_some(100) == b"hello"
        assert parse_address(bob.addresses()[0]).endpoint.port != 0
        (at_bob,) = bob.peers()
        # H15: upstream does not know an IPv6 peer's address.
        assert parse_address(at_bob.address).endpoint.ip.is_loopback


async def test_several_addresses_are_listened_on() -> None:
    listen = [ANY_PORT, "/ip6/::1/tcp/0"]
    async with open_host(BOB, listen) as bob, open_host(ALICE, []) as alice:
        four, six = bob.addresses()
        await alice.dial(six)
        await alice.disconnect(bob.peer_id)
        await alice.dial(four)


async def test_the_wildcard_address_stands_for_real_ones() -> None:
    async with open_host(BOB, ["/ip4/0.0.0.0/tcp/0"]) as bob:
        ips = {parse_address(text).endpoint.ip for text in bob.addresses()}

    assert ipaddress.ip_address("127.0.0.1") in ips
    assert not any(ip.is_unspecified for ip in ips)


async def test_a_port_in_use_is_said_and_nothing_stays_open() -> None:
    async with open_host(BOB, [ANY_PORT]) as bob:
        taken = bob.addresses()[0].partition("/p2p/")[0]
        free = await _free_endpoint()
        with pytest.raises(LocalError) as raised:
            async with open_host(ALICE, [free, taken]):
                pass

    assert raised.value.code == "port-in-use"
    assert "another port" in raised.value.hint
    async with open_host(ALICE, [free]):
        pass


async def test_an_address_of_another_machine_cannot_be_listened_on() -> None:
    with pytest.raises(LocalError) as raised:
        async with open_host(ALICE, ["/ip4/192.0.2.1/tcp/0"]):
            pass

    assert raised.value.code == "cannot-listen"


@pytest.mark.parametrize("text", ["", "/ip4/127.0.0.1", "/dns4/localhost/tcp/0"])
async def test_what_is_no_address_cannot_be_listened_on(text: str) -> None:
    with pytest.raises(UsageError) as raised:
        async with open_host(ALICE, [text]):
            pass

    assert raised.value.code == "bad-address"


async def test_the_port_is_free_again_after_the_block() -> None:
    async with open_host(BOB, [ANY_PORT]) as bob, open_host(ALICE, []) as alice:
        endpoint = bob.addresses()[0].partition("/p2p/")[0]
        await alice.dial(bob.addresses()[0])

    for _ in range(3):
        async with open_host(BOB, [endpoint]):
            pass


async def _free_endpoint() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"/ip4/127.0.0.1/tcp/{server.getsockname()[1]}"


async def test_a_silent_listener_fails_the_dial_in_time() -> None:
    limits = ConnectionLimits(dial_s=0.2)
    async with open_host(ALICE, [], limits=limits) as alice:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            with pytest.raises(PeerError) as raised, trio.fail_after(PATIENCE_S):
                await alice.dial(f"/ip4/127.0.0.1/tcp/{port}/p2p/{_peer_id(BOB)}")

    assert raised.value.code == "dial-failed"


def _peer_id(seed: bytes) -> str:
    from libp2p.crypto import ed25519  # noqa: PLC0415
    from libp2p.peer.id import ID  # noqa: PLC0415

    return str(ID.from_pubkey(ed25519.create_new_key_pair(seed).public_key))


async def test_identify_names_the_key_the_addresses_and_the_protocols() -> None:
    async with open_host(ALICE, []) as alice, open_host(BOB, [ANY_PORT]) as bob:
        bob.handle(ECHO, echo)
        await alice.dial(bob.addresses()[0])
        stream = await alice.open_stream(bob.peer_id, [IDENTIFY])
        message = Identify()
        message.ParseFromString(await FrameReader(stream, IDENTIFY_BYTES).receive(2))

    (listen,) = message.listen_addrs
    assert f"{Multiaddr(listen)}/p2p/{bob.peer_id}" == bob.addresses()[0]
    assert set(message.protocols) == {IDENTIFY, PING, STOP, ECHO}
    assert len(message.public_key) == 36
    assert message.agent_version == f"moltp2p/{version('moltp2p')}"


async def test_ping_sends_back_what_it_gets() -> None:
    async with open_host(ALICE, []) as alice, open_host(BOB, [ANY_PORT]) as bob:
        await alice.dial(bob.addresses()[0])
        stream = await alice.open_stream(bob.peer_id, [PING])
        for number in range(3):
            await stream.send_all(bytes([number]) * 32)
            assert await stream.receive_some(100) == bytes([number]) * 32


async def test_finished_streams_leave_nothing_in_yamux() -> None:
    async with open_host(ALICE, []) as alice, open_host(BOB, [ANY_PORT]) as bob:

        async def impatient(stream: Stream) -> None:
            await stream.receive_some(1)  # and leave the rest unread

        bob.handle(ECHO, impatient)
        await alice.dial(bob.addresses()[0])
        yamuxes = [
            member.connection._yamux
            for network in (alice, bob)
            for member in network._members.values()  # type: ignore[attr-defined]
        ]
        for _ in range(5):
            stream = await alice.open_stream(bob.peer_id, [ECHO])
            await stream.send_all(b"x" * 1000)
            await stream.close()
        stream = await alice.open_stream(bob.peer_id, [ECHO])
        await stream.reset()
        await trio.testing.wait_all_tasks_blocked(0.05)

        for yamux in yamuxes:
            assert not yamux.streams
            assert not yamux.stream_buffers
            assert not yamux.stream_events

"""Our host and js-libp2p's: connections, identify, ping, other people's streams."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest
import trio

from moltp2p.core.errors import PeerError
from moltp2p.core.ids import PeerId
from moltp2p.net.base import Network
from moltp2p.net.host import open_host
from tests.interop.conftest import OpenJs
from tests.interop.js_peer import MESHSUB_1_1, MESHSUB_1_2, WAIT_S, JsOptions
from tests.interop.js_process import JsError, JsProcesses

pytestmark = pytest.mark.slow

IDENTIFY = "/ipfs/id/1.0.0"
PING = "/ipfs/ping/1.0.0"


@pytest.fixture
async def host() -> AsyncIterator[Network]:
    async with open_host(b"o" * 32, ["/ip4/127.0.0.1/tcp/0"]) as host:
        yield host


async def until_peers(host: Network, claim: Callable[[list[PeerId]], bool]) -> None:
    """Wait until `claim` holds of those connected."""
    with trio.fail_after(WAIT_S):
        changes = host.watch()
        while not claim([info.peer for info in host.peers()]):
            await changes.receive()


@pytest.mark.parametrize("dialler", ["js", "ours"])
async def test_js_learns_from_identify_who_we_are(
    open_js: OpenJs, host: Network, dialler: str
) -> None:
    async with open_js(JsOptions()) as js:
        if dialler == "js":
            assert await js.dial(host.addresses()[0]) == host.peer_id
        else:
            assert await host.dial(js.addresses[0]) == js.peer
        await until_peers(host, lambda peers: peers == [js.peer])
        await js.until(lambda: host.peer_id in js.identified)

    identity = js.identified[host.peer_id]
    assert (identity.agent or "").startswith("moltp2p/")
    assert {IDENTIFY, PING} <= set(identity.protocols)
    (address,) = identity.addresses
    assert f"{address}/p2p/{host.peer_id}" == host.addresses()[0]
    await until_peers(host, lambda peers: peers == [])


async def test_js_finds_its_ping_answered(open_js: OpenJs, host: Network) -> None:
    async with open_js(JsOptions()) as js:
        await js.dial(host.addresses()[0])

        answer = await js.send_raw(host.peer_id, PING, b"p" * 32, wanted_bytes=32)

        assert answer.data == b"p" * 32
        assert answer.end == "open"


async def test_we_can_read_what_js_says_of_itself(
    open_js: OpenJs, host: Network
) -> None:
    async with open_js(JsOptions()) as js:
        await host.dial(js.addresses[0])

        stream = await host.open_stream(js.peer, ["/no/such/1.0.0", IDENTIFY])
        said = b""
        with trio.fail_after(WAIT_S):
            while data := await stream.receive_some(4096):
                said += data
        await stream.close()

        assert stream.protocol == IDENTIFY
        assert b"js-libp2p/3." in said
        assert MESHSUB_1_1.encode() in said
        assert MESHSUB_1_2.encode() in said


async def test_a_protocol_that_one_side_lacks_ends_nothing_but_the_stream(
    open_js: OpenJs, host: Network
) -> None:
    async with open_js(JsOptions()) as js:
        await js.dial(host.addresses()[0])

        with pytest.raises(PeerError) as refusal:
            await host.open_stream(js.peer, ["/no/such/1.0.0"])
        with pytest.raises(JsError, match="UnsupportedProtocol"):
            await js.send_raw(host.peer_id, "/no/such/1.0.0", b"?")

        assert refusal.value.code == "protocol-unsupported"
        answer = await js.send_raw(host.peer_id, PING, b"p" * 32, wanted_bytes=32)
        assert answer.data == b"p" * 32


async def test_js_is_told_when_we_hang_up_and_we_when_it_is_killed(
    open_js: OpenJs, js_processes: JsProcesses, host: Network
) -> None:
    process = js_processes.start()
    async with open_js(JsOptions(), process) as js:
        await js.dial(host.addresses()[0])
        await host.disconnect(js.peer)
        await js.until(lambda: host.peer_id not in js.connected)

        await js.dial(host.addresses()[0])
        await until_peers(host, lambda peers: peers == [js.peer])
        process.kill()
        await until_peers(host, lambda peers: peers == [])

    assert host.stats().handler_bugs == {}


async def test_js_reaches_nobody_else_under_our_address(
    open_js: OpenJs, host: Network
) -> None:
    async with open_js(JsOptions()) as js, open_js(JsOptions("other")) as other:
        address = host.addresses()[0].replace(host.peer_id, other.peer)
        with pytest.raises(JsError, match="does not match expected"):
            await js.dial(address)

        with pytest.raises(PeerError) as refusal:
            await host.dial(js.addresses[0].replace(js.peer, other.peer))

        assert refusal.value.code == "wrong-peer"

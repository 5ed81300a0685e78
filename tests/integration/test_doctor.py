"""The doctor on real sockets: each step at which a first peer can fail."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio

from moltp2p.net.base import ConnectionLimits
from moltp2p.net.finding.discovery import Means, open_discovery
from moltp2p.net.finding.names import Names
from moltp2p.net.host import open_host
from moltp2p.net.identify import ping
from moltp2p.node.doctor import probe as probing
from moltp2p.node.doctor.check import Probe
from moltp2p.node.doctor.probe import open_prober
from moltp2p.proto.peers.bootstrap import parse_bootstrap
from tests.acquaintances import peer, wall_ms
from tests.command_line import Home
from tests.name_server import open_name_server

pytestmark = pytest.mark.slow

ANY_PORT = "/ip4/127.0.0.1/tcp/0"


async def probe(target: str, names: Names | None = None) -> list[Probe]:
    async with open_prober(b"p" * 32, names or Names(), wall_ms) as prober:
        return await prober.probe(parse_bootstrap(target))


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "SUBSCRIPTIONS_S", 0.2)


@asynccontextmanager
async def finder() -> AsyncIterator[str]:
    """Run a node that exchanges peers; its clock is 50 s ahead."""
    ahead = Means(lambda: wall_ms() + 50_000)
    async with (
        open_host(b"f" * 32, [ANY_PORT]) as network,
        open_discovery(network, [], random.Random(1), ahead),
    ):
        yield network.addresses()[0]


@asynccontextmanager
async def server(says: bytes) -> AsyncIterator[int]:
    """Listen, and say something that is not libp2p."""

    async def answer(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.send_all(says)

    async with trio.open_nursery() as nursery:
        serve = partial(trio.serve_tcp, answer, 0, host="127.0.0.1")
        (listener,) = await nursery.start(serve)
        yield listener.socket.getsockname()[1]
        nursery.cancel_scope.cancel()


async def test_a_peer_that_is_well_tells_clock_and_address() -> None:
    async with finder() as address:
        (found,) = await probe(address)

    assert found.code == ""
    assert found.seen == "127.0.0.1"
    assert found.ahead_ms is not None
    assert 45_000 < found.ahead_ms < 55_000


async def test_nobody_there_is_refused() -> None:
    with trio.socket.socket() as sock:
        await sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        (found,) = await probe(f"/ip4/127.0.0.1/tcp/{port}/p2p/{peer(1)}")

    assert found.code == "dial-refused"


async def test_a_web_server_fails_the_handshake() -> None:
    async with server(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        (found,) = await probe(f"/ip4/127.0.0.1/tcp/{port}/p2p/{peer(1)}")

    assert found.code == "dial-failed"


async def test_a_node_that_has_no_room_is_told() -> None:
    full = ConnectionLimits(inbound=0)
    async with open_host(b"f" * 32, [ANY_PORT], limits=full) as network:
        (found,) = await probe(network.addresses()[0])

    assert found.code == "dial-turned-away"


async def test_another_node_at_the_address_is_told() -> None:
    async with finder() as address:
        (found,) = await probe(address.rpartition("/")[0] + f"/{peer(1)}")

    assert found.code == "wrong-peer"


async def test_a_libp2p_node_of_something_else_is_told() -> None:
    async with open_host(b"o" * 32, [ANY_PORT]) as network:
        (found,) = await probe(network.addresses()[0])

    assert found.code == "protocol-unsupported"


async def test_a_node_of_a_later_major_is_told_with_what_it_speaks() -> None:
    async with open_host(b"o" * 32, [ANY_PORT]) as network:
        for name in ("/moltp2p/peers/2.0.0", "/moltp2p/\x1b[2J/2.0.0"):
            network.handle(name, ping)
        (found,) = await probe(network.addresses()[0])

    assert found.code == "protocol-unsupported"
    assert found.software.startswith("moltp2p/")
    assert found.protocols == {"/moltp2p/peers/2.0.0"}


async def test_a_name_is_followed_to_each_of_its_peers() -> None:
    async with open_name_server() as dns, finder() as address:
        dns.list_peers("example.org", address, f"/ip4/127.0.0.1/tcp/9/p2p/{peer(1)}")
        found = await probe("/dnsaddr/example.org", dns.names)
        (missing,) = await probe("/dnsaddr/nowhere.org", dns.names)

    assert sorted(each.code for each in found) == ["", "dial-refused"]
    assert all("/dnsaddr/example.org → " in each.target for each in found)
    assert missing.code == "name-unknown"


# -- the command


async def health(home: Home, *words: str) -> tuple[int, dict[str, str]]:
    """Return how the command ended, and the worst of each kind of check."""
    outcome = await home.molt("doctor", *words)
    *checks, last = outcome.lines
    failed = [each for each in checks if each["health"] == "fail"]
    assert (last["failed"], last["checks"]) == (len(failed), len(checks))
    assert outcome.code == bool(failed)
    worst = {each["name"]: each["health"] for each in checks}
    return outcome.code, worst | {each["name"]: each["says"] for each in failed}


async def test_from_a_fresh_home_to_a_node_with_peers(tmp_path: Path) -> None:
    alice = await Home(tmp_path / "alice").init()
    boot = Home(tmp_path / "boot")
    code, found = await health(alice)
    assert code == 1
    assert "no first peer" in found["bootstrap"]
    assert (found["node"], found["clock"]) == ("note", "skipped")

    async with boot.run("--role", "bootstrap") as first:
        code, found = await health(alice, "--bootstrap", first.address)
        assert code == 0
        assert (found["bootstrap"], found["clock"]) == ("ok", "ok")

        code, found = await health(
            alice, "--bootstrap", first.address, "--network", "elsewhere"
        )
        assert code == 1
        assert "it is on network main, not elsewhere" in found["bootstrap"]

        async with alice.run("--bootstrap", first.address) as node:
            await node.has_peers(1)
            code, found = await health(alice)
    assert code == 0
    assert {"node", "store", "listen", "bootstrap", "peers", "clock"} <= set(found)
    assert found["peers"] == "ok"


async def test_a_running_node_whose_first_peer_is_gone(tmp_path: Path) -> None:
    alice = await Home(tmp_path / "alice").init()
    gone = f"/ip4/127.0.0.1/tcp/9/p2p/{peer(1)}"
    async with alice.run("--bootstrap", gone):
        code, found = await health(alice)

    assert code == 1
    assert "the connection is refused" in found["bootstrap"]
    assert found["peers"] == "none is connected"
    assert found["node"] == "ok"

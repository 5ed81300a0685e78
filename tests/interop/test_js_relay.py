"""Circuit relay and AutoNAT between our nodes and js-libp2p's, each in each place."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from libp2p.host.autonat.pb.autonat_pb2 import Message

from moltp2p.core.ids import PeerId
from moltp2p.net.base import Network, Stream
from moltp2p.net.finding.autonat import AutoNat
from moltp2p.net.finding.relaying import RelayService
from moltp2p.net.host import open_host
from moltp2p.proto.address import parse_address
from moltp2p.proto.peers.relay_desk import RelayLimits
from moltp2p.testing.hosts.namespaces import Host
from tests.acquaintances import wall_ms
from tests.interop.js_install import JsInstall
from tests.interop.js_peer import WAIT_S

pytestmark = pytest.mark.slow

ANY_PORT = "/ip4/127.0.0.1/tcp/0"
ECHO = "/test/echo/1.0.0"
WORD = "so it goes " * 500


class Js:
    """A running relay.mjs."""

    def __init__(self, process: trio.Process) -> None:
        self._process = process
        self._rest = b""
        self.address = ""
        self.peer = ""

    async def line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        with trio.fail_after(WAIT_S):
            while b"\n" not in self._rest:
                piece = await self._process.stdout.receive_some()
                assert piece, "it has ended"
                self._rest += piece
        line, _, self._rest = self._rest.partition(b"\n")
        told: dict[str, Any] = json.loads(line)
        return told

    async def echo(self, address: str, word: str) -> str:
        """Let it dial, and say a word; return what it heard."""
        assert self._process.stdin is not None
        command = json.dumps({"address": address, "word": word}) + "\n"
        await self._process.stdin.send_all(command.encode())
        answer = await self.line()
        assert "heard" in answer, answer
        return str(answer["heard"])


@asynccontextmanager
async def open_js(
    install: JsInstall, role: str, relay: str = "", host: Host | None = None
) -> AsyncIterator[Js]:
    """Run a peer, on a host if one is given; it looks for direct ways there."""
    program = str(install.program.with_name("relay.mjs"))
    prefix, where = (host.prefix, [host.ip]) if host else ((), [])
    process = await trio.lowlevel.open_process(
        [*prefix, install.node, program, role, relay, *where],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    js = Js(process)
    try:
        told = await js.line()
        js.peer = told["peer"]
        js.address = next(iter(told["addresses"]), "")
        yield js
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()


async def echo(stream: Stream) -> None:
    while data := await stream.receive_some(65_536):
        await stream.send_all(data)


@asynccontextmanager
async def open_relay() -> AsyncIterator[str]:
    """Run a relay of ours; yields its address."""
    async with open_host(b"r" * 32, [ANY_PORT]) as network:
        RelayService(network, RelayLimits(), wall_ms)
        yield network.addresses()[0]


async def reserve(network: Network, relay: str) -> str:
    """Let a node of ours be reached through a relay; return where."""
    network.handle(ECHO, echo)
    await network.dial(relay)
    await network.reserve(parse_address(relay).peer)
    return f"{relay}/p2p-circuit/p2p/{network.peer_id}"


async def say(network: Network, address: str, word: str) -> str:
    peer = await network.dial(address)
    stream = await network.open_stream(peer, [ECHO])
    await stream.send_all(word.encode())
    heard = b""
    with trio.fail_after(WAIT_S):
        while len(heard) < len(word):
            heard += await stream.receive_some(65_536)
    await stream.close()
    return heard.decode()


async def test_js_reaches_ours_through_our_relay(js_install: JsInstall) -> None:
    async with (
        open_relay() as relay,
        open_host(b"b" * 32, []) as bob,
        open_js(js_install, "dialler") as js,
    ):
        address = await reserve(bob, relay)

        assert await js.echo(address, WORD) == WORD
        assert js.peer in {each.peer for each in bob.peers()}


async def test_ours_reaches_js_through_our_relay(js_install: JsInstall) -> None:
    async with (
        open_relay() as relay,
        open_js(js_install, "reached", relay) as js,
        open_host(b"a" * 32, []) as alice,
    ):
        address = f"{relay}/p2p-circuit/p2p/{js.peer}"

        assert await say(alice, address, WORD) == WORD


async def test_ours_reaches_ours_through_a_js_relay(js_install: JsInstall) -> None:
    async with (
        open_js(js_install, "relay") as js,
        open_host(b"b" * 32, []) as bob,
        open_host(b"a" * 32, []) as alice,
    ):
        address = await reserve(bob, js.address)

        assert await say(alice, address, WORD) == WORD


async def test_js_answers_when_it_is_asked_to_dial_back(js_install: JsInstall) -> None:
    async with (
        open_js(js_install, "dialler") as js,
        open_host(b"a" * 32, [ANY_PORT]) as network,
    ):
        own = [parse_address(each).endpoint for each in network.addresses()]
        of = AutoNat(network, lambda: own, random.Random(1))
        await network.dial(js.address)
        answer = await of._exchange(PeerId(js.peer), own)

    # It dials no private address back, and says so.
    assert answer.status == Message.E_DIAL_REFUSED, answer

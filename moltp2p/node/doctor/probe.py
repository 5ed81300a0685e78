"""Dialling a first peer step by step, to say at which step it fails.

The probe has a key of its own for each run: with the node's it would push the running
node's connection aside.
"""

from __future__ import annotations

import errno
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Final

import trio

from moltp2p.core.errors import LocalError, MoltError, PeerError
from moltp2p.core.ids import PeerId
from moltp2p.net.base import Network, Stream
from moltp2p.net.finding.exchanging import exchange
from moltp2p.net.finding.names import Names
from moltp2p.net.finding.peer_records import open_record
from moltp2p.net.gossip.peering import PROTOCOLS
from moltp2p.net.gossip.rpc_codec import MAX_FRAME_BYTES, decode_rpc
from moltp2p.net.host import open_host
from moltp2p.net.identify import introduced
from moltp2p.net.streams import FrameReader
from moltp2p.node.doctor import versions
from moltp2p.node.doctor.check import Probe
from moltp2p.proto.address import Address
from moltp2p.proto.peers.bootstrap import Bootstrap

CONNECT_S: Final = 8.0
"""How long TCP may take: a dial has ten seconds for that and the handshake."""

FIRST_WORD_S: Final = 1.0
"""How long to wait for its first word: who has no room for us hangs up at once."""

SUBSCRIPTIONS_S: Final = 4.0
"""How long to wait until a peer says which topics it is in."""

MAX_PROBES: Final = 8
"""Addresses probed behind one name."""


@dataclass(slots=True)
class Prober:
    """Dials first peers. Made by `open_prober`."""

    network: Network
    names: Names
    clock_ms: Callable[[], int]
    topics: dict[PeerId, set[str]] = field(default_factory=dict)

    async def probe(self, target: Bootstrap) -> list[Probe]:
        """Return what comes of dialling a first peer, or each behind a name."""
        if isinstance(target, Address):
            return [await self._address(str(target), target)]
        try:
            found = await self.names.look_up(target)
        except LocalError as error:
            return [Probe(str(target), error.code, error.message)]
        return [
            await self._address(f"{target} → {each.endpoint}", each)
            for each in found[:MAX_PROBES]
        ]

    async def _address(self, target: str, address: Address) -> Probe:
        try:
            await _connect(address)
            await self.network.dial(str(address))
        except MoltError as error:
            return Probe(target, error.code, error.message)
        probe = await self._introduced(Probe(target), address.peer)
        try:
            probe = await self._exchanged(probe, address.peer)
        except MoltError as error:
            probe = replace(probe, code=error.code, message=error.message)
        await self.network.disconnect(address.peer)
        return probe

    async def _introduced(self, probe: Probe, peer: PeerId) -> Probe:
        """Return the probe with what the peer runs, if it says so."""
        try:
            says = await introduced(self.network, peer)
        except PeerError:
            return probe
        ours = frozenset(filter(versions.NAME.fullmatch, says.protocols))
        return replace(probe, software=says.software, protocols=ours)

    async def _exchanged(self, probe: Probe, peer: PeerId) -> Probe:
        """Return the probe with what the peer tells of us and others."""
        answer, sent_ms = await exchange(self.network, peer, [], self.clock_ms)
        records = [open_record(each) for each in answer.records]
        return replace(
            probe,
            seen=str(answer.seen),
            ahead_ms=answer.time_ms - (sent_ms + self.clock_ms()) // 2,
            networks=await self._networks(peer),
            told=len([each for each in records if each.peer != peer]),
        )

    async def _networks(self, peer: PeerId) -> frozenset[str] | None:
        """Return the networks of whose topics the peer has told us by now."""
        with trio.move_on_after(SUBSCRIPTIONS_S):
            while peer not in self.topics:  # noqa: ASYNC110 - for a moment, once
                await trio.sleep(0.05)
        if (topics := self.topics.get(peer)) is None:
            return None
        parts = [topic.split("/") for topic in topics]
        return frozenset(each[3] for each in parts if each[1] == "moltp2p")

    async def hear(self, stream: Stream) -> None:
        """Take what a peer says of its topics on its gossip stream."""
        reader = FrameReader(stream, MAX_FRAME_BYTES)
        while frame := await reader.receive():
            said = [each for each in decode_rpc(frame).subscriptions if each.subscribed]
            names = {each.topic for each in said if each.topic.count("/") >= 4}
            if said:
                self.topics.setdefault(stream.peer, set()).update(names)


@asynccontextmanager
async def open_prober(
    seed: bytes, names: Names, clock_ms: Callable[[], int]
) -> AsyncIterator[Prober]:
    """Be ready to dial first peers, for the length of the block.

    Args:
        seed: 32 random bytes, for this block alone.
        names: looks up names.
        clock_ms: our wall clock, milliseconds since 1970 UTC.
    """
    async with open_host(seed, []) as network:
        prober = Prober(network, names, clock_ms)
        for protocol in PROTOCOLS:
            network.handle(protocol, prober.hear)
        yield prober


async def _connect(address: Address) -> None:
    """See whether anybody listens there at all; libp2p says `dial-failed` of much."""
    endpoint = address.endpoint
    try:
        with trio.fail_after(CONNECT_S):
            stream = await trio.open_tcp_stream(str(endpoint.ip), endpoint.port)
    except trio.TooSlowError:
        raise PeerError("dial-timed-out", f"{endpoint} does not answer") from None
    except OSError as error:
        raise PeerError(_word(error), f"{endpoint}: {error}") from None
    async with stream:
        if await _hangs_up(stream):
            raise PeerError("dial-turned-away", f"{endpoint} hangs up at once")


async def _hangs_up(stream: trio.SocketStream) -> bool:
    """Tell whether the other end hangs up before it says a word."""
    with trio.move_on_after(FIRST_WORD_S):
        try:
            return not await stream.receive_some(1)
        except trio.BrokenResourceError:
            return True
    return False  # silent, as some nodes are until they hear something


def _word(error: BaseException) -> str:
    """Return what a failed connection means; trio hides it in a group."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, BaseExceptionGroup):
            inner = inner.exceptions[0]
        elif isinstance(inner, ConnectionRefusedError):
            return "dial-refused"
        elif isinstance(inner, OSError) and inner.errno in {
            errno.ECONNRESET,
            errno.ENOTCONN,  # reset before it was looked at
        }:
            return "dial-turned-away"
        elif isinstance(inner, OSError) and inner.errno in {
            errno.ENETUNREACH,
            errno.EHOSTUNREACH,
        }:
            return "dial-no-route"
        else:
            inner = inner.__cause__
    return "dial-timed-out"

"""AutoNAT on streams: asking peers to dial us, and dialling those that ask.

libp2p's version 1. Whoever is asked dials with a key that it makes for the occasion,
since with its own the two would have two connections, of which one has to go.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Final

import base58
import trio
from google.protobuf.message import DecodeError
from libp2p.host.autonat.pb.autonat_pb2 import Message

from moltp2p.core.errors import LocalError, PeerError, UsageError
from moltp2p.core.ids import PeerId
from moltp2p.net.base import Network, PeerInfo, Stream
from moltp2p.net.log import get_logger
from moltp2p.net.streams import FrameReader, FrameWriter
from moltp2p.proto.address import (
    Address,
    Endpoint,
    IpNetwork,
    can_be_dialled,
    endpoint_bytes,
    parse_address,
    read_endpoint,
    scope_of,
    site_of,
)
from moltp2p.proto.peers.allowance import Allowance
from moltp2p.proto.peers.reachability import (
    DIALS_IN_ALL,
    DIALS_PER_SITE,
    MAX_DIAL_BACKS,
    Reachability,
)

log = get_logger(__name__)

PROTOCOL: Final = "/libp2p/autonat/1.0.0"
MAX_MESSAGE_BYTES: Final = 4_096
MAX_ADDRESSES: Final = 16
ANSWER_S: Final = 30.0
"""How long to wait for an answer: four dials of seven seconds, and some."""

DIAL_BACK_S: Final = 7.0
"""How long one dial for somebody else may take."""


class AutoNat:
    """Asks and answers.

    Args:
        network: where the peers are.
        endpoints: where we say that we can be dialled.
        rng: for whom to ask.

    Attributes:
        reach: what was answered.
    """

    def __init__(
        self,
        network: Network,
        endpoints: Callable[[], Sequence[Endpoint]],
        rng: random.Random,
    ) -> None:
        self.reach = Reachability()
        self._network = network
        self._endpoints = endpoints
        self._rng = rng
        self._dial_backs: Allowance[IpNetwork] = Allowance(DIALS_PER_SITE, DIALS_IN_ALL)
        self._strangers: set[PeerId] = set()

    # -- asking ----------------------------------------------------------------

    async def run(self) -> None:
        """Ask one peer after the other, for ever."""
        while True:
            await trio.sleep(self._rng.uniform(0.5, 1.0) * self.reach.ask_again_s / 2)
            if info := self._next():
                await self.ask(info)
            await trio.sleep(self._rng.uniform(0.5, 1.0) * self.reach.ask_again_s / 2)

    def _next(self) -> PeerInfo | None:
        """Choose whom to ask: somebody that we dialled, and did not ask before."""
        connected = self._network.peers()
        self._strangers &= {each.peer for each in connected}
        peers = [
            each
            for each in connected
            if each.outbound
            and not each.punched  # its way in is open to it alone
            and each.peer not in self._strangers
            and parse_address(each.address).relay is None
        ]
        fresh = [each for each in peers if not self.reach.has_asked(each.peer)]
        return self._rng.choice(fresh or peers) if peers else None

    async def ask(self, info: PeerInfo) -> None:
        """Let one peer dial us, and note what it says."""
        ip = parse_address(info.address).endpoint.ip
        wide = [each for each in self._endpoints() if scope_of(each.ip) >= scope_of(ip)]
        if not wide:
            return
        try:
            answer = await self._exchange(info.peer, wide)
        except PeerError as error:
            if error.code == "protocol-unsupported":
                self._strangers.add(info.peer)
            log.debug("autonat-failed", peer=info.peer, code=error.code)
            return
        if answer.status == Message.OK:
            endpoint = read_endpoint(answer.addr)
            if endpoint in wide:
                self.reach.report(info.peer, endpoint)
        elif answer.status == Message.E_DIAL_ERROR:
            self.reach.report(info.peer, None)

    async def _exchange(
        self, peer: PeerId, endpoints: Sequence[Endpoint]
    ) -> Message.DialResponse:
        mine = Message.PeerInfo(
            id=base58.b58decode(self._network.peer_id),
            addrs=[endpoint_bytes(each) for each in endpoints[:MAX_ADDRESSES]],
        )
        ask = Message(type=Message.DIAL, dial=Message.Dial(peer=mine))
        stream = await self._network.open_stream(peer, [PROTOCOL])
        try:
            await FrameWriter(stream, MAX_MESSAGE_BYTES).send(ask.SerializeToString())
            data = await FrameReader(stream, MAX_MESSAGE_BYTES).receive(ANSWER_S)
        finally:
            await stream.close()
        return _read(data).dialResponse

    # -- answering -------------------------------------------------------------

    async def answer(self, stream: Stream) -> None:
        """Dial whoever asks, at the IP from which it asks and at no other."""
        reader = FrameReader(stream, MAX_MESSAGE_BYTES)
        ask = _read(await reader.receive(DIAL_BACK_S))
        response = await self._response(stream.peer, ask)
        reply = Message(type=Message.DIAL_RESPONSE, dialResponse=response)
        writer = FrameWriter(stream, MAX_MESSAGE_BYTES)
        await writer.send(reply.SerializeToString())

    async def _response(self, peer: PeerId, ask: Message) -> Message.DialResponse:
        asked = ask.dial.peer
        if ask.type != Message.DIAL or asked.id != base58.b58decode(peer):
            return Message.DialResponse(status=Message.E_BAD_REQUEST)
        wanted = [read_endpoint(each) for each in asked.addrs[:MAX_ADDRESSES]]
        info = self._network.info(peer)
        origin = None if info is None else parse_address(info.address)
        if origin is None or origin.relay is not None:
            return Message.DialResponse(status=Message.E_DIAL_REFUSED)
        ip, now = origin.endpoint.ip, trio.current_time()
        usable = [
            each for each in wanted if each and each.ip == ip and can_be_dialled(each)
        ]
        if not usable or not self._dial_backs.take(site_of(ip), now):
            return Message.DialResponse(status=Message.E_DIAL_REFUSED)
        try:
            for endpoint in list(dict.fromkeys(usable))[:MAX_DIAL_BACKS]:
                if await self._reaches(Address(endpoint, peer)):
                    found = endpoint_bytes(endpoint)
                    return Message.DialResponse(status=Message.OK, addr=found)
        except LocalError:  # our own limit, which says nothing of the peer
            return Message.DialResponse(status=Message.E_DIAL_REFUSED)
        return Message.DialResponse(status=Message.E_DIAL_ERROR)

    async def _reaches(self, address: Address) -> bool:
        with trio.move_on_after(DIAL_BACK_S):
            try:
                await self._network.try_out(str(address))
            except (PeerError, UsageError):
                return False
            return True
        return False


def _read(data: bytes) -> Message:
    try:
        return Message.FromString(data)
    except DecodeError as error:
        raise PeerError("malformed", str(error)) from error

"""The two protocols every libp2p peer expects: identify and ping.

js-libp2p starts gossip with a peer only once identify named its protocols.
"""

from __future__ import annotations

import importlib.metadata
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import trio
from google.protobuf.message import DecodeError
from libp2p.crypto.ed25519 import Ed25519PublicKey
from libp2p.identity.identify.pb.identify_pb2 import Identify
from multiaddr import Multiaddr

from moltp2p.core.errors import PeerError
from moltp2p.net.streams import FrameReader, FrameWriter
from moltp2p.proto.ratelimit import Rate, RateLimiter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from moltp2p.core.ids import PeerId, PublicKey
    from moltp2p.net.base import Network, Stream
    from moltp2p.proto.address import Endpoint

IDENTIFY: Final = "/ipfs/id/1.0.0"
PING: Final = "/ipfs/ping/1.0.0"

IDENTIFY_BYTES: Final = 8192  # as go-libp2p reads it at most
PING_BYTES: Final = 32
AGENT: Final = "moltp2p"
ANSWER_S: Final = 5.0
"""How long a peer may take to say who it is."""

MAX_PROTOCOLS: Final = 64
"""Protocols of a peer that are looked at."""

# SPEC 04: "longer than 64 characters or has others than the printable ones of ASCII"
_SOFTWARE: Final = re.compile(r"[ -~]{1,64}")
_PROTOCOL: Final = re.compile(r"/[!-~]{1,127}")

IDENTIFY_RATE: Final = Rate(per_s=1 / 60, burst=8)
"""How often one peer is answered. Once is enough for it, and an answer is six times
as long as the question."""

MAX_PEERS: Final = 1024
"""Peers of whom we remember how often they asked."""


@dataclass(frozen=True, slots=True)
class Introduced:
    """What a peer says of itself; nothing of it is proven.

    Attributes:
        software: what it runs, such as `moltp2p/0.1.0`; "" if it does not say so in
            plain characters.
        protocols: what it speaks.
    """

    software: str
    protocols: frozenset[str]


class Introduction:
    """Tells peers who we are, where we listen and what we speak.

    Args:
        key: the node's public key.
        endpoints: tells where we listen.
        protocols: tells what we speak.
    """

    def __init__(
        self,
        key: PublicKey,
        endpoints: Callable[[], Iterable[Endpoint]],
        protocols: Callable[[], Iterable[str]],
    ) -> None:
        self._key = Ed25519PublicKey.from_bytes(key).serialize()
        self._endpoints = endpoints
        self._protocols = protocols
        # SPEC 04: "`moltp2p/` and its release as its `agentVersion`"
        self._software = f"{AGENT}/{importlib.metadata.version(AGENT)}"
        self._asked: RateLimiter[PeerId] = RateLimiter(IDENTIFY_RATE, MAX_PEERS)

    async def serve(self, stream: Stream) -> None:
        """Answer on one stream; with nothing to whom asks too often."""
        if not self._asked.take(stream.peer, 1, trio.current_time()):
            return
        message = Identify(
            protocol_version="ipfs/0.1.0",
            agent_version=self._software,
            public_key=self._key,
            listen_addrs=[
                Multiaddr(str(each)).to_bytes() for each in self._endpoints()
            ],
            protocols=self._protocols(),
        )
        await FrameWriter(stream, IDENTIFY_BYTES).send(message.SerializeToString())


async def introduced(network: Network, peer: PeerId) -> Introduced:
    """Ask a connected peer who it is.

    Raises:
        PeerError: `malformed`, `too-slow`, and what a stream may raise.
    """
    stream = await network.open_stream(peer, [IDENTIFY])
    try:
        data = await FrameReader(stream, IDENTIFY_BYTES).receive(ANSWER_S)
    finally:
        await stream.close()
    return read_introduction(data)


def read_introduction(data: bytes) -> Introduced:
    """Return what a peer says of itself, as far as it can be shown to people.

    Raises:
        PeerError: `malformed`.
    """
    try:
        message = Identify.FromString(data)
    except DecodeError as error:
        raise PeerError("malformed", str(error)) from error
    protocols = message.protocols[:MAX_PROTOCOLS]
    return Introduced(
        software=message.agent_version if _is(_SOFTWARE, message.agent_version) else "",
        protocols=frozenset(each for each in protocols if _is(_PROTOCOL, each)),
    )


def _is(form: re.Pattern[str], text: object) -> bool:
    # What is not UTF-8 comes out of protobuf as bytes.
    return isinstance(text, str) and form.fullmatch(text) is not None


async def ping(stream: Stream) -> None:
    """Send back what the peer sends, until it has had enough."""
    while data := await stream.receive_some(PING_BYTES):
        await stream.send_all(data)

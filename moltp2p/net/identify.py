"""The two protocols every libp2p peer expects: identify and ping.

js-libp2p starts gossip with a peer only once identify named its protocols.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import trio
from libp2p.crypto.ed25519 import Ed25519PublicKey
from libp2p.identity.identify.pb.identify_pb2 import Identify
from multiaddr import Multiaddr

from moltp2p.net.streams import FrameWriter
from moltp2p.proto.ratelimit import Rate, RateLimiter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from moltp2p.core.ids import PeerId, PublicKey
    from moltp2p.net.base import Stream
    from moltp2p.proto.address import Endpoint

IDENTIFY: Final = "/ipfs/id/1.0.0"
PING: Final = "/ipfs/ping/1.0.0"

IDENTIFY_BYTES: Final = 8192  # as go-libp2p reads it at most
PING_BYTES: Final = 32
AGENT: Final = "moltp2p"

IDENTIFY_RATE: Final = Rate(per_s=1 / 60, burst=8)
"""How often one peer is answered. Once is enough for it, and an answer is six times
as long as the question."""

MAX_PEERS: Final = 1024
"""Peers of whom we remember how often they asked."""


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
        self._asked: RateLimiter[PeerId] = RateLimiter(IDENTIFY_RATE, MAX_PEERS)

    async def serve(self, stream: Stream) -> None:
        """Answer on one stream; with nothing to whom asks too often."""
        if not self._asked.take(stream.peer, 1, trio.current_time()):
            return
        message = Identify(
            protocol_version="ipfs/0.1.0",
            agent_version=AGENT,
            public_key=self._key,
            listen_addrs=[
                Multiaddr(str(each)).to_bytes() for each in self._endpoints()
            ],
            protocols=self._protocols(),
        )
        await FrameWriter(stream, IDENTIFY_BYTES).send(message.SerializeToString())


async def ping(stream: Stream) -> None:
    """Send back what the peer sends, until it has had enough."""
    while data := await stream.receive_some(PING_BYTES):
        await stream.send_all(data)

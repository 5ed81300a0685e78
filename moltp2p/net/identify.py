"""The two protocols every libp2p peer expects: identify and ping.

js-libp2p starts gossip with a peer only once identify named its protocols.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from libp2p.crypto.ed25519 import Ed25519PublicKey
from libp2p.identity.identify.pb.identify_pb2 import Identify
from multiaddr import Multiaddr

from moltp2p.net.streams import FrameWriter

if TYPE_CHECKING:
    from collections.abc import Iterable

    from moltp2p.core.ids import PublicKey
    from moltp2p.net.base import Stream

IDENTIFY: Final = "/ipfs/id/1.0.0"
PING: Final = "/ipfs/ping/1.0.0"

IDENTIFY_BYTES: Final = 8192  # as go-libp2p reads it at most
PING_BYTES: Final = 32
AGENT: Final = "moltp2p"


async def identify(
    stream: Stream, key: PublicKey, endpoints: Iterable[str], protocols: Iterable[str]
) -> None:
    """Tell the peer who we are, where we listen and what we speak."""
    message = Identify(
        protocol_version="ipfs/0.1.0",
        agent_version=AGENT,
        public_key=Ed25519PublicKey.from_bytes(key).serialize(),
        listen_addrs=[Multiaddr(endpoint).to_bytes() for endpoint in endpoints],
        protocols=protocols,
    )
    await FrameWriter(stream, IDENTIFY_BYTES).send(message.SerializeToString())


async def ping(stream: Stream) -> None:
    """Send back what the peer sends, until it has had enough."""
    while data := await stream.receive_some(PING_BYTES):
        await stream.send_all(data)

"""py-libp2p 0.8.1 as it comes: its host, its GossipSub, the protections off."""

from __future__ import annotations

import logging
import struct
from collections.abc import Mapping
from typing import Any, Final

import trio
from libp2p import new_host
from libp2p.crypto import ed25519, x25519
from libp2p.custom_types import TProtocol
from libp2p.network.config import ConnectionConfig
from libp2p.peer.id import ID
from libp2p.peer.peerinfo import info_from_p2p_addr
from libp2p.pubsub.gossipsub import GossipSub
from libp2p.pubsub.pubsub import Pubsub
from libp2p.security.noise import transport as noise
from libp2p.stream_muxer.yamux import yamux
from libp2p.tools.anyio_service import background_trio_service
from multiaddr import Multiaddr

from scripts.benches.corpus import bodies
from scripts.benches.lines import Meter, answer_lines, now, paced

TOPIC: Final = "bench"
STAMP: Final = struct.Struct("!dI")
"""When a message was published, and its number, before its text."""


async def main() -> None:
    """Run the host until stdin ends."""
    logging.disable(logging.CRITICAL)
    texts = [text.encode() for text in bodies()]
    keys = ed25519.create_new_key_pair()
    session_key = x25519.create_new_key_pair().private_key
    listen = [Multiaddr("/ip4/127.0.0.1/tcp/0")]
    host = new_host(
        key_pair=keys,
        sec_opt={noise.PROTOCOL_ID: noise.Transport(keys, session_key)},
        muxer_opt={TProtocol(yamux.PROTOCOL_ID): yamux.Yamux},
        listen_addrs=listen,
        connection_config=ConnectionConfig(min_connections=0, low_watermark=0),
    )
    router = GossipSub(
        [TProtocol("/meshsub/1.1.0")],
        degree=8,
        degree_low=6,
        degree_high=12,
        heartbeat_interval=1,
        adaptive_gossip_enabled=False,
        spam_protection_enabled=False,
        eclipse_protection_enabled=False,
    )
    pubsub = Pubsub(host, router, strict_signing=False)
    meter = Meter()
    async with (
        host.run(listen),
        background_trio_service(router),
        background_trio_service(pubsub),
        trio.open_nursery() as nursery,
    ):
        await pubsub.wait_until_ready()
        nursery.start_soon(count_messages, pubsub, str(host.get_id()), meter)

        async def address(_: dict[str, Any]) -> Mapping[str, object]:
            return {"address": str(host.get_addrs()[0])}

        async def dial(command: dict[str, Any]) -> Mapping[str, object]:
            await host.connect(info_from_p2p_addr(Multiaddr(command["address"])))
            return {}

        async def state(_: dict[str, Any]) -> Mapping[str, object]:
            peers = len(pubsub.peer_topics.get(TOPIC, ()))
            mesh = len(router.mesh.get(TOPIC, ()))
            return {"peers": peers, "mesh": mesh, **meter.state()}

        async def publish(command: dict[str, Any]) -> Mapping[str, object]:
            first = command["first"]

            async def send(number: int) -> None:
                text = texts[(first + number) % len(texts)]
                await pubsub.publish(TOPIC, STAMP.pack(now(), first + number) + text)

            return await paced(command["count"], command["rate"], send)

        async def delays(_: dict[str, Any]) -> Mapping[str, object]:
            return {"delays": meter.delays_ms}

        await answer_lines(
            {
                "address": address,
                "dial": dial,
                "state": state,
                "publish": publish,
                "delays": delays,
            }
        )
        nursery.cancel_scope.cancel()


async def count_messages(pubsub: Pubsub, own: str, meter: Meter) -> None:
    """Count what peers bring."""
    subscription = await pubsub.subscribe(TOPIC)
    while True:
        message = await subscription.get()
        sent, _ = STAMP.unpack_from(message.data)
        if ID(message.from_id).to_string() != own:
            meter.count(sent)


if __name__ == "__main__":
    trio.run(main)

"""libp2p 0.8.1 as it comes: its own host, without any of our containment."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
import trio
from libp2p import new_host
from libp2p.abc import IHost, ISecureConn
from libp2p.crypto import ed25519, x25519
from libp2p.crypto.keys import KeyPair
from libp2p.custom_types import TProtocol
from libp2p.io.trio import TrioTCPStream
from libp2p.network.config import ConnectionConfig
from libp2p.network.connection.raw_connection import RawConnection
from libp2p.peer.id import ID
from libp2p.security.noise import transport as noise
from libp2p.stream_muxer.yamux import yamux
from libp2p.transport.upgrader import TransportUpgrader
from multiaddr import Multiaddr

TEST = TProtocol("/test/1.0.0")


def ask_for(protocol: str) -> bytes:
    """Return what opens yamux stream 1 and proposes `protocol` on it, in one go.

    Gives away a window of a gigabyte, so that only the socket can stop the host.
    """
    line = protocol.encode() + b"\n"
    tokens = b"\x13/multistream/1.0.0\n" + bytes((len(line),)) + line
    return (
        header(yamux.TYPE_WINDOW_UPDATE, yamux.FLAG_SYN, 1, 2**30)
        + header(yamux.TYPE_DATA, 0, 1, len(tokens))
        + tokens
    )


def header(kind: int, flags: int, stream: int, length: int) -> bytes:
    return struct.pack(yamux.YAMUX_HEADER_FORMAT, 0, kind, flags, stream, length)


def mended(what: str, delete: str) -> None:
    """Fail, because upstream mended a defect that we still work around."""
    pytest.fail(f"libp2p mended {what}: delete {delete}, and this test")


class Fake:
    """A secured connection in memory: says what it is told, swallows the rest."""

    is_initiator = False

    def __init__(self, data: bytes) -> None:
        self._data = data

    async def read(self, n: int | None = None) -> bytes:
        if not self._data:
            await trio.sleep_forever()
        return self._take(n)

    def _take(self, n: int | None) -> bytes:
        end = len(self._data) if n is None else n
        taken, self._data = self._data[:end], self._data[end:]
        return taken

    async def write(self, data: bytes) -> None: ...

    async def close(self) -> None: ...


@dataclass
class Bare:
    """A running host of libp2p's own."""

    host: IHost

    @property
    def address(self) -> str:
        return str(self.host.get_addrs()[0])

    @property
    def peer(self) -> str:
        return str(self.host.get_id())


@asynccontextmanager
async def open_bare(max_connections: int = 100) -> AsyncIterator[Bare]:
    keys = ed25519.create_new_key_pair()
    listen = [Multiaddr("/ip4/127.0.0.1/tcp/0")]
    host = new_host(
        key_pair=keys,
        sec_opt={noise.PROTOCOL_ID: _noise(keys)},
        muxer_opt={TProtocol(yamux.PROTOCOL_ID): yamux.Yamux},
        listen_addrs=listen,
        connection_config=ConnectionConfig(
            max_connections=max_connections,
            min_connections=0,
            low_watermark=0,
            high_watermark=max_connections,
        ),
    )
    async with host.run(listen):
        yield Bare(host)


def _noise(keys: KeyPair) -> noise.Transport:
    return noise.Transport(keys, x25519.create_new_key_pair().private_key)


async def dial_raw(address: str) -> ISecureConn:
    """Connect with yamux not running: nobody reads what the host sends."""
    keys = ed25519.create_new_key_pair()
    upgrader = TransportUpgrader(
        {noise.PROTOCOL_ID: _noise(keys)},
        {TProtocol(yamux.PROTOCOL_ID): yamux.Yamux},
    )
    maddr = Multiaddr(address)
    peer = ID.from_string(str(maddr.value_for_protocol("p2p")))
    stream = await trio.open_tcp_stream(
        "127.0.0.1", int(str(maddr.value_for_protocol("tcp")))
    )
    raw = RawConnection(TrioTCPStream(stream), True)
    secured = await upgrader.upgrade_security(raw, True, peer)
    await upgrader.muxer_multistream.select_transport(secured)
    return secured

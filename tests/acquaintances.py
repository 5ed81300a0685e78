"""Peers, their addresses and what they say of themselves, made from numbers."""

from __future__ import annotations

from collections.abc import Iterable

import trio

from moltp2p.core.ids import PeerId, PublicKey
from moltp2p.proto.address import Address, Endpoint, parse_ip, peer_id_of, scope_of
from moltp2p.proto.peers.peer_record import PeerRecord

LOOPBACK, SITE, WORLD = parse_ip("127.0.0.1"), parse_ip("10.0.0.9"), parse_ip("9.9.9.9")
SECRET = b"s" * 32
WALL_MS = 1_800_000_000_000


def wall_ms() -> int:
    """Return the wall clock of a machine on which trio's clock has run since 2027."""
    return WALL_MS + int(trio.current_time() * 1000)


def peer(number: int) -> PeerId:
    return peer_id_of(PublicKey(number.to_bytes(32, "big")))


def address(number: int, ip: str = "9.0.0.1", port: int = 4001) -> Address:
    return Address(Endpoint(parse_ip(ip), port), peer(number))


def spread(number: int, port: int = 4001) -> Address:
    """Return the address of a peer in a /16 of its own."""
    return address(number, f"{20 + number // 200}.{number % 200}.0.1", port)


def records(
    addresses: Iterable[Address], seq: int = WALL_MS, wire: bytes = b""
) -> list[PeerRecord]:
    """Return a record of each address, as if its peer had signed it."""
    return [
        PeerRecord(each.peer, seq, scope_of(each.endpoint.ip), (each,), wire)
        for each in addresses
    ]

"""Where two peers behind routers dial each other."""

from __future__ import annotations

from moltp2p.core.ids import PeerId
from moltp2p.proto.address import (
    Endpoint,
    endpoint_bytes,
    parse_ip,
    read_endpoint,
    without_peer,
)
from moltp2p.proto.peers.allowance import Allowance
from moltp2p.proto.peers.punching import MAX_ENDPOINTS, predicted, usable
from moltp2p.proto.ratelimit import Rate
from tests.acquaintances import LOOPBACK, SITE, WORLD, peer


def at(ip: str, port: int = 4001) -> Endpoint:
    return Endpoint(parse_ip(ip), port)


def test_a_router_is_taken_to_keep_the_port_that_is_listened_on() -> None:
    listening = [at("127.0.0.1"), at("192.168.1.2"), at("fd00::1", 4002)]

    assert predicted([WORLD], listening) == [Endpoint(WORLD, 4001)]
    assert predicted([parse_ip("2a00::1")], listening) == [at("2a00::1", 4002)]
    assert predicted([LOOPBACK], listening) == [at("127.0.0.1")]
    assert predicted([], listening) == []


def test_what_is_nearer_than_the_relay_is_another_place() -> None:
    told = [None, at("127.0.0.1"), at("10.0.0.1"), at("9.0.0.1"), at("9.0.0.1")]

    assert usable(told, WORLD) == [at("9.0.0.1")]
    assert usable(told, SITE) == [at("10.0.0.1"), at("9.0.0.1")]
    assert usable([at("9.0.0.1", 0), at("224.0.0.1"), at("0.0.0.0")], LOOPBACK) == []  # noqa: S104
    assert len(usable([at("9.0.0.1", n) for n in range(1, 9)], WORLD)) == MAX_ENDPOINTS


def test_an_address_may_name_its_peer() -> None:
    suffix = b"\xa5\x03\x26" + bytes.fromhex("002408011220") + (7).to_bytes(32, "big")
    data = endpoint_bytes(at("9.0.0.1")) + suffix

    assert read_endpoint(without_peer(data, peer(7))) == at("9.0.0.1")
    assert read_endpoint(without_peer(data, peer(8))) is None
    assert without_peer(data[: -len(suffix)], peer(7)) == data[: -len(suffix)]


def test_one_peer_and_all_together_have_a_limit() -> None:
    allowance: Allowance[PeerId] = Allowance(
        Rate(per_s=0.1, burst=2), Rate(per_s=0.1, burst=3)
    )

    assert [allowance.take(peer(1), 0.0) for _ in range(3)] == [True, True, False]
    assert [allowance.take(peer(2), 0.0) for _ in range(2)] == [True, False]
    assert allowance.take(peer(1), 10.0)

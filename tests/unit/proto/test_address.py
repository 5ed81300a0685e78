"""Addresses: what can be dialled, and how far away it is."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moltp2p.core.errors import UsageError
from moltp2p.core.ids import PublicKey
from moltp2p.proto.address import (
    Address,
    Endpoint,
    Scope,
    parse_address,
    parse_endpoint,
    parse_ip,
    parse_peer_id,
    peer_id_of,
    scope_of,
    subnet_of,
)

PEER = peer_id_of(PublicKey(bytes(32)))

usable_ips = st.ip_addresses().filter(
    lambda ip: not (ip.is_unspecified or ip.is_multicast)
)
addresses = st.builds(
    Address,
    st.builds(Endpoint, usable_ips, st.integers(1, 65535)),
    st.builds(peer_id_of, st.binary(min_size=32, max_size=32).map(PublicKey)),
)


@given(addresses)
def test_an_address_reads_back_as_written(address: Address) -> None:
    if getattr(address.endpoint.ip, "scope_id", None) is None:
        assert parse_address(str(address)) == address


@given(st.text(max_size=200))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    for parse in (parse_address, parse_endpoint):
        with pytest.raises(UsageError) as raised:
            parse(text)
        assert raised.value.code == "bad-address"
        assert raised.value.hint


@pytest.mark.parametrize(
    "text",
    [
        f"/ip4/127.0.0.1/tcp/+1/p2p/{PEER}",
        f"/ip4/127.0.0.1/tcp/\uff11/p2p/{PEER}",
        f"/ip4/127.0.0.1/tcp/000001/p2p/{PEER}",
        f"/ip4/127.0.0.1/tcp/1/p2p/{PEER}/p2p-circuit",
        f"/ip4/127.0.0.1/tcp/1/ws/p2p/{PEER}",
        f"/ip4/0.0.0.0/tcp/1/p2p/{PEER}",
        f"/ip4/224.0.0.1/tcp/1/p2p/{PEER}",
        f"/ip6/127.0.0.1/tcp/1/p2p/{PEER}",
        f"/ip4/::1/tcp/1/p2p/{PEER}",
        f"/ip6/fe80::1%eth0/tcp/1/p2p/{PEER}",
        f"/dns4/example.org/tcp/1/p2p/{PEER}",
        f"/ip4/127.0.0.1/tcp/1/p2p/{PEER[:-1]}",
        f"/ip4/127.0.0.1/tcp/1/p2p/{PEER}1",
        "/ip4/127.0.0.1/tcp/1/p2p/0OIl",
        f"/ip4/127.0.0.1/tcp/1/p2p/{'1' * 200}",
    ],
)
def test_what_nobody_could_dial_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_address(text)

    assert raised.value.code == "bad-address"


def test_an_ipv6_address_has_one_spelling_once_read() -> None:
    address = parse_address(f"/ip6/0:0:0:0:0:0:0:1/tcp/1/p2p/{PEER}")

    assert str(address) == f"/ip6/::1/tcp/1/p2p/{PEER}"


def test_port_0_is_for_listening_alone() -> None:
    assert parse_endpoint("/ip4/0.0.0.0/tcp/0").port == 0


def test_a_peer_id_is_that_of_libp2p() -> None:
    # From the libp2p peer-id specification's Ed25519 test vector.
    key = PublicKey(
        bytes.fromhex(
            "1ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e"
        )
    )
    assert peer_id_of(key) == "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq"
    assert parse_peer_id(peer_id_of(key)) == peer_id_of(key)


@pytest.mark.parametrize(
    ("ip", "scope"),
    [
        ("127.0.0.1", Scope.MACHINE),
        ("::1", Scope.MACHINE),
        ("::ffff:127.0.0.1", Scope.MACHINE),
        ("10.1.2.3", Scope.SITE),
        ("192.168.1.1", Scope.SITE),
        ("100.64.0.1", Scope.SITE),
        ("fd00::1", Scope.SITE),
        ("fec0::1", Scope.SITE),
        ("8.8.8.8", Scope.WORLD),
        ("2001:4860:4860::8888", Scope.WORLD),
        ("0.0.0.0", Scope.NOWHERE),  # noqa: S104 — nobody binds it
        ("224.0.0.1", Scope.NOWHERE),
        ("169.254.1.1", Scope.NOWHERE),
        ("fe80::1", Scope.NOWHERE),
        ("240.0.0.1", Scope.NOWHERE),
    ],
)
def test_the_scope_says_from_where_it_can_be_reached(ip: str, scope: Scope) -> None:
    assert scope_of(ipaddress.ip_address(ip)) is scope


def test_neighbours_are_counted_together() -> None:
    assert subnet_of(parse_ip("10.1.2.3")) == subnet_of(parse_ip("10.1.2.200"))
    assert subnet_of(parse_ip("::ffff:10.1.2.3")) == subnet_of(parse_ip("10.1.2.4"))
    assert subnet_of(parse_ip("2001:db8::1")) == subnet_of(parse_ip("2001:db8::2:0:1"))
    assert subnet_of(parse_ip("2001:db8::1")) != subnet_of(parse_ip("2001:db8:0:1::1"))

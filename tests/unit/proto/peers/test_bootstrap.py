"""First peers as operators write them."""

from __future__ import annotations

import pytest

from moltp2p.core.errors import UsageError
from moltp2p.proto.address import Address
from moltp2p.proto.peers.bootstrap import HostName, NameList, parse_bootstrap
from tests.acquaintances import peer

ALICE = peer(1)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (f"/ip4/9.0.0.1/tcp/4001/p2p/{ALICE}", Address),
        (f"/ip6/2a00::1/tcp/4001/p2p/{ALICE}", Address),
        (f"/dns4/example.org/tcp/4001/p2p/{ALICE}", HostName),
        (f"/dns6/example.org/tcp/4001/p2p/{ALICE}", HostName),
        (f"/dns/a-b.example.org/tcp/65535/p2p/{ALICE}", HostName),
        ("/dnsaddr/example.org", NameList),
        (f"/dnsaddr/_x.example.org/p2p/{ALICE}", NameList),
    ],
)
def test_addresses_and_names_read_back_as_written(text: str, kind: type) -> None:
    read = parse_bootstrap(text)

    assert isinstance(read, kind)
    assert str(read) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "example.org:4001",
        "/dns4/example.org/tcp/4001",
        f"/dns4/example.org/tcp/0/p2p/{ALICE}",
        f"/dns4/example.org/tcp/65536/p2p/{ALICE}",
        f"/dns4/example.org/udp/4001/quic-v1/p2p/{ALICE}",
        f"/dns4//tcp/4001/p2p/{ALICE}",
        f"/dns4/-example.org/tcp/4001/p2p/{ALICE}",
        f"/dns4/ex ample.org/tcp/4001/p2p/{ALICE}",
        "/dnsaddr/example.org/p2p/QmNobody",
        "/dnsaddr/" + "a" * 64,
        "/dnsaddr/" + "a." * 130,
        "/dnsaddr/é.org",
        "/ip4/9.0.0.1/tcp/4001",
    ],
)
def test_anything_else_is_refused_with_a_hint(text: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_bootstrap(text)

    assert raised.value.code == "bad-address"
    assert raised.value.hint

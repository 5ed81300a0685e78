"""What a stranger says of itself, as far as it can be shown to people."""

from __future__ import annotations

import pytest
from libp2p.identity.identify.pb.identify_pb2 import Identify

from moltp2p.core.errors import PeerError
from moltp2p.net.identify import MAX_PROTOCOLS, read_introduction


def said(software: str, *protocols: str) -> bytes:
    return Identify(agent_version=software, protocols=protocols).SerializeToString()


def test_plain_words_are_taken_as_they_are() -> None:
    found = read_introduction(said("moltp2p/0.9.0", "/moltp2p/peers/2.0.0"))

    assert found.software == "moltp2p/0.9.0"
    assert found.protocols == {"/moltp2p/peers/2.0.0"}


@pytest.mark.parametrize(
    "software", ["x" * 65, "a\x1b[2J", "a\n", "caf\xe9", "\u202ex"]
)
def test_what_could_mislead_people_is_passed_over(software: str) -> None:
    assert read_introduction(said(software)).software == ""


def test_what_is_no_text_is_passed_over() -> None:
    data = said("xxx", "/yyy").replace(b"x", b"\xff").replace(b"y", b"\xfe")

    found = read_introduction(data)

    assert (found.software, found.protocols) == ("", frozenset())


def test_only_so_many_protocols_are_looked_at_and_no_odd_ones() -> None:
    many = [f"/p/{n}" for n in range(1_000)]

    assert len(read_introduction(said("", *many)).protocols) == MAX_PROTOCOLS
    odd = ["", "no/slash", "/x" * 65, "/with space", "/\x1b"]
    assert read_introduction(said("", *odd)).protocols == frozenset()


def test_what_is_no_message_is_the_peers_fault() -> None:
    with pytest.raises(PeerError, match="malformed"):
        read_introduction(b"\xff\xff")

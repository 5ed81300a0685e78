"""The messages of the peer exchange."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moltp2p.core.codec import encode
from moltp2p.core.errors import PeerError
from moltp2p.proto.address_book import MAX_OFFERED
from moltp2p.proto.peer_exchange import (
    Ask,
    decode_answer,
    decode_ask,
    encode_answer,
    encode_ask,
)

ports = st.lists(st.integers(1, 65535), max_size=4).map(tuple)


@given(ports, ports)
def test_an_ask_reads_back_as_written(
    ip4: tuple[int, ...], ip6: tuple[int, ...]
) -> None:
    assert decode_ask(encode_ask(Ask(ip4, ip6))) == Ask(ip4, ip6)


@given(st.lists(st.text(max_size=160), max_size=MAX_OFFERED))
def test_an_answer_reads_back_as_written(addresses: list[str]) -> None:
    assert decode_answer(encode_answer(addresses)) == addresses


@given(st.binary(max_size=64))
def test_any_bytes_are_a_message_or_refused(data: bytes) -> None:
    for read in (decode_ask, decode_answer):
        with pytest.raises(PeerError):
            read(data)


@pytest.mark.parametrize(
    "value",
    [
        [],
        {},
        {"ip4": []},
        {"ip4": [], "ip6": None},
        {"ip4": [0], "ip6": []},
        {"ip4": [65536], "ip6": []},
        {"ip4": [True], "ip6": []},
        {"ip4": [-1], "ip6": []},
        {"ip4": [1, 2, 3, 4, 5], "ip6": []},
    ],
)
def test_what_is_no_ask_is_refused(value: object) -> None:
    with pytest.raises(PeerError) as raised:
        decode_ask(encode(value))

    assert raised.value.code == "bad-exchange"


@pytest.mark.parametrize(
    "value",
    [
        "peers",
        {},
        {"peers": {}},
        {"peers": [1]},
        {"peers": ["x" * 161]},
        {"peers": [""] * (MAX_OFFERED + 1)},
    ],
)
def test_what_is_no_answer_is_refused(value: object) -> None:
    with pytest.raises(PeerError) as raised:
        decode_answer(encode(value))

    assert raised.value.code == "bad-exchange"


def test_fields_of_later_versions_are_passed_over() -> None:
    assert decode_ask(encode({"ip4": [1], "ip6": [], "quic": [2]})) == Ask((1,), ())
    assert decode_answer(encode({"peers": ["/x"], "signed": b""})) == ["/x"]

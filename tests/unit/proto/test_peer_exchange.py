"""The messages of the peer exchange."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moltp2p.core.codec import encode
from moltp2p.core.errors import PeerError
from moltp2p.proto.address_book import MAX_OFFERED
from moltp2p.proto.peer_exchange import (
    ANSWER_FACTOR,
    ASK_BYTES,
    MAX_MESSAGE_BYTES,
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
    answer = encode_answer(addresses, MAX_MESSAGE_BYTES * 4)

    assert decode_answer(answer) == addresses


@given(ports, ports)
def test_an_ask_is_as_long_as_a_whole_answer_costs(
    ip4: tuple[int, ...], ip6: tuple[int, ...]
) -> None:
    longest = f"/ip6/{':'.join(['ffff'] * 8)}/tcp/65535/p2p/{'1' * 52}"
    whole = encode_answer([longest] * MAX_OFFERED, MAX_MESSAGE_BYTES)

    assert len(encode_ask(Ask(ip4, ip6))) == ASK_BYTES
    assert len(whole) <= ANSWER_FACTOR * ASK_BYTES


@given(st.lists(st.text(max_size=160), max_size=MAX_OFFERED), st.integers(8, 3000))
def test_an_answer_leaves_out_what_does_not_fit(
    addresses: list[str], max_bytes: int
) -> None:
    answer = encode_answer(addresses, max_bytes)
    told = decode_answer(answer)

    assert len(answer) <= max_bytes
    assert told == addresses[: len(told)]
    one_more = encode_answer(addresses[: len(told) + 1], MAX_MESSAGE_BYTES * 4)
    assert told == addresses or len(one_more) > max_bytes


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

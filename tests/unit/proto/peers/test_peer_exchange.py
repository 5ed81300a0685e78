"""The messages of the peer exchange, and the records in them."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from libp2p.peer.envelope import consume_envelope

from moltp2p.core.codec import encode
from moltp2p.core.errors import PeerError
from moltp2p.core.keys import Signer
from moltp2p.net.finding.peer_records import open_record, seal_record
from moltp2p.proto.address import (
    Address,
    Endpoint,
    Scope,
    parse_endpoint,
    parse_ip,
    peer_id_of,
)
from moltp2p.proto.peers.peer_exchange import (
    ANSWER_FACTOR,
    ASK_BYTES,
    MAX_ASKED,
    MAX_MESSAGE_BYTES,
    MAX_OFFERED,
    Answer,
    decode_answer,
    decode_ask,
    encode_answer,
    encode_ask,
)
from moltp2p.proto.peers.peer_record import MAX_PEER_RECORD_BYTES, MAX_PER_RECORD
from tests.acquaintances import WALL_MS, WORLD

SIGNER = Signer(b"a" * 32)
some_bytes = st.binary(max_size=MAX_PEER_RECORD_BYTES)


def at(endpoint: Endpoint) -> Address:
    return Address(endpoint, peer_id_of(SIGNER.public))


def answer(*records: bytes) -> Answer:
    return Answer(records, WORLD, WALL_MS)


@given(st.lists(some_bytes, max_size=MAX_ASKED))
def test_an_ask_reads_back_as_written(records: list[bytes]) -> None:
    data = encode_ask(records)

    assert decode_ask(data) == tuple(records)
    assert len(data) >= ASK_BYTES
    assert len(data) == ASK_BYTES or sum(map(len, records)) > ASK_BYTES - 40


@given(st.lists(some_bytes, max_size=MAX_OFFERED), st.integers(80, 6_000))
def test_an_answer_leaves_out_what_does_not_fit(
    records: list[bytes], max_bytes: int
) -> None:
    data = encode_answer(answer(*records), max_bytes)
    told = decode_answer(data)

    assert len(data) <= max_bytes
    assert told == answer(*records[: len(told.records)])
    more = records[: len(told.records) + 1]
    assert len(more) == len(told.records) or (
        len(encode_answer(answer(*more), MAX_MESSAGE_BYTES)) > max_bytes - 1
    )


def test_an_ask_pays_for_fourteen_records_of_two_addresses() -> None:
    endpoints = tuple(
        at(Endpoint(each, 65535)) for each in (WORLD, parse_ip("2a00::1"))
    )
    records = [seal_record(SIGNER, WALL_MS, endpoints).wire] * MAX_OFFERED

    told = decode_answer(encode_answer(answer(*records), ANSWER_FACTOR * ASK_BYTES))

    assert len(told.records) >= 14


@given(st.binary(max_size=64))
def test_any_bytes_are_a_message_or_refused(data: bytes) -> None:
    for read in (decode_ask, decode_answer):
        with pytest.raises(PeerError):
            read(data)


@pytest.mark.parametrize(
    "value", [[bytes(16)], {}, {"peers": "0123456789abcdef"}, {"peers": [1] * 9}]
)
def test_what_is_no_ask_is_refused(value: object) -> None:
    with pytest.raises(PeerError) as raised:
        decode_ask(encode(value))

    assert raised.value.code == "bad-exchange"


# -- records


@given(st.binary(max_size=MAX_PEER_RECORD_BYTES))
def test_any_bytes_are_a_record_or_refused(data: bytes) -> None:
    with pytest.raises(PeerError) as raised:
        open_record(data)

    assert raised.value.code == "bad-peer-record"


@given(st.integers(0, 100), st.integers(1, 255))
def test_a_record_that_was_changed_anywhere_is_refused_or_says_the_same(
    place: int, flip: int
) -> None:
    sealed = seal_record(SIGNER, WALL_MS, (at(Endpoint(WORLD, 4001)),))
    wire = bytearray(sealed.wire)
    wire[place % len(wire)] ^= flip
    with suppress(PeerError):
        read = open_record(bytes(wire))
        assert (read.peer, read.addresses) == (sealed.peer, sealed.addresses)


def test_the_longest_record_fits() -> None:
    endpoints = tuple(at(Endpoint(parse_ip(f"2a00::{n}"), 65535)) for n in range(4))
    sealed = seal_record(SIGNER, 2**63, endpoints)

    assert len(endpoints) == MAX_PER_RECORD
    assert len(sealed.wire) <= MAX_PEER_RECORD_BYTES
    assert open_record(sealed.wire) == sealed


def test_libp2p_reads_our_records() -> None:
    listed = ["/ip4/9.0.0.1/tcp/4001", "/ip6/2a00::1/tcp/4001"]
    endpoints = tuple(at(parse_endpoint(each)) for each in listed)
    sealed = seal_record(SIGNER, WALL_MS, endpoints)

    _, record = consume_envelope(sealed.wire, "libp2p-peer-record")

    assert record.peer_id.to_base58() == peer_id_of(SIGNER.public) == sealed.peer
    assert [str(each) for each in record.addrs] == listed
    assert record.seq == WALL_MS
    assert sealed.scope is Scope.WORLD

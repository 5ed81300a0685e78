"""Rows of the table: what a record is made of, and its judgement."""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256
from typing import Any, cast

import cbor2

from moltp2p.core import codec
from moltp2p.core.errors import PeerError
from moltp2p.core.facts import Overlay
from moltp2p.core.kinds import Kind, parse_body
from moltp2p.core.limits import RECORD_AAD
from moltp2p.core.record import parse, parse_header
from moltp2p.core.topics import NetworkParams
from moltp2p.core.validate import Bench, Road, judge
from moltp2p.core.verdict import Verdict
from moltp2p.store.memory import open_store
from moltp2p.testing.factories import EPOCH_MS, signer
from tests.fuzz import corpus, mutations
from tests.fuzz.parser import Parser, Read

NETWORK = "test-net"
ALICE = signer("alice")


def _cbor(data: bytes) -> None:
    assert codec.encode(codec.decode(data)) == data


def _cose(data: bytes) -> None:
    payload, signature = codec.decode_sign1(data)
    assert codec.encode_sign1(payload, signature) == data


def _record(data: bytes) -> None:
    assert parse(data).wire() == data


def _header(data: bytes) -> None:
    header = parse_header(data)
    assert header.seq >= 0
    assert len(header.signing_key) == 32


def _body(data: bytes) -> None:
    for kind in Kind:
        with suppress(PeerError):
            parse_body(kind, data)


def signed(rng: random.Random, seed: bytes, corpus: Sequence[bytes]) -> bytes:
    """Spoil the header or the body of a record, and sign it as its author would."""
    try:
        record = parse(seed)
    except PeerError:
        return mutations.cbor(rng, seed, corpus)
    payload, _ = codec.decode_sign1(record.sign1)
    header, body = cast("dict[str, Any]", codec.decode(payload)), record.body
    if body is not None and rng.random() < 0.4:
        body = mutations.cbor(rng, body, [body])
        header |= {"body": sha256(body).digest(), "size": len(body)}
    else:
        header = mutations.changed(rng, header)
    payload = cbor2.dumps(header, canonical=True)
    signature = ALICE.sign(codec.signature_input(payload, RECORD_AAD))
    return cbor2.dumps([codec.encode_sign1(payload, signature), body], canonical=True)


def _judge() -> Read:
    """Judge records on top of a store, and keep what the ruling says."""
    store = open_store(NetworkParams(NETWORK))
    bench = Bench(NetworkParams(NETWORK), EPOCH_MS, Road.GOSSIP)

    def read(data: bytes) -> None:
        ruling = judge(data, bench, Overlay(store))
        assert (ruling.verdict is Verdict.ACCEPT) == (ruling.code == "ok")
        if ruling.keep is not None:
            assert ruling.keep.is_signed()
            store.add([ruling.keep], EPOCH_MS)
            assert store.has(ruling.keep.id)

    return read


def _wires() -> list[bytes]:
    return [record.wire() for record in corpus.records()]


ROWS = (
    Parser("judge", _wires, signed, _judge, lasts=5_000),
    Parser(
        "cbor",
        lambda: corpus.inputs("02-encoding", "decode"),
        mutations.cbor,
        lambda: _cbor,
    ),
    Parser(
        "cose",
        lambda: [record.sign1 for record in corpus.records()],
        mutations.raw,
        lambda: _cose,
    ),
    Parser(
        "record",
        lambda: corpus.inputs("03-records", "parse"),
        mutations.cbor,
        lambda: _record,
    ),
    Parser("header", corpus.headers, mutations.cbor, lambda: _header),
    Parser(
        "body",
        lambda: [each.body for each in corpus.records() if each.body is not None],
        mutations.cbor,
        lambda: _body,
    ),
)

from __future__ import annotations

import hashlib

import pytest

from moltp2p.core import codec, record
from moltp2p.core.errors import PeerError
from moltp2p.core.limits import MAX_HEADER_BYTES, MAX_RECORD_BYTES
from moltp2p.testing.factories import TestAgent, signer
from scripts.vectors import forge
from tests.refusal import code_of


def test_the_exact_bytes_are_kept() -> None:
    strange = forge.wire(forge.fields(tomorrow=[{"x": b"y"}]))

    read = record.parse(strange)

    assert read.wire() == strange
    assert read.without_body().sign1 == read.sign1


def test_the_id_is_the_hash_of_the_header_alone() -> None:
    post = TestAgent("alice").post()
    payload, _ = codec.decode_sign1(post.sign1)

    assert post.id == hashlib.sha256(payload).digest()
    assert post.without_body().id == post.id


def test_the_greatest_sizes_are_read_and_one_byte_more_is_not() -> None:
    largest = forge.of_size(MAX_RECORD_BYTES)
    longest = forge.with_header_of(MAX_HEADER_BYTES)

    assert len(record.parse(largest).wire()) == MAX_RECORD_BYTES
    assert record.parse(longest).is_signed()
    for above in (
        forge.of_size(MAX_RECORD_BYTES + 1),
        forge.with_header_of(MAX_HEADER_BYTES + 1),
    ):
        with pytest.raises(PeerError, match="too-large"):
            record.parse(above)


def test_what_is_too_large_is_not_even_read() -> None:
    garbage = b"\xff" * (MAX_RECORD_BYTES + 1)

    assert code_of(lambda: record.parse(garbage)) == "too-large"


def test_a_refusal_never_repeats_much_of_what_was_sent() -> None:
    with pytest.raises(PeerError, match="unsupported-version") as caught:
        record.parse(forge.wire(forge.fields(v="a" * 1_700)))

    assert len(caught.value.message) <= 100


def test_a_signature_counts_for_the_key_that_is_named() -> None:
    alice = TestAgent("alice")
    alice.incept()
    rotated = alice.rotate()
    by_bob = record.parse(forge.wire(forge.fields(), by=signer("bob")))

    assert rotated.is_signed()
    assert not by_bob.is_signed()

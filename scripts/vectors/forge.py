"""Records as a stranger might send them: nothing here looks at what it signs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final

from moltp2p.core import codec
from moltp2p.core.codec import Value
from moltp2p.core.keys import Signer
from moltp2p.core.kinds import Kind
from moltp2p.core.limits import RECORD_AAD
from moltp2p.core.topics import NetworkParams
from moltp2p.testing.factories import EPOCH_MS, signer

Fields = dict[str, Value]

NETWORK: Final = NetworkParams("test-net")
ALICE: Final = signer("alice")
PREV: Final = hashlib.sha256(b"moltp2p test prev").digest()
OTHER: Final = hashlib.sha256(b"moltp2p test other").digest()
POST: Final = codec.encode({"text": "hello"})


def fields(body: bytes | None = POST, **changes: Value) -> Fields:
    """Return a post's header fields, bound to `body`, with some of them changed."""
    made: Fields = {
        "v": 1,
        "net": NETWORK.id,
        "agent": bytes(ALICE.public),
        "kind": int(Kind.POST),
        "seq": 1,
        "prev": PREV,
        "time": EPOCH_MS,
        "community": "general",
    }
    if body is not None:
        made |= {"body": hashlib.sha256(body).digest(), "size": len(body)}
    return made | changes


def without(made: Fields, *names: str) -> Fields:
    """Return fields without some of them."""
    return {name: value for name, value in made.items() if name not in names}


def bare(kind: int, **changes: Value) -> Fields:
    """Return the fields that a header always has, and others."""
    return without(fields(None, kind=kind), "community") | changes


def sign(
    header: Fields | bytes, by: Signer = ALICE, external_aad: bytes = RECORD_AAD
) -> bytes:
    """Return the COSE_Sign1 of a header, whatever it says."""
    payload = header if isinstance(header, bytes) else codec.encode(header)
    signature = by.sign(codec.signature_input(payload, external_aad))
    return codec.encode_sign1(payload, signature)


def wire(
    header: Fields | bytes, body: bytes | None = POST, by: Signer = ALICE
) -> bytes:
    """Return a record, whatever it says."""
    return codec.encode([sign(header, by), body])


def post(body: Mapping[str, Value] | bytes, **changes: Value) -> bytes:
    """Return a post with this body."""
    raw = body if isinstance(body, bytes) else codec.encode(body)
    return wire(fields(raw, **changes), raw)


def of_size(total_bytes: int) -> bytes:
    """Return a post of exactly that size; it has 40,000 characters of text."""
    body: Fields = {"text": "a" * 40_000, "x": "b"}
    missing = total_bytes - len(post(body))
    # One byte more for each length that outgrows its head, found by trying.
    for padding in range(missing, missing - 8, -1):
        record = post(body | {"x": "b" * (1 + padding)})
        if len(record) == total_bytes:
            return record
    raise ValueError(f"no post has {total_bytes} bytes")


def with_header_of(total_bytes: int) -> bytes:
    """Return a post whose header has exactly that size."""
    missing = total_bytes - len(codec.encode(fields(x="")))
    for padding in range(missing, missing - 8, -1):
        header = codec.encode(fields(x="b" * padding))
        if len(header) == total_bytes:
            return wire(header)
    raise ValueError(f"no header has {total_bytes} bytes")

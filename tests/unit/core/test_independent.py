"""Our bytes in the eyes of libraries that have never heard of us, and theirs in ours.

pycose brings an Ed25519 and a Sig_structure of its own; py-multibase and py-cid
spell the names.
"""

from __future__ import annotations

import hashlib
from typing import Any

import cbor2
import cid
import multibase
import pytest
from pycose.algorithms import EdDSA
from pycose.headers import Algorithm
from pycose.keys.curves import Ed25519
from pycose.keys.okp import OKPKey
from pycose.messages.sign1message import Sign1Message

from moltp2p.core import codec, record
from moltp2p.core.ids import agent_text, parse_agent, parse_record_id, record_text
from moltp2p.core.record import Record
from moltp2p.testing.factories import TestAgent, signer

AAD = b"moltp2p/record/1"


def records() -> list[Record]:
    agent = TestAgent("alice")
    agent.delete(agent.reply(agent.post()))
    agent.rotate()
    agent.post("by the second key")
    return agent.records


def cose_key(name: str, generation: int = 0) -> OKPKey:
    seed = hashlib.sha256(f"moltp2p test {name} {generation}".encode()).digest()
    return OKPKey(crv=Ed25519, x=bytes(signer(name, generation).public), d=seed)


def as_message(sign1: bytes) -> Any:
    # Not Sign1Message.decode: pycose 1.1 wants a list where cbor2 6 gives a tuple.
    tagged = cbor2.loads(sign1)
    assert tagged.tag == Sign1Message.cbor_tag
    protected, unprotected, payload, signature = tagged.value
    parts = [protected, dict(unprotected), payload, signature]
    return Sign1Message.from_cose_obj(parts, allow_unknown_attributes=False)


@pytest.mark.parametrize("ours", records(), ids=lambda each: f"seq-{each.header.seq}")
def test_pycose_verifies_what_we_sign(ours: Record) -> None:
    message = as_message(ours.sign1)
    message.key = OKPKey(crv=Ed25519, x=bytes(ours.header.signing_key))

    message.external_aad = AAD
    assert message.get_attr(Algorithm) is EdDSA
    assert message.verify_signature()
    message.external_aad = b""
    assert not message.verify_signature()


def test_we_read_and_verify_what_pycose_signs() -> None:
    body = codec.encode({"text": "hello"})
    header = {
        "v": 1,
        "net": "test-net",
        "agent": bytes(signer("bob").public),
        "kind": 3,
        "seq": 1,
        "prev": bytes(32),
        "time": 1_760_000_000_000,
        "community": "general",
        "body": hashlib.sha256(body).digest(),
        "size": len(body),
    }
    message = Sign1Message(
        phdr={Algorithm: EdDSA},
        payload=cbor2.dumps(header, canonical=True),
        external_aad=AAD,
        key=cose_key("bob"),
    )
    sign1 = message.encode()

    read = record.parse(codec.encode([sign1, body]))

    assert read.is_signed()
    assert read.sign1 == sign1
    assert read.header.signing_key == signer("bob").public


@pytest.mark.parametrize("ours", records(), ids=lambda each: f"seq-{each.header.seq}")
def test_pycose_writes_the_very_bytes_that_we_write(ours: Record) -> None:
    payload, _ = codec.decode_sign1(ours.sign1)
    message = Sign1Message(
        phdr={Algorithm: EdDSA},
        payload=payload,
        external_aad=AAD,
        key=cose_key("alice", 0 if ours.header.key is None else 1),
    )

    assert message.encode() == ours.sign1


@pytest.mark.parametrize("name", ["alice", "bob", "carol"])
def test_py_multibase_spells_an_agent_as_we_do(name: str) -> None:
    agent = TestAgent(name).id
    theirs = multibase.encode("base58btc", b"\xed\x01" + agent).decode()

    assert agent_text(agent) == f"did:key:{theirs}"
    assert parse_agent(f"did:key:{theirs}") == agent
    assert multibase.decode(agent_text(agent).removeprefix("did:key:"))[2:] == agent


@pytest.mark.parametrize("ours", records(), ids=lambda each: f"seq-{each.header.seq}")
def test_py_cid_spells_a_record_as_we_do(ours: Record) -> None:
    payload, _ = codec.decode_sign1(ours.sign1)
    multihash = b"\x12\x20" + hashlib.sha256(payload).digest()
    theirs = cid.make_cid(1, "dag-cbor", multihash)

    assert record_text(ours.id) == theirs.encode("base32").decode()
    assert parse_record_id(theirs.encode("base32").decode()) == ours.id
    assert cid.make_cid(record_text(ours.id)) == theirs

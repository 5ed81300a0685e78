"""Vectors of spec 03, first part: records to write, to name and to read."""

from __future__ import annotations

import base64

import base58

from moltp2p.core import codec
from moltp2p.core.author import Draft
from moltp2p.core.ids import RecordId, record_text
from moltp2p.core.kinds import Kind, Post, Profile
from moltp2p.core.limits import MAX_HEADER_BYTES, MAX_RECORD_BYTES, RECORD_AAD
from moltp2p.core.record import Origin, Record
from moltp2p.testing.factories import TestAgent
from scripts.vectors import forge, judgement
from scripts.vectors.forge import ALICE, OTHER, POST, fields, sign, wire, without
from scripts.vectors.form import Case, spell, to_json


def cases() -> list[Case]:
    """Return the cases of spec 03."""
    return [*_ids(), *_written(), *_unreadable(), *_bad_headers(), *judgement.cases()]


def _ids() -> list[Case]:
    record = RecordId(OTHER)
    text = record_text(record)
    strange = {
        "cid-empty": ("", ""),
        "cid-upper-case": ("base32 with the prefix B", "B" + text[1:].upper()),
        "cid-mixed-case": ("", text[:-1] + text[-1].upper()),
        "cid-base58": ("", "z" + base58.b58encode(_cid(OTHER)).decode()),
        "cid-version-0": ("", base58.b58encode(b"\x12\x20" + OTHER).decode()),
        "cid-raw-codec": ("0x55", _base32(b"\x01\x55\x12\x20" + OTHER)),
        "cid-other-hash": ("sha3-256", _base32(b"\x01\x71\x16\x20" + OTHER)),
        "cid-short": ("31 bytes", _base32(_cid(OTHER)[:-1])),
        "cid-padded": ("", text + "======"),
        "cid-last-bits": ("bits beyond the last byte are not 0", text[:-1] + "b"),
        "cid-not-ascii": ("", text[:-1] + "\u0131"),
    }
    return [
        _case("record-text", "record-text", "", OTHER.hex(), output=text),
        *(
            _case(name, "parse-record-id", note, given, error="bad-record-id")
            for name, (note, given) in strange.items()
        ),
    ]


def _cid(digest: bytes) -> bytes:
    return b"\x01\x71\x12\x20" + digest


def _base32(data: bytes) -> str:
    return "b" + base64.b32encode(data).decode().lower().rstrip("=")


def _written() -> list[Case]:
    payload = codec.encode(fields())
    signed = codec.signature_input(payload, RECORD_AAD)
    agent = TestAgent("alice")
    records = {
        "write-inception": agent.incept(),
        "write-post": agent.post(),
        "write-full-post": agent.write(_full_draft()),
        "write-reply": agent.reply(agent.records[1]),
        "write-profile": agent.write(Draft(Kind.PROFILE, Profile("Alice", "a test"))),
        "write-delete": agent.delete(agent.records[1]),
        "write-rotate": agent.rotate(),
        "write-post-after-rotation": agent.post("with the second key"),
    }
    return [
        _case(
            "sig-structure",
            "signature-input",
            "Sig_structure of RFC 9052",
            payload.hex(),
            output=signed.hex(),
        ),
        *(_seal(name, record) for name, record in records.items()),
    ]


def _full_draft() -> Draft:
    return Draft(
        Kind.POST,
        Post("caf\u00e9", "A title", "pt-BR"),
        "general",
        ai_generated=True,
        origin=Origin("scheduled", "test-kit", "test-model"),
    )


def _seal(name: str, record: Record) -> Case:
    payload, _ = codec.decode_sign1(record.sign1)
    generation = 0 if record.header.key is None else 1
    return _case(
        name,
        "seal",
        "",
        {
            "signer": f"alice {generation}",
            "header": to_json(codec.decode(payload)),
            "body": None if record.body is None else to_json(codec.decode(record.body)),
        },
        output={"wire": record.wire().hex(), "id": record_text(record.id)},
    )


def _unreadable() -> list[Case]:
    good = wire(fields())
    sign1 = sign(fields())
    payload, signature = codec.decode_sign1(sign1)
    doubled = payload.replace(b"\x61v\x01", b"\x61v\x18\x01")
    moved = b"\xaa" + payload[4:] + b"\x61v\x01"  # `v` last instead of first
    tables: dict[str, dict[str, tuple[str, bytes]]] = {
        "too-large": {
            "record-65537": ("", forge.of_size(MAX_RECORD_BYTES + 1)),
            "header-2049": ("", forge.with_header_of(MAX_HEADER_BYTES + 1)),
        },
        "malformed": {
            "empty": ("", b""),
            "truncated": ("the last byte is missing", good[:-1]),
            "truncated-header": ("", _sealed(payload[:-1])),
            "header-is-no-cbor": ("", _sealed(b"\xff")),
            "header-with-float": ("", _sealed(b"\xa1\x61v\xf9\x3c\x00")),
        },
        "not-canonical": {
            "trailing-byte": ("", good + b"\x00"),
            "long-length": ("of sign1", _long_length(sign1)),
            "indefinite": ("", b"\x9f" + good[1:] + b"\xff"),
            "header-long-integer": ("`v` in two bytes", _sealed(doubled)),
            "header-unsorted": ("", _sealed(moved)),
        },
        "bad-envelope": {
            "a-number": ("", b"\x00"),
            "one-part": ("", codec.encode([sign1])),
            "three-parts": ("", codec.encode([sign1, POST, None])),
            "body-not-bytes": ("", codec.encode([sign1, "hello"])),
            "sign1-in-place": ("an array, not bytes", b"\x82" + sign1[1:] + b"\xf6"),
            "sign1-is-no-cbor": ("", codec.encode([b"\xd2\x84", POST])),
            "untagged": ("", codec.encode([sign1[1:], POST])),
            "other-tag": (
                "98, COSE_Sign",
                codec.encode([b"\xd8\x62" + sign1[1:], POST]),
            ),
            "other-algorithm": ("ES256", _envelope(b"\x43\xa1\x01\x26\xa0", sign1)),
            "empty-protected": ("", _envelope(b"\x40\xa0", sign1)),
            "unprotected-header": (
                "a key id",
                _envelope(b"\x43\xa1\x01\x27\xa1\x04\x41\x31", sign1),
            ),
            "short-signature": ("", _signed_with(payload, signature[:63])),
            "long-signature": ("", _signed_with(payload, signature + b"\x00")),
            "detached-payload": (
                "null",
                codec.encode([sign1[:7] + b"\xf6" + sign1[-66:], POST]),
            ),
            "sign1-long-length": (
                "the payload's length in five bytes",
                codec.encode(
                    [
                        sign1[:7]
                        + b"\x5a"
                        + len(payload).to_bytes(4)
                        + payload
                        + sign1[-66:],
                        POST,
                    ]
                ),
            ),
            "sign1-trailing-byte": ("", codec.encode([sign1 + b"\x00", POST])),
        },
        "body-mismatch": {
            "body-mismatch": ("", wire(fields(), codec.encode({"text": "hullo"}))),
            "body-wrong-size": ("", wire(fields(size=len(POST) + 1))),
            "body-unannounced": ("", wire(forge.bare(Kind.DELETE), POST)),
        },
        "unsupported-version": {
            "version-2": ("", wire(fields(v=2))),
            "version-true": ("", wire(fields(v=True))),
            "version-text": ("", wire(fields(v="1"))),
            "no-version": ("", wire(without(fields(), "v"))),
        },
    }
    return [
        _case(name, "parse", note, spell(data), error=error)
        for error, table in tables.items()
        for name, (note, data) in table.items()
    ]


def _sealed(payload: bytes) -> bytes:
    return wire(payload)


def _long_length(sign1: bytes) -> bytes:
    return b"\x82\x5a" + len(sign1).to_bytes(4) + sign1 + codec.encode(POST)


def _envelope(headers: bytes, sign1: bytes) -> bytes:
    """Return a record whose COSE_Sign1 has other headers than ours."""
    return codec.encode([b"\xd2\x84" + headers + sign1[7:], POST])


def _signed_with(payload: bytes, signature: bytes) -> bytes:
    return codec.encode([codec.encode_sign1(payload, signature), POST])


def _bad_headers() -> list[Case]:
    nine: forge.Fields = {f"role-{number}": OTHER for number in range(9)}
    headers: dict[str, forge.Fields | bytes] = {
        "header-is-array": codec.encode([1]),
        "no-network": without(fields(), "net"),
        "no-agent": without(fields(), "agent"),
        "no-kind": without(fields(), "kind"),
        "no-seq": without(fields(), "seq"),
        "no-time": without(fields(), "time"),
        "network-upper-case": fields(net="Test-Net"),
        "network-empty": fields(net=""),
        "network-of-33": fields(net="n" * 33),
        "network-newline": fields(net="test-net\n"),
        "agent-of-31-bytes": fields(agent=bytes(ALICE.public)[:31]),
        "agent-as-text": fields(agent=ALICE.public.hex()),
        "key-is-agent": fields(key=bytes(ALICE.public)),
        "key-null": fields(key=None),
        "kind-negative": fields(kind=-1),
        "kind-as-text": fields(kind="post"),
        "seq-true": fields(seq=True),
        "seq-negative": fields(seq=-1),
        "prev-at-0": fields(seq=0),
        "no-prev": without(fields(), "prev"),
        "time-negative": fields(time=-1),
        "community-of-1": fields(community="a"),
        "community-of-31": fields(community="a" * 31),
        "community-upper-case": fields(community="General"),
        "community-hyphen-first": fields(community="-general"),
        "community-not-ascii": fields(community="g\u00e9n\u00e9ral"),
        "refs-empty": fields(refs={}),
        "refs-as-array": fields(refs=[OTHER]),
        "nine-references": fields(refs=nine),
        "reference-of-31-bytes": fields(refs={"parent": OTHER[:31], "root": OTHER}),
        "role-empty": fields(refs={"": OTHER}),
        "role-of-65": fields(refs={"r" * 65: OTHER}),
        "next-of-31-bytes": fields(next=OTHER[:31]),
        "body-without-size": without(fields(), "size"),
        "size-without-body": without(fields(), "body"),
        "size-true": fields(size=True),
        "size-65537": fields(size=65_537),
        "ai-generated-1": fields(ai_generated=1),
        "origin-empty": fields(origin={}),
        "origin-as-text": fields(origin="scheduled"),
        "trigger-unknown": fields(origin={"trigger": "mood"}),
        "trigger-null": fields(origin={"trigger": None}),
        "framework-empty": fields(origin={"framework": ""}),
        "model-of-65": fields(origin={"model": "m" * 65}),
    }
    return [
        _case(name, "parse", "", spell(wire(header)), error="bad-header")
        for name, header in headers.items()
    ]


def _case(name: str, op: str, note: str, given: object, **result: object) -> Case:
    return {"name": name, "op": op, "note": note, "input": given, **result}

"""Vectors of spec 04: peer ids, addresses, frames, and the peer exchange.

| op | input → output |
|---|---|
| `peer-id` | Ed25519 public key → peer id |
| `address` | text → its parts |
| `frame` | payload → frame |
| `frames` | the longest payload, and a whole stream → its payloads, or the error |
| `peer-record` | envelope → who signed it, when, and where it listens |
| `ask` `answer` | bytes → the message |
| `seal` | a time, and where a node listens → its envelope; the key is 00 01 … 1f |
| `believe` | a record, the IP of who tells it, the time → what may be dialled |
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from libp2p.peer.pb.crypto_pb2 import KeyType
from libp2p.peer.pb.crypto_pb2 import PublicKey as Key
from libp2p.peer.pb.envelope_pb2 import Envelope
from libp2p.peer.pb.peer_record_pb2 import PeerRecord as Payload

from moltp2p.core.codec import Value, encode
from moltp2p.core.ids import PeerId, PublicKey
from moltp2p.core.keys import Signer
from moltp2p.net.finding.peer_records import seal_record
from moltp2p.proto.address import (
    PEER_ID_PREFIX,
    Address,
    endpoint_bytes,
    parse_address,
    parse_endpoint,
    parse_ip,
    peer_id_of,
)
from moltp2p.proto.framing import encode_frame
from moltp2p.proto.peers.peer_exchange import (
    MAX_MESSAGE_BYTES,
    Answer,
    encode_answer,
    encode_ask,
)
from moltp2p.proto.peers.peer_record import PeerRecord
from scripts.vectors.form import Case, spell

KEY: Final = PublicKey(
    bytes.fromhex("1ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e")
)
"""From libp2p's own specification of peer ids."""

SPEC_PEER: Final[PeerId] = peer_id_of(KEY)

SIGNER: Final = Signer(bytes(range(32)))
PEER: Final[PeerId] = peer_id_of(SIGNER.public)
NOW_MS: Final = 1_800_000_000_000
MAX_BYTES: Final = 300

ADDRESSES: Final = {
    "address-ip4": (f"/ip4/192.0.2.1/tcp/4001/p2p/{PEER}", ""),
    "address-ip6": (f"/ip6/2001:db8::1/tcp/4001/p2p/{PEER}", ""),
    "address-ip6-long": (f"/ip6/2001:DB8:0:0::1/tcp/4001/p2p/{PEER}", "as we write it"),
    "address-relayed": (
        f"/ip4/192.0.2.1/tcp/4001/p2p/{SPEC_PEER}/p2p-circuit/p2p/{PEER}",
        "behind a relay",
    ),
    "address-port-65535": (f"/ip4/192.0.2.1/tcp/65535/p2p/{PEER}", ""),
}

BAD_ADDRESSES: Final = {
    "address-empty": ("", ""),
    "address-host-and-port": ("192.0.2.1:4001", ""),
    "address-without-peer": ("/ip4/192.0.2.1/tcp/4001", ""),
    "address-port-0": (f"/ip4/192.0.2.1/tcp/0/p2p/{PEER}", ""),
    "address-port-65536": (f"/ip4/192.0.2.1/tcp/65536/p2p/{PEER}", ""),
    "address-port-signed": (f"/ip4/192.0.2.1/tcp/+1/p2p/{PEER}", ""),
    "address-unspecified": (f"/ip4/0.0.0.0/tcp/4001/p2p/{PEER}", ""),
    "address-multicast": (f"/ip6/ff02::1/tcp/4001/p2p/{PEER}", ""),
    "address-zone": (f"/ip6/fe80::1%eth0/tcp/4001/p2p/{PEER}", ""),
    "address-ip-999": (f"/ip4/999.0.2.1/tcp/4001/p2p/{PEER}", ""),
    "address-wrong-family": (f"/ip4/::1/tcp/4001/p2p/{PEER}", ""),
    "address-dns": (f"/dns4/example.org/tcp/4001/p2p/{PEER}", ""),
    "address-quic": (f"/ip4/192.0.2.1/udp/4001/quic-v1/p2p/{PEER}", ""),
    "address-relay-alone": (f"/ip4/192.0.2.1/tcp/1/p2p/{PEER}/p2p-circuit", ""),
    "address-relayed-by-itself": (
        f"/ip4/192.0.2.1/tcp/1/p2p/{PEER}/p2p-circuit/p2p/{PEER}",
        "",
    ),
    "address-rsa": (
        "/ip4/192.0.2.1/tcp/1/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N",
        "the hash of an RSA key",
    ),
    "address-peer-cut": (f"/ip4/192.0.2.1/tcp/4001/p2p/{PEER[:-1]}", ""),
    "address-peer-alphabet": (f"/ip4/192.0.2.1/tcp/4001/p2p/0{PEER[1:]}", "no base58"),
}

PAYLOADS: Final = {
    "frame-1": (b"a", ""),
    "frame-127": (b"a" * 127, "the longest with a length of one byte"),
    "frame-128": (b"a" * 128, "a length of two bytes"),
    "frame-300": (b"a" * 300, "as much as the protocol allows"),
}

STREAMS: Final[dict[str, list[bytes]]] = {
    "frames-none": [],
    "frames-three": [b"a", b"bc", b"def"],
    "frames-longest": [b"a" * 300, b"b"],
}

BAD_STREAMS: Final = {
    "frame-empty": (b"\x00", "bad-frame", ""),
    "frame-padded": (b"\x81\x00a", "bad-frame", "1 in two bytes"),
    "frame-padded-zero": (b"\x80\x00", "bad-frame", "0 in two bytes"),
    "frame-endless": (b"\x80" * 9, "bad-frame", "nine bytes and no end"),
    "frame-ten-bytes": (b"\xff" * 9 + b"\x01", "bad-frame", "2^64 - 1"),
    "frame-301": (b"\xad\x02", "frame-too-large", "one more than allowed"),
    "frame-huge": (b"\xff" * 8 + b"\x7f", "frame-too-large", "2^63 - 1"),
    "frame-cut": (b"\x05abc", "bad-frame", ""),
    "frame-cut-length": (b"\x80", "bad-frame", ""),
    "frame-then-bad": (b"\x01a\x00", "bad-frame", "one frame, and then the error"),
}

WORLD: Final = ("/ip4/9.0.0.1/tcp/4001", "/ip6/2a00::1/tcp/4001")
SITE: Final = ("/ip4/10.0.0.1/tcp/4001", "/ip4/198.18.0.1/tcp/4001")
MACHINE: Final = ("/ip4/127.0.0.1/tcp/4001",)
"""Of the world; private, the second by RFC 2544; and loopback."""

FOUR: Final = tuple(f"/ip4/9.0.0.{n}/tcp/1" for n in range(1, 5))

QUIC: Final = bytes.fromhex("0409000001910200" + "01cd03")
"""`/ip4/9.0.0.1/udp/512/quic-v1`, a form that we do not dial."""


def sealed(endpoints: Sequence[str], seq: int = NOW_MS) -> bytes:
    """Return our peer's record."""
    parsed = tuple(Address(parse_endpoint(each), PEER) for each in endpoints)
    return seal_record(SIGNER, seq, parsed).wire


def said(record: PeerRecord) -> dict[str, object]:
    """Return what a peer record says."""
    listed = [str(each).removesuffix(f"/p2p/{PEER}") for each in record.addresses]
    return {"peer": record.peer, "seq": record.seq, "addresses": listed}


def enveloped(
    listed: Sequence[bytes],
    about: bytes = PEER_ID_PREFIX + SIGNER.public,
    domain: bytes = b"libp2p-peer-record",
    kind: bytes = b"\x03\x01",
    seq: int = NOW_MS,
) -> bytes:
    """Return an envelope of anything, signed by our peer."""
    addresses = [Payload.AddressInfo(multiaddr=each) for each in listed]
    payload = Payload(peer_id=about, seq=seq, addresses=addresses).SerializeToString()
    signed = b"".join(bytes((len(each),)) + each for each in (domain, kind))
    signed += encode_frame(payload, 1_000)
    return Envelope(
        public_key=Key(Type=KeyType.Ed25519, Data=SIGNER.public),
        payload_type=kind,
        payload=payload,
        signature=SIGNER.sign(signed),
    ).SerializeToString()


def _flipped(wire: bytes) -> bytes:
    return wire[:-1] + bytes((wire[-1] ^ 1,))


def _bytes_of(*endpoints: str) -> list[bytes]:
    return [endpoint_bytes(parse_endpoint(each)) for each in endpoints]


def record_cases() -> list[Case]:
    """Return the vectors of peer records."""
    good: dict[str, tuple[bytes, str, Sequence[str]]] = {
        "record": (sealed(WORLD), "", WORLD),
        "record-one": (sealed(MACHINE), "", MACHINE),
        "record-four": (sealed(FOUR), "", FOUR),
        "record-unknown-address": (
            enveloped([QUIC, *_bytes_of(*WORLD)]),
            "a form that we do not dial is left out",
            WORLD,
        ),
        "record-port-0": (enveloped(_bytes_of("/ip4/9.0.0.1/tcp/0")), "left out", ()),
    }
    bad = {
        "record-empty": (b"", ""),
        "record-cut": (sealed(WORLD)[:-1], ""),
        "record-flipped": (_flipped(sealed(WORLD)), "the last bit of the signature"),
        "record-about-another": (
            enveloped(_bytes_of(*WORLD), about=PEER_ID_PREFIX + KEY),
            "signed by somebody else",
        ),
        "record-other-domain": (enveloped(_bytes_of(*WORLD), domain=b"x"), ""),
        "record-other-type": (enveloped(_bytes_of(*WORLD), kind=b"\x03\x02"), ""),
        "record-no-address": (enveloped([]), ""),
        "record-five": (
            enveloped(_bytes_of(*(f"/ip4/9.0.0.{n}/tcp/1" for n in range(5)))),
            "",
        ),
        "record-scopes": (enveloped(_bytes_of(WORLD[0], SITE[0])), "of two scopes"),
        "record-long": (enveloped([QUIC * 30]), "more than 400 bytes"),
    }
    written = [
        _case(f"seal-{len(listed)}", "seal", {"seq": NOW_MS, "addresses": listed})
        | {"output": sealed(listed).hex()}
        for listed in (list(WORLD), list(FOUR))
    ]
    return written + _read_cases(good, bad)


def _read_cases(
    good: dict[str, tuple[bytes, str, Sequence[str]]],
    bad: dict[str, tuple[bytes, str]],
) -> list[Case]:
    return [
        _case(name, "peer-record", wire.hex(), note)
        | {"output": {"peer": PEER, "seq": NOW_MS, "addresses": list(listed)}}
        for name, (wire, note, listed) in good.items()
    ] + [
        _case(name, "peer-record", wire.hex(), note, error="bad-peer-record")
        for name, (wire, note) in bad.items()
    ]


RECORD: Final = sealed(WORLD)
ANSWER: Final[dict[str, Value]] = {"peers": [], "seen": b"\x09\0\0\1", "time": NOW_MS}

BAD_ASKS: Final[dict[str, tuple[Value, str]]] = {
    "ask-list": ([bytes(16)], ""),
    "ask-without-peers": ({"pad": bytes(16)}, ""),
    "ask-short": ({"pad": bytes(2), "peers": []}, "15 bytes"),
    "ask-text": ({"peers": ["/ip4/9.0.0.1/tcp/1"]}, ""),
    "ask-four": ({"peers": [RECORD] * 4}, ""),
    "ask-long": ({"peers": [bytes(401)]}, ""),
}

BAD_ANSWERS: Final[dict[str, tuple[Value, str]]] = {
    "answer-empty": ({}, ""),
    "answer-map": (ANSWER | {"peers": {}}, ""),
    "answer-number": (ANSWER | {"peers": [4001]}, ""),
    "answer-long": (ANSWER | {"peers": [bytes(401)]}, ""),
    "answer-17": (ANSWER | {"peers": [b""] * 17}, ""),
    "answer-seen-text": (ANSWER | {"seen": "9.0.0.1"}, ""),
    "answer-seen-5": (ANSWER | {"seen": bytes(5)}, "neither IPv4 nor IPv6"),
    "answer-time-negative": (ANSWER | {"time": -1}, ""),
    "answer-time-missing": ({"peers": [], "seen": bytes(4)}, ""),
}

BELIEFS: Final = {
    "believe-loopback": ("127.0.0.1", MACHINE, 0, True, "from this machine"),
    "believe-loopback-site": ("192.168.0.1", MACHINE, 0, False, "from the site"),
    "believe-site": ("192.168.0.1", SITE, 0, True, "from the site"),
    "believe-site-world": ("9.9.9.9", SITE, 0, False, "from anywhere"),
    "believe-world": ("9.9.9.9", WORLD, 0, True, "from anywhere"),
    "believe-old": ("9.9.9.9", WORLD, 259_200_000, True, "as old as it may be"),
    "believe-too-old": ("9.9.9.9", WORLD, 259_200_001, False, ""),
    "believe-ahead": ("9.9.9.9", WORLD, -600_000, True, "as far ahead as it may be"),
    "believe-too-far-ahead": ("9.9.9.9", WORLD, -600_001, False, ""),
}
"""Who tells, what, how long after it was signed, and whether it may be dialled."""


def cases() -> list[Case]:
    """Return the vectors of spec 04."""
    return [
        _case("peer-id", "peer-id", KEY.hex(), output=SPEC_PEER),
        *_address_cases(),
        *_frame_cases(),
        *record_cases(),
        *_exchange_cases(),
    ]


def _case(name: str, op: str, given: object, note: str = "", **result: object) -> Case:
    return {"name": name, "note": note, "op": op, "input": given, **result}


def _address_cases() -> list[Case]:
    good = [
        _case(name, "address", text, note, output=parts(text))
        for name, (text, note) in ADDRESSES.items()
    ]
    bad = [
        _case(name, "address", text, note, error="bad-address")
        for name, (text, note) in BAD_ADDRESSES.items()
    ]
    return good + bad


def parts(text: str) -> dict[str, object]:
    """Return the parts of an address, and how we write it."""
    address = parse_address(text)
    return {
        "ip": str(address.endpoint.ip),
        "port": address.endpoint.port,
        "peer": address.peer,
        "relay": address.relay,
        "text": str(address),
    }


def _frame_cases() -> list[Case]:
    single = [
        _case(name, "frame", spell(payload), note, output=spell(_framed(payload)))
        for name, (payload, note) in PAYLOADS.items()
    ]
    good = [
        _case(name, "frames", _stream(b"".join(map(_framed, payloads))))
        | {"output": [spell(payload) for payload in payloads]}
        for name, payloads in STREAMS.items()
    ]
    bad = [
        _case(name, "frames", _stream(wire), note, error=code)
        for name, (wire, code, note) in BAD_STREAMS.items()
    ]
    return single + good + bad


def _framed(payload: bytes) -> bytes:
    return encode_frame(payload, MAX_BYTES)


def _stream(wire: bytes) -> dict[str, object]:
    return {"max_bytes": MAX_BYTES, "stream": spell(wire)}


def _exchange_cases() -> list[Case]:
    bare = encode({"pad": bytes(3), "peers": []})
    later = encode({"peers": [RECORD], "quic": [4001]})
    answer = Answer((RECORD, sealed(SITE)), parse_ip("9.0.0.1"), NOW_MS)
    told = [
        _case("ask", "ask", spell(encode_ask([RECORD])), output=[RECORD.hex()]),
        _case("ask-bare", "ask", bare.hex(), "gets 80 bytes, which is no record")
        | {"output": []},
        _case("ask-unknown-field", "ask", later.hex(), output=[RECORD.hex()]),
        _case("answer", "answer", encode_answer(answer, MAX_MESSAGE_BYTES).hex())
        | {
            "output": {
                "peers": [each.hex() for each in answer.records],
                "seen": "9.0.0.1",
                "time": NOW_MS,
            }
        },
    ]
    believed = [
        _case(name, "believe", _told(ip, sealed(listed), NOW_MS + age_ms), note)
        | {"output": [f"{each}/p2p/{PEER}" for each in listed] if usable else []}
        for name, (ip, listed, age_ms, usable, note) in BELIEFS.items()
    ]
    return told + believed + _bad_messages()


def _told(ip: str, record: bytes, now_ms: int) -> dict[str, object]:
    return {"from": ip, "record": record.hex(), "now": now_ms}


def _bad_messages() -> list[Case]:
    bad = [
        _case(name, op, encode(value).hex(), note, error="bad-exchange")
        for op, messages in (("ask", BAD_ASKS), ("answer", BAD_ANSWERS))
        for name, (value, note) in messages.items()
    ]
    # {"peers": []} with the length of the key in two bytes; and cut short.
    spelt = {"not-canonical": "a178057065657273" + "80", "malformed": "a16570656572"}
    return bad + [
        _case(f"answer-{code}", "answer", data, error=code)
        for code, data in spelt.items()
    ]

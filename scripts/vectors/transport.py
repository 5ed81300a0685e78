"""Vectors of spec 04: peer ids, addresses, frames, and the peer exchange.

| op | input → output |
|---|---|
| `peer-id` | Ed25519 public key → peer id |
| `address` | text → its parts |
| `frame` | payload → frame |
| `frames` | the longest payload, and a whole stream → its payloads, or the error |
| `ask` `answer` | bytes → the message |
| `believe` | the IP of the peer that answers, the answer → what may be dialled |
"""

from __future__ import annotations

from typing import Final

from moltp2p.core.codec import Value, encode
from moltp2p.core.ids import PeerId, PublicKey
from moltp2p.proto.address import parse_address, peer_id_of
from moltp2p.proto.framing import encode_frame
from moltp2p.proto.peer_exchange import (
    MAX_MESSAGE_BYTES,
    Ask,
    encode_answer,
    encode_ask,
)
from scripts.vectors.form import Case, spell

KEY: Final = PublicKey(
    bytes.fromhex("1ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e")
)
"""From libp2p's own specification of peer ids."""

PEER: Final[PeerId] = peer_id_of(KEY)
MAX_BYTES: Final = 300

ADDRESSES: Final = {
    "address-ip4": (f"/ip4/192.0.2.1/tcp/4001/p2p/{PEER}", ""),
    "address-ip6": (f"/ip6/2001:db8::1/tcp/4001/p2p/{PEER}", ""),
    "address-ip6-long": (f"/ip6/2001:DB8:0:0::1/tcp/4001/p2p/{PEER}", "as we write it"),
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
    "address-relayed": (f"/ip4/192.0.2.1/tcp/1/p2p/{PEER}/p2p-circuit", ""),
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

BAD_ASKS: Final[dict[str, tuple[Value, str]]] = {
    "ask-list": ([], ""),
    "ask-without-ip6": ({"ip4": [4001]}, ""),
    "ask-port-0": ({"ip4": [0], "ip6": []}, ""),
    "ask-port-65536": ({"ip4": [65536], "ip6": []}, ""),
    "ask-port-true": ({"ip4": [True], "ip6": []}, "true is no integer"),
    "ask-five-ports": ({"ip4": [1, 2, 3, 4, 5], "ip6": []}, ""),
}

BAD_ANSWERS: Final[dict[str, tuple[Value, str]]] = {
    "answer-empty": ({}, ""),
    "answer-map": ({"peers": {}}, ""),
    "answer-number": ({"peers": [4001]}, ""),
    "answer-long": ({"peers": ["/" * 161]}, ""),
    "answer-33": ({"peers": ["/"] * 33}, ""),
}

NEIGHBOURS: Final = [
    f"/ip4/198.18.0.1/tcp/4001/p2p/{PEER}",
    f"/ip4/9.0.0.1/tcp/4001/p2p/{PEER}",
    f"/ip4/10.0.0.1/tcp/4001/p2p/{PEER}",
    f"/ip4/127.0.0.1/tcp/4001/p2p/{PEER}",
]
"""Private by RFC 2544, of the world, private, and loopback."""

BELIEFS: Final = {
    "believe-loopback": ("127.0.0.1", NEIGHBOURS, "from this machine: all of them"),
    "believe-site": ("192.168.0.1", NEIGHBOURS[:3], "from this site: not loopback"),
    "believe-world": ("9.9.9.9", NEIGHBOURS[1:2], "from anywhere: only the world"),
}


def cases() -> list[Case]:
    """Return the vectors of spec 04."""
    return [
        _case("peer-id", "peer-id", KEY.hex(), output=PEER),
        *_address_cases(),
        *_frame_cases(),
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
    ask = encode_ask(Ask((4001, 4002), ()))
    bare_ask = encode({"ip4": [], "ip6": []})
    later_ask = encode({"ip4": [4001], "ip6": [], "quic": [4001]})
    answer = _answer(NEIGHBOURS[:2])
    unknown = _answer(["/ip4/9.0.0.1/udp/1/quic-v1", NEIGHBOURS[1]])
    told = [
        _case("ask", "ask", spell(ask), output={"ip4": [4001, 4002], "ip6": []}),
        _case("ask-bare", "ask", bare_ask.hex(), "gets 55 bytes, which is no address")
        | {"output": {"ip4": [], "ip6": []}},
        _case("ask-unknown-field", "ask", later_ask.hex())
        | {"output": {"ip4": [4001], "ip6": []}},
        _case("answer", "answer", answer.hex(), output=NEIGHBOURS[:2]),
        _case("answer-unknown-address", "believe", _told("9.9.9.9", unknown))
        | {"output": NEIGHBOURS[1:2]},
    ]
    believed = [
        _case(name, "believe", _told(ip, _answer(NEIGHBOURS)), note, output=some)
        for name, (ip, some, note) in BELIEFS.items()
    ]
    return told + believed + _bad_messages()


def _answer(addresses: list[str]) -> bytes:
    return encode_answer(addresses, MAX_MESSAGE_BYTES)


def _told(ip: str, answer: bytes) -> dict[str, str]:
    return {"from": ip, "answer": answer.hex()}


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

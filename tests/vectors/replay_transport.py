"""The operations of spec 04's vectors, run on our source."""

from __future__ import annotations

from typing import Any, Final

from moltp2p.core.errors import MoltError
from moltp2p.core.ids import PeerId, PublicKey
from moltp2p.net.finding.peer_records import open_record, seal_record
from moltp2p.proto.address import Address, parse_endpoint, parse_ip, peer_id_of
from moltp2p.proto.framing import FrameDecoder, encode_frame
from moltp2p.proto.peers.address_book import AddressBook
from moltp2p.proto.peers.peer_exchange import (
    MAX_MESSAGE_BYTES,
    decode_answer,
    decode_ask,
    encode_answer,
    encode_ask,
)
from scripts.vectors.form import read, spell
from scripts.vectors.transport import MAX_BYTES, SIGNER, parts, said

Outcome = dict[str, Any]


def peer_id(given: str) -> Outcome:
    return {"output": peer_id_of(PublicKey(bytes.fromhex(given)))}


def address(given: str) -> Outcome:
    return {"output": parts(given)}


def frame(given: object) -> Outcome:
    return {"output": spell(encode_frame(read(given), MAX_BYTES))}


def frames(given: dict[str, Any]) -> Outcome:
    decoder = FrameDecoder(given["max_bytes"])
    decoder.feed(read(given["stream"]))
    found = []
    while (payload := decoder.next_frame()) is not None:
        found.append(spell(payload))
    decoder.end()
    return {"output": found}


def peer_record(given: str) -> Outcome:
    return {"output": said(open_record(bytes.fromhex(given)))}


def seal(given: dict[str, Any]) -> Outcome:
    own = peer_id_of(SIGNER.public)
    addresses = tuple(Address(parse_endpoint(e), own) for e in given["addresses"])
    return {"output": seal_record(SIGNER, given["seq"], addresses).wire.hex()}


def ask(given: object) -> Outcome:
    data = read(given)
    records = decode_ask(data)
    assert decode_ask(encode_ask(records)) == records
    return {"output": [each.hex() for each in records]}


def answer(given: str) -> Outcome:
    data = bytes.fromhex(given)
    message = decode_answer(data)
    assert encode_answer(message, MAX_MESSAGE_BYTES) == data
    return {
        "output": {
            "peers": [each.hex() for each in message.records],
            "seen": str(message.seen),
            "time": message.time_ms,
        }
    }


def believe(given: dict[str, Any]) -> Outcome:
    book = AddressBook(PeerId("own"), bytes(32))
    record = open_record(bytes.fromhex(given["record"]))
    teller = parse_ip(given["from"])
    book.learn(PeerId("source"), teller, [record], 0.0, given["now"])
    return {"output": [str(each.address) for each in book]}


OPERATIONS: Final = {
    "address": address,
    "answer": answer,
    "ask": ask,
    "believe": believe,
    "frame": frame,
    "frames": frames,
    "peer-id": peer_id,
    "peer-record": peer_record,
    "seal": seal,
}


def outcome(case: dict[str, Any]) -> Outcome:
    """Return what the operation of a case makes of its input."""
    operation: Any = OPERATIONS[case["op"]]
    try:
        result: Outcome = operation(case["input"])
    except MoltError as error:
        return {"error": error.code}
    return result

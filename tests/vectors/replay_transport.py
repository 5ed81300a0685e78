"""The operations of spec 04's vectors, run on our source."""

from __future__ import annotations

import random
from typing import Any, Final

from moltp2p.core.errors import MoltError
from moltp2p.core.ids import PeerId, PublicKey
from moltp2p.proto.address import parse_ip, peer_id_of
from moltp2p.proto.address_book import AddressBook
from moltp2p.proto.framing import FrameDecoder, encode_frame
from moltp2p.proto.peer_exchange import (
    MAX_MESSAGE_BYTES,
    decode_answer,
    decode_ask,
    encode_answer,
    encode_ask,
)
from scripts.vectors.form import read, spell
from scripts.vectors.transport import MAX_BYTES, parts

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


def ask(given: object) -> Outcome:
    data = read(given)
    message = decode_ask(data)
    assert decode_ask(encode_ask(message)) == message
    return {"output": {"ip4": list(message.ip4), "ip6": list(message.ip6)}}


def answer(given: str) -> Outcome:
    addresses = decode_answer(bytes.fromhex(given))
    assert encode_answer(addresses, MAX_MESSAGE_BYTES).hex() == given
    return {"output": addresses}


def believe(given: dict[str, str]) -> Outcome:
    # One book for each address: here it does not matter that they name one peer.
    believed = []
    for text in decode_answer(bytes.fromhex(given["answer"])):
        book = AddressBook(PeerId("own"), random.Random(1), 8, 8)
        if book.learn(PeerId("source"), parse_ip(given["from"]), [text]):
            believed += [str(each) for each in book.due(0.0)]
    return {"output": believed}


OPERATIONS: Final = {
    "address": address,
    "answer": answer,
    "ask": ask,
    "believe": believe,
    "frame": frame,
    "frames": frames,
    "peer-id": peer_id,
}


def outcome(case: dict[str, Any]) -> Outcome:
    """Return what the operation of a case makes of its input."""
    operation: Any = OPERATIONS[case["op"]]
    try:
        result: Outcome = operation(case["input"])
    except MoltError as error:
        return {"error": error.code}
    return result

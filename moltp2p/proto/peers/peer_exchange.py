"""The two messages of `/moltp2p/peers/1.0.0`: ask, and answer (spec 04, section 5)."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from moltp2p.core.codec import Value, decode, encode
from moltp2p.core.errors import PeerError
from moltp2p.proto.address import IpAddress
from moltp2p.proto.peers.peer_record import MAX_PEER_RECORD_BYTES

PROTOCOL: Final = "/moltp2p/peers/1.0.0"  # SPEC 04: "/moltp2p/peers/1.0.0"
MAX_MESSAGE_BYTES: Final = 8_192  # SPEC 04: "a frame of at most 8,192 bytes"
ASK_BYTES: Final = 768  # SPEC 04: "make its ask 768 bytes long"
MIN_ASK_BYTES: Final = 16  # SPEC 04: "of fewer than 16 bytes"
ANSWER_FACTOR: Final = 5  # SPEC 04: "more than 5 times the bytes of the ask"
MAX_ASKED: Final = 3  # SPEC 04: "at most 3 of the asker's own"
MAX_OFFERED: Final = 16  # SPEC 04: "at most 16, the answerer's own first"


@dataclass(frozen=True, slots=True)
class Answer:
    """What whoever is asked says.

    Attributes:
        records: peer records, not yet looked at; the answerer's own come first.
        seen: the IP from which the asker's connection comes.
        time_ms: the answerer's clock, milliseconds since 1970 UTC.
    """

    records: tuple[bytes, ...]
    seen: IpAddress
    time_ms: int


def encode_ask(records: Sequence[bytes]) -> bytes:
    """Return the bytes of an ask, as long as it takes to get a whole answer."""
    fields = {"peers": list(records)}
    bare = encode(fields | {"pad": b""})
    # The length of the padding takes three bytes, and that of none took one.
    return encode(fields | {"pad": bytes(max(0, ASK_BYTES - len(bare) - 2))})


def decode_ask(data: bytes) -> tuple[bytes, ...]:
    """Return the peer records of an ask, not yet looked at.

    Unknown fields are passed over.

    Raises:
        PeerError: `malformed`, `not-canonical` or `bad-exchange`.
    """
    if len(data) < MIN_ASK_BYTES:
        raise PeerError("bad-exchange", "less than its answer costs")
    return _records(_fields(data), MAX_ASKED)


def encode_answer(answer: Answer, max_bytes: int) -> bytes:
    """Return the bytes of an answer, with as many of its records as fit."""
    fields: dict[str, Value] = {"seen": answer.seen.packed, "time": answer.time_ms}
    room = max_bytes - len(encode(fields | {"peers": []})) - 1
    fitting: list[Value] = []
    for record in answer.records[:MAX_OFFERED]:
        room -= len(encode(record))
        if room < 0:
            break
        fitting.append(record)
    return encode(fields | {"peers": fitting})


def decode_answer(data: bytes) -> Answer:
    """Return the answer that `data` spells.

    Raises:
        PeerError: `malformed`, `not-canonical` or `bad-exchange`.
    """
    fields = _fields(data)
    seen, time_ms = fields.get("seen"), fields.get("time")
    if not isinstance(seen, bytes) or len(seen) not in {4, 16}:
        raise PeerError("bad-exchange", "not an IP address")
    if type(time_ms) is not int or time_ms < 0:
        raise PeerError("bad-exchange", "not a time")
    return Answer(_records(fields, MAX_OFFERED), ipaddress.ip_address(seen), time_ms)


def _fields(data: bytes) -> dict[str, Value]:
    value = decode(data)
    if not isinstance(value, dict):
        raise PeerError("bad-exchange", "not a map")
    return value


def _records(fields: dict[str, Value], most: int) -> tuple[bytes, ...]:
    value = fields.get("peers")
    if not isinstance(value, list) or len(value) > most:
        raise PeerError("bad-exchange", f"not a list of {most} records or fewer")
    return tuple(_record(each) for each in value)


def _record(value: Value) -> bytes:
    if not isinstance(value, bytes) or len(value) > MAX_PEER_RECORD_BYTES:
        raise PeerError("bad-exchange", "not a peer record")
    return value

"""The two messages of `/moltp2p/peers/1.0.0`: ask, and answer (spec 04, section 5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from moltp2p.core.codec import Value, decode, encode
from moltp2p.core.errors import PeerError
from moltp2p.proto.address import MAX_ADDRESS_CHARS
from moltp2p.proto.address_book import MAX_OFFERED, MAX_PER_PEER

PROTOCOL: Final = "/moltp2p/peers/1.0.0"  # SPEC 04: "/moltp2p/peers/1.0.0"
MAX_MESSAGE_BYTES: Final = 8_192  # SPEC 04: "a frame of at most 8,192 bytes"
ASK_BYTES: Final = 768  # SPEC 04: "make its ask 768 bytes long"
ANSWER_FACTOR: Final = 5  # SPEC 04: "more than 5 times the bytes of the ask"


@dataclass(frozen=True, slots=True)
class Ask:
    """Whoever asks says on which TCP ports it listens.

    Attributes:
        ip4: ports on its IPv4 addresses.
        ip6: ports on its IPv6 addresses.
    """

    ip4: tuple[int, ...]
    ip6: tuple[int, ...]


def encode_ask(ask: Ask) -> bytes:
    """Return the bytes of an ask, as long as it takes to get a whole answer."""
    fields = {"ip4": list(ask.ip4), "ip6": list(ask.ip6)}
    bare = encode(fields | {"pad": b""})
    # The length of the padding takes three bytes, and that of none took one.
    return encode(fields | {"pad": bytes(ASK_BYTES - len(bare) - 2)})


def decode_ask(data: bytes) -> Ask:
    """Return the ask that `data` spells; unknown fields are passed over.

    Raises:
        PeerError: `malformed`, `not-canonical` or `bad-exchange`.
    """
    fields = _fields(data)
    return Ask(_ports(fields.get("ip4")), _ports(fields.get("ip6")))


def encode_answer(addresses: Sequence[str], max_bytes: int) -> bytes:
    """Return the bytes of an answer, with as many of the addresses as fit."""
    answer = encode({"peers": list(addresses)})
    if len(answer) > max_bytes and addresses:
        return encode_answer(addresses[:-1], max_bytes)
    return answer


def decode_answer(data: bytes) -> list[str]:
    """Return the addresses of the answer that `data` spells, not yet looked at.

    Raises:
        PeerError: `malformed`, `not-canonical` or `bad-exchange`.
    """
    peers = _fields(data).get("peers")
    if not isinstance(peers, list) or len(peers) > MAX_OFFERED:
        raise PeerError("bad-exchange", f"not a list of {MAX_OFFERED} peers or fewer")
    return [_text(peer) for peer in peers]


def _fields(data: bytes) -> dict[str, Value]:
    value = decode(data)
    if not isinstance(value, dict):
        raise PeerError("bad-exchange", "not a map")
    return value


def _ports(value: Value) -> tuple[int, ...]:
    if not isinstance(value, list) or len(value) > MAX_PER_PEER:
        raise PeerError("bad-exchange", f"not a list of {MAX_PER_PEER} ports or fewer")
    return tuple(_port(port) for port in value)


def _port(value: Value) -> int:
    if type(value) is not int or not 0 < value < 65536:
        raise PeerError("bad-exchange", "not a TCP port")
    return value


def _text(value: Value) -> str:
    if not isinstance(value, str) or len(value) > MAX_ADDRESS_CHARS:
        raise PeerError("bad-exchange", "not an address")
    return value

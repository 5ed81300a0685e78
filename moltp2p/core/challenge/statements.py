"""Signed statements: what two parties of a challenge say to each other (spec 07).

A statement is a word, the deterministic CBOR of a map, and a signature over both
and the network. Its exact bytes are kept, so that whoever was told something can
show it to anybody.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final, Self

from moltp2p.core import codec
from moltp2p.core.codec import SIGNATURE_BYTES, Value
from moltp2p.core.errors import PeerError
from moltp2p.core.ids import PublicKey
from moltp2p.core.keys import Signer, verify

DOMAIN: Final = b"moltp2p/verify/1/"  # SPEC 07: "`moltp2p/verify/1/`"


@dataclass(frozen=True, slots=True)
class Statement:
    """What somebody signed, byte for byte.

    Attributes:
        word: what is said: `apply`, `offer`, `attest`, …
        payload: deterministic CBOR of the fields.
        signature: 64 bytes over the domain, network, word and payload.
    """

    word: str
    payload: bytes
    signature: bytes

    def is_by(self, key: PublicKey, network: str) -> bool:
        """Tell whether `key` signed it for this network."""
        signed = signed_bytes(network, self.word, self.payload)
        return verify(key, signed, self.signature)

    def to_value(self) -> Value:
        """Return it as a value for the codec: word, payload, signature."""
        return [self.word, self.payload, self.signature]

    @classmethod
    def from_value(cls, value: Value) -> Self:
        """Return the statement that `to_value` gave.

        Raises:
            PeerError: `bad-statement`.
        """
        match value:
            case [str(word), bytes(payload), bytes(signature)] if (
                len(signature) == SIGNATURE_BYTES
            ):
                return cls(word, payload, signature)
            case _:
                raise PeerError("bad-statement", "not a word, a payload, a signature")


def signed_bytes(network: str, word: str, payload: bytes) -> bytes:
    """Return what the signature of a statement is over.

    Neither a network's name nor a word has a slash or a zero byte in it, so no two
    statements of different networks or words are the same bytes.
    """
    return DOMAIN + f"{network}/{word}".encode() + b"\x00" + payload


def state(
    word: str, fields: dict[str, Value], signer: Signer, network: str
) -> Statement:
    """Return the signed statement of `fields`."""
    payload = codec.encode(fields)
    return Statement(word, payload, signer.sign(signed_bytes(network, word, payload)))


def digest(purpose: str, *parts: Value) -> bytes:
    """Return SHA-256 of `moltp2p/<purpose>/1` and the CBOR array of the parts."""
    prefix = f"moltp2p/{purpose}/1".encode()
    return hashlib.sha256(prefix + codec.encode(list(parts))).digest()

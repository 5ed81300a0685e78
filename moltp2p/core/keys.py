"""Ed25519 (RFC 8032). This file and `challenge/work.py` alone import PyNaCl."""

from __future__ import annotations

from typing import Final

from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

from moltp2p.core.errors import UsageError
from moltp2p.core.ids import PublicKey

SEED_BYTES: Final = 32


class Signer:
    """A secret key: signs, and never shows its seed.

    Args:
        seed: 32 secret bytes, drawn by whoever owns the key.
    """

    __slots__ = ("_key", "public")

    def __init__(self, seed: bytes) -> None:
        if len(seed) != SEED_BYTES:
            raise UsageError("bad-seed", f"{len(seed)} bytes; a seed is {SEED_BYTES}")
        self._key = SigningKey(seed)
        self.public = PublicKey(bytes(self._key.verify_key))

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature of `message`."""
        return self._key.sign(message).signature

    def __repr__(self) -> str:
        """Name the key by its public half alone."""
        return f"Signer({self.public.hex()})"


def verify(key: PublicKey, message: bytes, signature: bytes) -> bool:
    """Tell whether `signature` is `key`'s over `message`.

    libsodium's rules: points of small order and signatures with S of the group
    order or more are refused, so that nobody but the signer can write a second
    signature over the same message (spec 01).
    """
    try:
        VerifyKey(key).verify(message, signature)
    except (BadSignatureError, ValueError):
        return False
    return True

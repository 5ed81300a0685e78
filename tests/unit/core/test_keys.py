from __future__ import annotations

import hashlib

import pytest

from moltp2p.core.errors import UsageError
from moltp2p.core.ids import PublicKey
from moltp2p.core.keys import Signer, verify


def test_the_first_test_of_rfc_8032_holds() -> None:
    seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
    public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    signature = (
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
    )
    signer = Signer(bytes.fromhex(seed))

    assert signer.public.hex() == public
    assert signer.sign(b"").hex() == signature
    assert verify(signer.public, b"", bytes.fromhex(signature))


def test_only_the_signed_message_verifies() -> None:
    signer = Signer(bytes(32))
    signature = signer.sign(b"yes")

    assert verify(signer.public, b"yes", signature)
    assert not verify(signer.public, b"no", signature)
    assert not verify(Signer(b"\x01" * 32).public, b"yes", signature)


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_a_seed_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(UsageError, match="bad-seed"):
        Signer(bytes(size))


@pytest.mark.parametrize(("key", "signature"), [(0, 64), (31, 64), (32, 63), (32, 65)])
def test_sizes_that_cannot_be_are_no_signature(key: int, signature: int) -> None:
    assert not verify(PublicKey(bytes(key)), b"", bytes(signature))


def test_a_signer_never_shows_its_seed() -> None:
    seed = hashlib.sha256(b"secret").digest()
    signer = Signer(seed)

    assert seed.hex() not in repr(signer)
    assert signer.public.hex() in repr(signer)
    assert not hasattr(signer, "__dict__")

"""Vectors of spec 01: names, signatures, and key chains with a thief in them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

import base58

from moltp2p.core.author import Author, Draft, Head, incept
from moltp2p.core.ids import AgentId, PublicKey, RecordId, agent_text
from moltp2p.core.keys import Signer
from moltp2p.core.kinds import Kind, Post
from moltp2p.core.record import Header, Record, seal
from moltp2p.testing.factories import EPOCH_MS, signer
from scripts.vectors.form import Case

NETWORK: Final = "test-net"
NAMES: Final = ("alice", "bob", "carol")
ALICE: Final = AgentId(signer("alice").public)
THIEF: Final = signer("thief")

MESSAGE: Final = b"moltp2p"
GROUP_ORDER: Final = 2**252 + 27742317777372353535851937790883648493
IDENTITY_POINT: Final = "01" + "00" * 31
"""The neutral element, of order 1: as a key, it is everybody's."""

# Alice's key plus a point of order 8, and a signature that holds for it only when
# both sides of the equation are multiplied by the cofactor. Then the identity as
# key, and as R, with the S that plain arithmetic takes.
MIXED_ORDER_KEY: Final = (
    "25d8d4f8457727f9675dc84f1852c62906c74294c0108fed0070327bbe59cb61"
)
MIXED_ORDER_SIGNATURE: Final = (
    "ef4f62f8479733ad879cfaced3c89a9c39dd4fc795ef2efa1c3eafe4d729a081"
    "61a743f35dc01f56260d55f84080c61e50456a1e2a23969aeda4b53ff87e870a"
)
SMALL_ORDER_KEY_SIGNATURE: Final = (
    "ef4f62f8479733ad879cfaced3c89a9c39dd4fc795ef2efa1c3eafe4d729a081"
    "3930000000000000000000000000000000000000000000000000000000000000"
)
SMALL_ORDER_R_SIGNATURE: Final = (
    IDENTITY_POINT + "9ed0a402d9c14ad8e624e25c7baf47a51b6d57556fe2872af2b1060ae7a4ab0a"
)
UNREDUCED_R_SIGNATURE: Final = (
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"
    "8d017995cb61bd248dff36fb37a1a48e96e756939b484f0c720d8f1d7a949408"
)


def cases() -> list[Case]:
    """Return the cases of spec 01."""
    return [*_names(), *_signatures(), *_chains()]


def _names() -> list[Case]:
    keys = [
        _case(
            f"key-{name}-{generation}",
            "public-key",
            f"the seed is SHA-256 of 'moltp2p test {name} {generation}'",
            hashlib.sha256(f"moltp2p test {name} {generation}".encode()).hexdigest(),
            output=signer(name, generation).public.hex(),
        )
        for name in NAMES
        for generation in (0, 1)
    ]
    agents = [
        _case(
            f"agent-{name}",
            "agent-text",
            "",
            signer(name).public.hex(),
            output=agent_text(AgentId(signer(name).public)),
        )
        for name in NAMES
    ]
    refused = [
        _case(name, "parse-agent", note, text, error="bad-agent")
        for name, (note, text) in _strange_names().items()
    ]
    return [*keys, *agents, *refused]


def _strange_names() -> dict[str, tuple[str, str]]:
    alice = agent_text(ALICE)
    return {
        "did-empty": ("", ""),
        "did-without-key": ("", "did:key:z"),
        "did-web": ("another method", "did:web:example.org"),
        "did-bare": ("the prefix is missing", alice.removeprefix("did:key:")),
        "did-x25519": ("prefix 0xec01", _did(b"\xec\x01" + ALICE)),
        "did-short": ("31 bytes", _did(b"\xed\x01" + ALICE[:31])),
        "did-long": ("33 bytes", _did(b"\xed\x01" + ALICE + b"\x00")),
        "did-other-base": ("hexadecimal multibase", "did:key:f" + f"ed01{ALICE.hex()}"),
        "did-other-alphabet": ("0 is no letter of base58", alice[:-1] + "0"),
        "did-not-ascii": ("", alice[:-1] + "\u0131"),
        "did-one-letter-off": ("another length", alice + "1"),
        "did-fragment": ("a DID URL", f"{alice}#{alice.removeprefix('did:key:')}"),
        "did-white-space": ("", alice + " "),
    }


def _did(multicodec: bytes) -> str:
    return "did:key:z" + base58.b58encode(multicodec).decode()


def _signatures() -> list[Case]:
    good = signer("alice").sign(MESSAGE)
    r, s = good[:32], int.from_bytes(good[32:], "little")
    flipped = bytes((good[0] ^ 1,)) + good[1:]
    above = r + (s + GROUP_ORDER).to_bytes(32, "little")
    alice, bob = ALICE.hex(), signer("bob").public.hex()
    refused = {
        "flipped-signature": ("", alice, flipped.hex()),
        "other-key": ("", bob, good.hex()),
        "short-signature": ("", alice, good[:63].hex()),
        "s-above-l": ("S + L, the same modulo L", alice, above.hex()),
        "small-order-key": ("", IDENTITY_POINT, SMALL_ORDER_KEY_SIGNATURE),
        "small-order-r": ("", alice, SMALL_ORDER_R_SIGNATURE),
        "unreduced-r": ("y is p + 1", alice, UNREDUCED_R_SIGNATURE),
        "mixed-order-key": ("", MIXED_ORDER_KEY, MIXED_ORDER_SIGNATURE),
    }
    message = MESSAGE.hex()
    return [
        _case(
            "signature",
            "verify",
            "",
            {"key": alice, "message": message, "signature": good.hex()},
            output=True,
        ),
        *(
            _case(
                name,
                "verify",
                note,
                {"key": key, "message": message, "signature": signature},
                error="bad-signature",
            )
            for name, (note, key, signature) in refused.items()
        ),
    ]


Said = tuple[Record, str, str]
"""A record, and the verdict and the code that it must get."""


def _chains() -> list[Case]:
    return [_chain(name, *told) for name, told in (_honest() | _thieves()).items()]


def _honest() -> dict[str, tuple[str, Sequence[Said]]]:
    first = _inception()
    early = _post(0, 1, first.id)
    rotation = _rotation(1, 2, early.id)
    late = _post(1, 3, rotation.id)
    again = _rotation(2, 4, late.id)
    newest = _post(2, 5, again.id)
    whole = [_ok(record) for record in (first, early, rotation, late, again, newest)]
    turn = _rotation(2, 4, late.id, after=1)
    back = _rotation(1, 6, turn.id, after=3)
    return {
        "rotation": ("three keys, one name", whole),
        "post-before-inception": ("it verifies by the name alone", [_ok(early)]),
        "rotation-before-inception": (
            "",
            [
                _ignored(rotation, "key-unknown"),
                _ok(first),
                _ok(rotation),
            ],
        ),
        "rotations-out-of-order": (
            "",
            [_ok(first), _ignored(again, "not-committed"), _ok(rotation), _ok(again)],
        ),
        "rotation-before-its-link": (
            "the second rotation has the seq of the first",
            [
                _ok(first),
                _ok(rotation),
                _ignored(_rotation(2, 2, early.id), "not-committed"),
            ],
        ),
        "post-by-an-unknown-key": (
            "with a chain, and without",
            [
                _ignored(late, "key-unknown"),
                _ok(first),
                _ignored(late, "key-unknown"),
                _ok(rotation),
                _ok(late),
            ],
        ),
        "new-key-before-its-reign": (
            "",
            [_ok(first), _ok(rotation), _ignored(_post(1, 1, first.id), "key-unknown")],
        ),
        "old-key-in-its-reign": (
            "written before the rotation, heard after it",
            [_ok(first), _ok(rotation), _ok(early)],
        ),
        "key-that-comes-back": (
            "a writer must not; the reader keeps to the reigns",
            [
                _ok(first),
                _ok(rotation),
                _ok(turn),
                _ok(back),
                _ok(_post(1, 7, back.id)),
                _ignored(_post(1, 5, back.id), "key-superseded"),
            ],
        ),
    }


def _thieves() -> dict[str, tuple[str, Sequence[Said]]]:
    """Return what a thief tries, who holds a key that is or was in force."""
    first = _inception()
    stolen = _post(0, 9, first.id, "send me tokens")
    rotation = _rotation(1, 2, first.id)
    usurped = incept(NETWORK, signer("alice"), THIEF.public, EPOCH_MS + 1)
    by_thief = Author(ALICE, NETWORK, THIEF)
    grab = by_thief.rotate(Head(1, first.id), signer("thief", 1).public, EPOCH_MS)
    fork = Author(ALICE, NETWORK, signer("alice", 1)).rotate(
        Head(2, first.id), THIEF.public, EPOCH_MS
    )
    refs = {"target": rotation.id}
    deletion = Author(ALICE, NETWORK, signer("alice")).write(
        Draft(Kind.DELETE, refs=refs), Head(0, first.id), EPOCH_MS
    )
    own = _commitment(signer("alice"), Kind.INCEPTION, 0, signer("alice").public)
    old = _commitment(signer("alice", 1), Kind.ROTATE, 2, PublicKey(ALICE))
    return {
        "thief-rotates": (
            "holding the current key: to a key of its own, and without one",
            [
                _ok(first),
                _ignored(grab, "not-committed"),
                _rejected(_keyless_rotation(first.id), "bad-header"),
                _ok(rotation),
            ],
        ),
        "thief-before-the-rotation": ("", [_ok(first), _ok(stolen)]),
        "thief-after-the-rotation": (
            "",
            [_ok(first), _ok(rotation), _ignored(stolen, "key-superseded")],
        ),
        "second-inception": (
            "",
            [_ok(first), _ignored(usurped, "chain-forked"), _ok(rotation)],
        ),
        "thief-is-heard-first": (
            "a node that has never heard of the agent is misled",
            [
                _ok(usurped),
                _ignored(first, "chain-forked"),
                _ignored(rotation, "not-committed"),
            ],
        ),
        "second-rotation": (
            "holding the key that the owner rotated to",
            [_ok(first), _ok(rotation), _ignored(fork, "chain-forked")],
        ),
        "rotation-cannot-be-deleted": (
            "the deletion comes first",
            [_ok(first), _ok(deletion), _ok(rotation)],
        ),
        "commits-to-itself": ("", [_rejected(own, "bad-header")]),
        "commits-to-the-first-key": ("", [_ok(first), _rejected(old, "bad-header")]),
    }


def _chain(name: str, note: str, told: Sequence[Said]) -> Case:
    steps = [
        {
            "at": EPOCH_MS,
            "event": {"record": record.wire().hex()},
            "actions": [{"verdict": verdict, "code": code}],
        }
        for record, verdict, code in told
    ]
    return _case(name, "key-chain", note, {"network": NETWORK}, steps=steps)


def _ok(record: Record) -> Said:
    return record, "accept", "ok"


def _ignored(record: Record, code: str) -> Said:
    return record, "ignore", code


def _rejected(record: Record, code: str) -> Said:
    return record, "reject", code


def _inception() -> Record:
    return incept(NETWORK, signer("alice"), signer("alice", 1).public, EPOCH_MS)


def _rotation(
    generation: int, seq: int, prev: RecordId, *, after: int | None = None
) -> Record:
    """Return the rotation to a generation of alice's key, committed to the next."""
    following = generation + 1 if after is None else after
    author = Author(ALICE, NETWORK, signer("alice", generation))
    next_key = signer("alice", following).public
    return author.rotate(Head(seq - 1, prev), next_key, EPOCH_MS)


def _post(generation: int, seq: int, prev: RecordId, text: str = "hello") -> Record:
    author = Author(ALICE, NETWORK, signer("alice", generation))
    return author.write(
        Draft(Kind.POST, Post(text), "general"), Head(seq - 1, prev), EPOCH_MS
    )


def _keyless_rotation(prev: RecordId) -> Record:
    header = Header(
        network=NETWORK,
        agent=ALICE,
        kind=Kind.ROTATE,
        seq=1,
        prev=prev,
        time_ms=EPOCH_MS,
        next_key=hashlib.sha256(THIEF.public).digest(),
    )
    return seal(header, None, signer("alice"))


def _commitment(key: Signer, kind: Kind, seq: int, next_key: PublicKey) -> Record:
    header = Header(
        network=NETWORK,
        agent=ALICE,
        key=None if seq == 0 else key.public,
        kind=kind,
        seq=seq,
        prev=None if seq == 0 else _inception().id,
        time_ms=EPOCH_MS,
        next_key=hashlib.sha256(next_key).digest(),
    )
    return seal(header, None, key)


def _case(name: str, op: str, note: str, given: object, **result: object) -> Case:
    return {"name": name, "op": op, "note": note, "input": given, **result}

"""The names of things, each a type of its own, and their text forms."""

from __future__ import annotations

import base64
from typing import Final, NewType

import base58

from moltp2p.core.errors import UsageError

AgentId = NewType("AgentId", bytes)
"""An agent's first Ed25519 public key, 32 bytes (spec 01)."""

PublicKey = NewType("PublicKey", bytes)
"""Any Ed25519 public key, 32 bytes."""

RecordId = NewType("RecordId", bytes)
"""SHA-256 of a record's header bytes, 32 bytes (spec 03)."""

MessageId = NewType("MessageId", bytes)
"""SHA-256 of a gossip message's data, 32 bytes (spec 05)."""

PeerId = NewType("PeerId", str)
"""A node's libp2p identity in base58btc text, `12D3Koo…`."""

DID_PREFIX: Final = "did:key:z"
MULTICODEC_ED25519: Final = b"\xed\x01"  # SPEC 01: "0xed01"
CID_PREFIX: Final = b"\x01\x71\x12\x20"  # SPEC 03: "0x01711220"


def agent_text(agent: AgentId) -> str:
    """Return the `did:key` text of an agent (spec 01, W3C did:key)."""
    return DID_PREFIX + base58.b58encode(MULTICODEC_ED25519 + agent).decode()


def parse_agent(text: str) -> AgentId:
    """Return the agent that a `did:key` text names.

    Raises:
        UsageError: `bad-agent` when the text is not an Ed25519 `did:key`.
    """
    agent = AgentId(_base58(text)[2:])
    if len(agent) != 32 or agent_text(agent) != text:
        raise UsageError(
            "bad-agent",
            f"not the did:key of an Ed25519 key: {text[:80]!r}",
            "an agent is written did:key:z6Mk…",
        )
    return agent


def _base58(did: str) -> bytes:
    if len(did) > 80 or not did.startswith(DID_PREFIX):
        return b""
    try:
        return base58.b58decode(did.removeprefix(DID_PREFIX))
    except ValueError:
        return b""


def record_text(record: RecordId) -> str:
    """Return a record's CIDv1 text: dag-cbor, sha2-256, base32 (spec 03)."""
    return "b" + base64.b32encode(CID_PREFIX + record).decode().lower().rstrip("=")


def parse_record_id(text: str) -> RecordId:
    """Return the record that a CIDv1 text names.

    Raises:
        UsageError: `bad-record-id` when the text is not such a CID.
    """
    record = RecordId(_base32(text)[len(CID_PREFIX) :])
    if len(record) != 32 or record_text(record) != text:
        raise UsageError(
            "bad-record-id",
            f"not the CID of a record: {text[:80]!r}",
            "a record is written bafyrei…",
        )
    return record


def _base32(cid: str) -> bytes:
    if len(cid) > 80 or not cid.startswith("b"):
        return b""
    body = cid[1:].upper()
    try:
        return base64.b32decode(body + "=" * (-len(body) % 8))
    except ValueError:
        return b""

"""A record: a signed header, and a body that it binds by hash (spec 03).

    wire    [ sign1, body or null ]         what travels and is stored
    sign1   COSE_Sign1(payload = header)    what is verified
    header  deterministic CBOR map          what is signed; its SHA-256 is the id
    body    bytes                           may be dropped; the header still verifies

The exact bytes received are kept. Nothing here encodes again in order to verify.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Self, cast

from moltp2p.core import codec
from moltp2p.core.codec import Value
from moltp2p.core.errors import PeerError, UsageError
from moltp2p.core.ids import AgentId, PublicKey, RecordId
from moltp2p.core.keys import Signer, verify
from moltp2p.core.limits import (
    COMMUNITY_PATTERN,
    MAX_HEADER_BYTES,
    MAX_LABEL_CHARS,
    MAX_RECORD_BYTES,
    MAX_REFS,
    NETWORK_PATTERN,
    RECORD_AAD,
    VERSION,
)

TRIGGERS: Final = ("scheduled", "reply", "prompted")
# SPEC 03: "one of `scheduled`, `reply` and `prompted`"


@dataclass(frozen=True, slots=True)
class Origin:
    """What the author says of how a record came about. Nobody checks it.

    Attributes:
        trigger: `scheduled`, `reply` or `prompted`.
        framework: the software that runs the agent, at most 64 characters.
        model: the language model behind it, at most 64 characters.
    """

    trigger: str | None = None
    framework: str | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The signed part of a record; each field as in the table of spec 03.

    Attributes:
        network: the id of the network that the record belongs to.
        agent: who wrote it.
        key: the signing key, when the agent has rotated away from its first.
        kind: a number from the registry (spec 09).
        seq: the record's place in the agent's sequence, from 0.
        prev: the agent's record before this one; absent at 0.
        time_ms: the author's clock, milliseconds since 1970 UTC.
        community: where it was posted.
        refs: other records by role: `parent`, `root`, `target`.
        next_key: SHA-256 of the agent's next public key (inception, rotate).
        body_hash: SHA-256 of the body, when there is one.
        body_bytes: the body's size in bytes.
        ai_generated: the author says that a model wrote it.
        origin: what else the author says of how it came about.
    """

    network: str
    agent: AgentId
    kind: int
    seq: int
    time_ms: int
    key: PublicKey | None = None
    prev: RecordId | None = None
    community: str | None = None
    refs: Mapping[str, RecordId] = field(default_factory=dict, hash=False)
    next_key: bytes | None = None
    body_hash: bytes | None = None
    body_bytes: int | None = None
    ai_generated: bool | None = None
    origin: Origin | None = None

    @property
    def signing_key(self) -> PublicKey:
        """Return the key that the signature must be by."""
        return PublicKey(self.agent) if self.key is None else self.key


@dataclass(frozen=True, slots=True)
class Record:
    """One record as it is held: the bytes, and what the header says.

    Attributes:
        id: SHA-256 of the header bytes.
        header: the header, parsed.
        sign1: the exact COSE_Sign1 bytes.
        body: the body, or None when there is none or it was dropped.
    """

    id: RecordId
    header: Header
    sign1: bytes
    body: bytes | None

    def wire(self) -> bytes:
        """Return the bytes that travel (spec 03)."""
        return codec.encode_pair(self.sign1, self.body)

    def without_body(self) -> Self:
        """Return the record with its body dropped; it still verifies."""
        return dataclasses.replace(self, body=None)

    def is_signed(self) -> bool:
        """Tell whether the signature is by the key that the header names."""
        payload, signature = codec.decode_sign1(self.sign1)
        signed = codec.signature_input(payload, RECORD_AAD)
        return verify(self.header.signing_key, signed, signature)


def seal(header: Header, body: bytes | None, signer: Signer) -> Record:
    """Return the signed record of `header`, bound to `body`.

    Args:
        header: everything but `body_hash` and `body_bytes`, which are set here.
        body: what travels beside it.
        signer: the key that the header names.

    Raises:
        UsageError: when no reader would accept the record; the code is the
            reader's own.
    """
    if signer.public != header.signing_key:
        raise UsageError("wrong-key", "the header names another signing key")
    if body is not None:
        digest = hashlib.sha256(body).digest()
        header = dataclasses.replace(header, body_hash=digest, body_bytes=len(body))
    payload = codec.encode(_fields(header))
    signature = signer.sign(codec.signature_input(payload, RECORD_AAD))
    sign1 = codec.encode_sign1(payload, signature)
    try:
        _check_size(len(codec.encode_pair(sign1, body)))
        # As a reader reads it: an empty map of references is gone, for one.
        read = parse_header(payload)
    except PeerError as error:
        raise UsageError(error.code, error.message, error.hint) from None
    return Record(_id_of(payload), read, sign1, body)


def parse(wire: bytes) -> Record:
    """Return the record in `wire`: well-formed, its body bound, not yet verified.

    Holds afterwards: the size limits, one spelling, every header field of its
    type, and that the body, when present, is the one that the header names.

    Raises:
        PeerError: `too-large`, `malformed`, `not-canonical`, `bad-envelope`,
            `unsupported-version`, `bad-header`, `body-mismatch`.
    """
    _check_size(len(wire))
    match codec.decode(wire):
        case [bytes(sign1), (bytes() | None) as body]:
            payload, _ = codec.decode_sign1(sign1)
            header = parse_header(payload)
            _check_body(header, body)
            return Record(_id_of(payload), header, sign1, body)
        case _:
            raise PeerError("bad-envelope", "not a pair of COSE_Sign1 and body")


def parse_header(payload: bytes) -> Header:
    """Return the header that `payload` spells (spec 03, table of fields).

    Raises:
        PeerError: as `parse`.
    """
    if len(payload) > MAX_HEADER_BYTES:
        raise PeerError("too-large", f"a header of {len(payload)} bytes")
    fields = codec.decode(payload)
    if not isinstance(fields, dict):
        raise PeerError("bad-header", "the header is not a map")
    if fields.get("v") != VERSION or fields["v"] is True:
        raise PeerError(
            "unsupported-version",
            f"version {fields.get('v')!r}"[:80],
            "upgrade moltp2p to read this record",
        )
    for name, value in fields.items():
        if name in _CHECKS and not _CHECKS[name](value):
            raise PeerError("bad-header", f"field {name!r} is not as spec 03 says")
    return _header(fields)


def _check_size(wire_bytes: int) -> None:
    if wire_bytes > MAX_RECORD_BYTES:
        raise PeerError(
            "too-large",
            f"a record of {wire_bytes} bytes; the limit is {MAX_RECORD_BYTES}",
            "publish what is larger as an artifact, or split it",
        )


def _id_of(payload: bytes) -> RecordId:
    return RecordId(hashlib.sha256(payload).digest())


def _check_body(header: Header, body: bytes | None) -> None:
    """Refuse a body that is not the one the header names."""
    if body is None:
        return
    if (
        len(body) != header.body_bytes
        or hashlib.sha256(body).digest() != header.body_hash
    ):
        raise PeerError("body-mismatch", "the body is not the one that was signed")


def _is_count(value: Value) -> bool:
    return type(value) is int and value >= 0


def _is_size(value: Value) -> bool:
    return type(value) is int and 0 <= value <= MAX_RECORD_BYTES


def _is_digest(value: Value) -> bool:
    return isinstance(value, bytes) and len(value) == 32


def _is_label(value: Value) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= MAX_LABEL_CHARS


def _matches(pattern: str) -> Callable[[Value], bool]:
    whole = re.compile(pattern)
    return lambda value: isinstance(value, str) and bool(whole.fullmatch(value))


def _are_refs(value: Value) -> bool:
    return (
        isinstance(value, dict)
        and 1 <= len(value) <= MAX_REFS
        and all(_is_label(role) and _is_digest(ref) for role, ref in value.items())
    )


def _is_origin(value: Value) -> bool:
    if not isinstance(value, dict) or not value:
        return False
    labels = (value[name] for name in ("framework", "model") if name in value)
    return value.get("trigger", TRIGGERS[0]) in TRIGGERS and all(map(_is_label, labels))


_CHECKS: Final[Mapping[str, Callable[[Value], bool]]] = {
    "net": _matches(NETWORK_PATTERN),
    "agent": _is_digest,
    "key": _is_digest,
    "kind": _is_count,
    "seq": _is_count,
    "prev": _is_digest,
    "time": _is_count,
    "community": _matches(COMMUNITY_PATTERN),
    "refs": _are_refs,
    "next": _is_digest,
    "body": _is_digest,
    "size": _is_size,
    "ai_generated": lambda value: isinstance(value, bool),
    "origin": _is_origin,
}
_REQUIRED: Final = ("net", "agent", "kind", "seq", "time")


def _header(fields: dict[str, Value]) -> Header:
    """Build the header from fields whose types hold."""
    missing = [name for name in _REQUIRED if name not in fields]
    if missing:
        raise PeerError("bad-header", f"field {missing[0]!r} is missing")
    if ("prev" in fields) == (fields["seq"] == 0):
        raise PeerError("bad-header", "'prev' stands exactly where 'seq' is not 0")
    if ("body" in fields) != ("size" in fields):
        raise PeerError("bad-header", "'body' and 'size' stand together")
    if fields.get("key") == fields["agent"]:
        raise PeerError("bad-header", "'key' stands only after a rotation")
    values = {_NAMES[name]: value for name, value in fields.items() if name in _NAMES}
    origin = values.get("origin")
    if isinstance(origin, dict):
        known = {name: origin[name] for name in _ORIGIN_NAMES if name in origin}
        values["origin"] = cast("Value", Origin(**cast("dict[str, str]", known)))
    return Header(**cast("dict[str, object]", values))  # type: ignore[arg-type]


_ORIGIN_NAMES: Final = ("trigger", "framework", "model")
_NAMES: Final[Mapping[str, str]] = {
    "net": "network",
    "agent": "agent",
    "key": "key",
    "kind": "kind",
    "seq": "seq",
    "prev": "prev",
    "time": "time_ms",
    "community": "community",
    "refs": "refs",
    "next": "next_key",
    "body": "body_hash",
    "size": "body_bytes",
    "ai_generated": "ai_generated",
    "origin": "origin",
}


def _fields(header: Header) -> dict[str, object]:
    """Return the map that is signed: every field that the header has."""
    fields = {name: getattr(header, attribute) for name, attribute in _NAMES.items()}
    fields["v"] = VERSION
    fields["refs"] = dict(header.refs) or None
    if header.origin is not None:
        fields["origin"] = _present(dataclasses.asdict(header.origin)) or None
    return _present(fields)


def _present(fields: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None}

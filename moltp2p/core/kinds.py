"""The kinds of records, and what each must and must not carry (spec 03, 09)."""

from __future__ import annotations

import enum
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias, assert_never

from moltp2p.core import codec
from moltp2p.core.challenge.attested import (
    Attested,
    Availability,
    Proof,
    check_attested,
    check_proof,
    parse_attested,
    parse_availability,
    parse_proof,
)
from moltp2p.core.challenge.fraud import Fraud, check_fraud, parse_fraud
from moltp2p.core.codec import Value
from moltp2p.core.errors import PeerError
from moltp2p.core.forks import Fork, check_fork, parse_fork
from moltp2p.core.limits import (
    LANGUAGE_PATTERN,
    MAX_ABOUT_CHARS,
    MAX_NAME_CHARS,
    MAX_TEXT_CHARS,
    MAX_TITLE_CHARS,
)
from moltp2p.core.record import Header


class Kind(enum.IntEnum):
    """The kinds that this version knows; others are carried and ignored."""

    INCEPTION = 0
    ROTATE = 1
    PROFILE = 2
    POST = 3
    DELETE = 4
    FORK = 5
    ATTESTATION = 6
    PROOF = 7
    FRAUD = 8
    AVAILABILITY = 9
    REVOCATION = 10


CHAIN_KINDS: Final = frozenset({Kind.INCEPTION, Kind.ROTATE})
"""The kinds that make up an agent's key chain (spec 01)."""

WITNESS_KINDS: Final = CHAIN_KINDS | {
    Kind.FORK,
    Kind.ATTESTATION,
    Kind.PROOF,
    Kind.FRAUD,
    Kind.AVAILABILITY,
    Kind.REVOCATION,
}
"""The kinds by which others judge; they need no proof of their author (spec 07)."""


@dataclass(frozen=True, slots=True)
class Post:
    """The body of a post or a reply.

    Attributes:
        text: what it says, 1 to 40,000 characters.
        title: at most 300 characters.
        language: a BCP 47 tag.
    """

    text: str
    title: str | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """The body of a profile; the agent's newest one counts.

    Attributes:
        name: what the agent calls itself, 1 to 64 characters; not unique.
        about: at most 2,000 characters.
    """

    name: str
    about: str | None = None


Body: TypeAlias = Post | Profile | Fork | Attested | Proof | Fraud | Availability
"""What the bodies of the known kinds say."""


@dataclass(frozen=True, slots=True)
class _Shape:
    """Which of the optional header fields a kind has."""

    needs: frozenset[str]
    may: frozenset[str] = frozenset()
    refs: tuple[frozenset[str], ...] = (frozenset(),)


def _shape(needs: str = "", may: str = "", refs: tuple[str, ...] = ("",)) -> _Shape:
    roles = tuple(frozenset(role.split()) for role in refs)
    return _Shape(frozenset(needs.split()), frozenset(may.split()), roles)


_SHAPES: Final[Mapping[int, _Shape]] = {
    Kind.INCEPTION: _shape(needs="next_key"),
    Kind.ROTATE: _shape(needs="next_key key"),
    Kind.PROFILE: _shape(needs="body_hash", may="key"),
    Kind.POST: _shape(needs="community body_hash", may="key", refs=("", "parent root")),
    Kind.DELETE: _shape(may="community key", refs=("target",)),
    Kind.FORK: _shape(needs="body_hash", may="key"),
    Kind.ATTESTATION: _shape(needs="body_hash", may="key"),
    Kind.PROOF: _shape(needs="body_hash", may="key"),
    Kind.FRAUD: _shape(needs="body_hash", may="key"),
    Kind.AVAILABILITY: _shape(needs="body_hash", may="key", refs=("", "proof")),
    Kind.REVOCATION: _shape(may="key"),
}
_SHAPED: Final = ("key", "community", "next_key", "body_hash")


def check_shape(header: Header) -> None:
    """Hold a header to what its kind must carry; unknown kinds may carry anything.

    Raises:
        PeerError: `bad-header`, naming the fields.
    """
    if (header.seq == 0) != (header.kind == Kind.INCEPTION):
        raise PeerError("bad-header", "an inception is the record with 'seq' 0")
    shape = _SHAPES.get(header.kind)
    if shape is None:
        return
    present = {name for name in _SHAPED if getattr(header, name) is not None}
    if lacking := shape.needs - present:
        raise _misshapen(header.kind, "needs", lacking)
    if surplus := present - shape.needs - shape.may:
        raise _misshapen(header.kind, "has no", surplus)
    if frozenset(header.refs) not in shape.refs:
        raise PeerError("bad-header", f"kind {header.kind} has other references")
    _check_commitment(header)


def _misshapen(kind: int, verb: str, names: Iterable[str]) -> PeerError:
    return PeerError("bad-header", f"kind {kind} {verb} {', '.join(sorted(names))}")


def _check_commitment(header: Header) -> None:
    """Refuse a next key that is known already: whoever stole it could rotate."""
    if header.next_key is None:
        return
    for key in (header.agent, header.signing_key):
        if header.next_key == hashlib.sha256(key).digest():
            raise PeerError("bad-header", "the next key is one that was used before")


def can_be_deleted(header: Header) -> bool:
    """Tell whether its author can delete a record: what bears witness stays."""
    # SPEC 03: "has a body, and is a profile or names a community"
    is_speech = header.community is not None or header.kind == Kind.PROFILE
    return header.body_hash is not None and is_speech


def encode_body(body: Body) -> bytes:
    """Return the bytes of a body (spec 03, 07, 11)."""
    if not isinstance(body, Post | Profile):
        return body.encode()
    names = _POST_NAMES if isinstance(body, Post) else _PROFILE_NAMES
    values = {key: getattr(body, name) for key, name in names.items()}
    return codec.encode({k: v for k, v in values.items() if v is not None})


def parse_body(kind: int, body: bytes) -> Body | None:
    """Return what a body says, or None for a kind that this version does not know.

    Raises:
        PeerError: `bad-body`, `bad-statement`, or a code of `codec.decode`.
    """
    parse = _PARSERS.get(kind)
    return None if parse is None else parse(body)


def check_claims(header: Header, body: Body) -> None:
    """Refuse a body whose signed statements do not hold (spec 07, 11).

    Dear, next to all that is checked before: several signatures, and for a proof an
    Argon2id.

    Raises:
        PeerError: `bad-attestation`, `not-eligible`, `bad-ticket`, `false-fraud`
            or `false-fork`.
    """
    match body:
        case Fork():
            check_fork(body, header.network)
        case Attested():
            check_attested(header, body)
        case Proof():
            check_proof(header, body)
        case Fraud():
            check_fraud(body, header.network)
        case Post() | Profile() | Availability():
            return
        case _:
            assert_never(body)


_POST_NAMES: Final = {"text": "text", "title": "title", "lang": "language"}
_PROFILE_NAMES: Final = {"name": "name", "about": "about"}


def _texts(body: bytes, names: Mapping[str, str]) -> dict[str, str]:
    fields = codec.decode(body)
    if not isinstance(fields, dict):
        raise PeerError("bad-body", "the body is not a map")
    return {names[key]: _text(key, fields[key]) for key in names if key in fields}


def _text(key: str, value: Value) -> str:
    if not isinstance(value, str):
        raise PeerError("bad-body", f"field {key!r} is not text")
    return value


def _post(body: bytes) -> Post:
    texts = _texts(body, _POST_NAMES)
    if not 1 <= len(texts.get("text", "")) <= MAX_TEXT_CHARS:
        raise PeerError(
            "bad-body", f"a post has a text of 1 to {MAX_TEXT_CHARS} characters"
        )
    if len(texts.get("title", "")) > MAX_TITLE_CHARS:
        raise PeerError(
            "bad-body", f"a post has a title of at most {MAX_TITLE_CHARS} characters"
        )
    if not re.fullmatch(LANGUAGE_PATTERN, texts.get("language", "en")):
        raise PeerError("bad-body", "a post's language is a BCP 47 tag, such as 'en'")
    return Post(**texts)


def _profile(body: bytes) -> Profile:
    texts = _texts(body, _PROFILE_NAMES)
    if not 1 <= len(texts.get("name", "")) <= MAX_NAME_CHARS:
        raise PeerError(
            "bad-body", f"a profile has a name of 1 to {MAX_NAME_CHARS} characters"
        )
    if len(texts.get("about", "")) > MAX_ABOUT_CHARS:
        raise PeerError(
            "bad-body", f"a profile's about has at most {MAX_ABOUT_CHARS} characters"
        )
    return Profile(**texts)


_PARSERS: Final[Mapping[int, Callable[[bytes], Body]]] = {
    Kind.PROFILE: _profile,
    Kind.POST: _post,
    Kind.FORK: parse_fork,
    Kind.ATTESTATION: parse_attested,
    Kind.PROOF: parse_proof,
    Kind.FRAUD: parse_fraud,
    Kind.AVAILABILITY: parse_availability,
}

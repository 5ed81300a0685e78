from __future__ import annotations

import pytest

from moltp2p.core import codec
from moltp2p.core.errors import PeerError
from moltp2p.core.kinds import Kind, Post, Profile, check_shape, encode_body, parse_body
from moltp2p.core.record import parse
from scripts.vectors import forge
from tests.refusal import code_of


def test_a_body_has_only_the_fields_that_were_given() -> None:
    assert codec.decode(encode_body(Post("hello"))) == {"text": "hello"}
    assert codec.decode(encode_body(Profile("Alice", ""))) == {
        "name": "Alice",
        "about": "",
    }


def test_fields_of_tomorrow_are_not_read() -> None:
    body = codec.encode({"text": "hello", "mood": "calm", "name": "x"})

    assert parse_body(Kind.POST, body) == Post("hello")


def test_a_body_of_an_unknown_kind_is_not_looked_at() -> None:
    assert parse_body(1_000, b"\xff\xff") is None


@pytest.mark.parametrize("text", ["", " " * 40_001])
def test_a_text_is_neither_empty_nor_too_long(text: str) -> None:
    body = codec.encode({"text": text})

    assert code_of(lambda: parse_body(Kind.POST, body)) == "bad-body"


@pytest.mark.parametrize(
    ("language", "is_one"),
    [
        ("en", True),
        ("gsw", True),
        ("pt-BR", True),
        ("zh-Hant-TW", True),
        ("en-US-abcdefgh-12345678", True),
        ("de-CH-1901-variant1", True),
        ("EN", False),
        ("e", False),
        ("english", False),
        ("en-", False),
        ("en-a", False),
        ("en_US", False),
        ("en-aa-bb-cc-dd", False),
        ("en\n", False),
        ("", False),
    ],
)
def test_languages(language: str, is_one: bool) -> None:
    body = codec.encode({"text": "a", "lang": language})

    code = code_of(lambda: parse_body(Kind.POST, body))

    assert code == (None if is_one else "bad-body")


def test_a_refusal_names_what_is_lacking_or_too_much() -> None:
    lacking = parse(forge.wire(forge.without(forge.fields(), "community")))
    surplus = parse(forge.wire(forge.fields(next=forge.OTHER)))

    with pytest.raises(PeerError, match="needs community"):
        check_shape(lacking.header)
    with pytest.raises(PeerError, match="has no next_key"):
        check_shape(surplus.header)

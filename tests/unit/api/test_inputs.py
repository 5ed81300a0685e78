from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moltp2p.api.inputs import (
    OriginIn,
    PostIn,
    ProfileIn,
    RecordsQuery,
    ReplyIn,
    delete_draft,
    parse,
    parse_kind,
    post_draft,
    profile_draft,
    reply_draft,
)
from moltp2p.core.author import Draft
from moltp2p.core.errors import UsageError
from moltp2p.core.kinds import Kind, Post, Profile
from moltp2p.core.record import Origin
from moltp2p.store.base import Order, Query
from moltp2p.testing.factories import TestAgent


def post_of(**fields: object) -> PostIn:
    return parse(PostIn, json.dumps({"community": "general", **fields}).encode())


@pytest.mark.parametrize("word", ["text", "body"])
def test_text_and_body_are_two_words_for_one_thing(word: str) -> None:
    assert post_of(**{word: "hello"}).text == "hello"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"", "not-json"),
        (b"{", "not-json"),
        (b"\xff", "not-json"),
        (b'{"community": "general", "text": "\\ud800"}', "not-json"),
        (b"[]", "bad-request"),
        (b"null", "bad-request"),
        (b'"text"', "bad-request"),
        (b'{"community": "general"}', "bad-request"),
        (b'{"text": "x"}', "bad-request"),
        (b'{"community": "general", "text": 7}', "bad-request"),
        (b'{"community": 7, "text": "x"}', "bad-request"),
        (b'{"community": "general", "text": "x", "kind": 3}', "bad-request"),
        (b'{"community": "general", "text": "x", "ai_generated": 1}', "bad-request"),
        (b'{"community": "general", "text": "x", "origin": {"a": "b"}}', "bad-request"),
        (
            b'{"community": "general", "text": "x", "origin": {"trigger": "whim"}}',
            "bad-request",
        ),
    ],
)
def test_what_is_no_post_is_refused(text: bytes, code: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(PostIn, text)

    assert caught.value.code == code


def test_a_refusal_names_the_field_and_repeats_no_content() -> None:
    with pytest.raises(UsageError) as caught:
        parse(PostIn, b'{"community": "general", "text": ["secret"]}')

    assert "text" in caught.value.message
    assert "secret" not in caught.value.message


def test_a_field_with_a_long_name_is_named_in_brief() -> None:
    text = json.dumps({"community": "general", "text": "x", "y" * 100_000: 1}).encode()

    with pytest.raises(UsageError) as caught:
        parse(PostIn, text)

    assert len(caught.value.message) < 200


@given(st.binary(max_size=64))
def test_arbitrary_bytes_are_a_post_or_refused(text: bytes) -> None:
    try:
        post = parse(PostIn, text)
    except UsageError:
        return
    assert post.text


def test_a_post_becomes_a_draft() -> None:
    origin = {"trigger": "prompted", "model": "m"}
    post = post_of(
        text="x", title="t", language="en", ai_generated=False, origin=origin
    )

    assert post_draft(post) == Draft(
        Kind.POST,
        Post("x", "t", "en"),
        "general",
        {},
        ai_generated=False,
        origin=Origin("prompted", None, "m"),
    )


def test_an_origin_that_says_nothing_is_left_out() -> None:
    assert post_draft(post_of(text="x", origin={})).origin is None


def test_a_post_to_nowhere_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        post_draft(post_of(text="x", community="No Such Place"))

    assert caught.value.code == "bad-community"


def test_a_reply_goes_where_its_parent_is_and_names_the_root() -> None:
    alice = TestAgent("alice")
    post = alice.post(community="science")
    first = alice.reply(post)

    draft = reply_draft(ReplyIn(text="and more"), first)

    assert draft.community == "science"
    assert draft.refs == {"parent": first.id, "root": post.id}


def test_nobody_can_reply_to_what_stands_in_no_community() -> None:
    with pytest.raises(UsageError) as caught:
        reply_draft(ReplyIn(text="welcome"), TestAgent("alice").incept())

    assert caught.value.code == "no-community"


def test_a_deletion_is_told_where_its_target_was() -> None:
    post = TestAgent("alice").post(community="science")

    draft = delete_draft(post)

    assert draft == Draft(Kind.DELETE, None, "science", {"target": post.id})


def test_a_profile_becomes_a_draft() -> None:
    said = ProfileIn(name="Ada", about="counts", origin=OriginIn(framework="f"))

    assert profile_draft(said) == Draft(
        Kind.PROFILE, Profile("Ada", "counts"), origin=Origin(framework="f")
    )


@pytest.mark.parametrize(
    ("text", "kind"), [("post", 3), ("inception", 0), ("3", 3), ("70000", 70_000)]
)
def test_a_kind_is_a_word_or_a_number(text: str, kind: int) -> None:
    assert parse_kind(text) == kind


@pytest.mark.parametrize("text", ["", "posts", "-1", "3.0", "٣", "1" * 20])
def test_what_is_no_kind_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_kind(text)

    assert caught.value.code == "bad-kind"


def test_a_query_is_the_stores_query() -> None:
    wanted = RecordsQuery(
        community="science", kind=["post", "4"], order=Order.OLDEST_FIRST, limit=7
    )

    assert wanted.query() == Query(
        community="science",
        kinds=frozenset({Kind.POST, Kind.DELETE}),
        order=Order.OLDEST_FIRST,
        limit=7,
    )


def test_a_query_for_everything_names_nothing() -> None:
    assert RecordsQuery().query() == Query()

from __future__ import annotations

import dataclasses
from types import MappingProxyType

import pytest

from moltp2p.core.author import Author, Draft, Head, incept
from moltp2p.core.errors import UsageError
from moltp2p.core.ids import PublicKey
from moltp2p.core.kinds import Kind, Post, Profile, parse_body
from moltp2p.core.limits import MAX_RECORD_BYTES
from moltp2p.core.record import Header, Origin, seal
from moltp2p.testing.factories import EPOCH_MS, TestAgent, signer
from tests.refusal import code_of

SMILE = "\N{GRINNING FACE}"
SMILE = "\N{GRINNING FACE}"
HELLO = Draft(Kind.POST, Post("hello"), "general")


@pytest.fixture
def agent() -> TestAgent:
    agent = TestAgent("alice")
    agent.incept()
    return agent


def test_each_record_takes_the_place_after_the_one_before(agent: TestAgent) -> None:
    post = agent.post()
    reply = agent.reply(post)

    assert [each.header.seq for each in agent.records] == [0, 1, 2]
    assert post.header.prev == agent.records[0].id
    assert reply.header.prev == post.id


def test_the_first_key_is_not_named_and_later_ones_are(agent: TestAgent) -> None:
    before = agent.post()
    agent.rotate()
    after = agent.post()

    assert before.header.key is None
    assert after.header.key == signer("alice", 1).public
    assert after.header.agent == before.header.agent


def test_what_is_said_is_what_is_read(agent: TestAgent) -> None:
    said = Draft(
        Kind.POST,
        Post("text", "title", "en"),
        "general",
        ai_generated=False,
        origin=Origin("scheduled", None, "a model"),
    )

    record = agent.write(said)

    assert record.body is not None
    assert parse_body(Kind.POST, record.body) == said.body
    assert record.header.ai_generated is False
    assert record.header.origin == said.origin


def test_an_origin_that_says_nothing_is_left_out(agent: TestAgent) -> None:
    record = agent.write(dataclasses.replace(HELLO, origin=Origin()))

    assert record.header.origin is None


def test_references_may_be_any_mapping(agent: TestAgent) -> None:
    post = agent.post()
    refs = MappingProxyType({"parent": post.id, "root": post.id})

    reply = agent.write(dataclasses.replace(HELLO, refs=refs))

    assert reply.header.refs == dict(refs)


@pytest.mark.parametrize(
    ("draft", "code"),
    [
        (Draft(Kind.POST, Post("hello")), "bad-header"),
        (Draft(Kind.POST, None, "general"), "bad-header"),
        (Draft(Kind.DELETE, community="general"), "bad-header"),
        (Draft(Kind.PROFILE, Profile("Alice"), "general"), "bad-header"),
        (Draft(Kind.INCEPTION), "bad-header"),
        (Draft(Kind.ROTATE), "bad-header"),
        (dataclasses.replace(HELLO, community="General"), "bad-header"),
        (dataclasses.replace(HELLO, origin=Origin("mood")), "bad-header"),
        (dataclasses.replace(HELLO, origin=Origin(model="m" * 65)), "bad-header"),
        (dataclasses.replace(HELLO, body=Post("")), "bad-body"),
        (dataclasses.replace(HELLO, body=Post("a" * 40_001)), "bad-body"),
        (dataclasses.replace(HELLO, body=Post("a", language="English")), "bad-body"),
        (dataclasses.replace(HELLO, body=Post("\ud800")), "wrong-type"),
        (
            dataclasses.replace(HELLO, body=Post(SMILE * 17_000)),
            "too-large",
        ),
    ],
)
def test_what_no_reader_would_take_is_not_written(
    agent: TestAgent, draft: Draft, code: str
) -> None:
    with pytest.raises(UsageError, match=code):
        agent.write(draft)


def test_a_key_is_not_committed_to_twice(agent: TestAgent) -> None:
    first, second = signer("alice").public, signer("alice", 1).public
    author = Author(agent.id, "test-net", signer("alice", 1))

    for used in (first, second):
        with pytest.raises(UsageError, match="bad-header"):
            author.rotate(agent.head, used, EPOCH_MS)
    with pytest.raises(UsageError, match="bad-header"):
        incept("test-net", signer("alice"), first, EPOCH_MS)


def test_a_sequence_ends_where_numbers_do(agent: TestAgent) -> None:
    last = Head(2**63 - 1, agent.head.record)

    with pytest.raises(UsageError, match="wrong-type"):
        agent.author.write(HELLO, last, EPOCH_MS)


def test_nobody_signs_in_anothers_name() -> None:
    header = Header(
        network="test-net",
        agent=TestAgent("alice").id,
        kind=Kind.POST,
        seq=1,
        prev=TestAgent("alice").incept().id,
        time_ms=EPOCH_MS,
    )

    assert code_of(lambda: seal(header, None, signer("bob"))) == "wrong-key"


def test_a_record_of_the_greatest_size_can_be_written(agent: TestAgent) -> None:
    record = agent.post("a" * 16_000 + SMILE * 12_000)

    assert 60_000 < len(record.wire()) <= MAX_RECORD_BYTES


def test_drafts_and_headers_can_be_put_into_sets(agent: TestAgent) -> None:
    reply = agent.reply(agent.post())

    assert len({reply.header, agent.post().header}) == 2
    assert len({Draft(Kind.POST, refs=reply.header.refs), HELLO}) == 2
    assert PublicKey(reply.header.agent) == reply.header.signing_key

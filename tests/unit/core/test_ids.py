from __future__ import annotations

import pytest

from moltp2p.core.ids import agent_text, parse_agent, parse_record_id, record_text
from moltp2p.testing.factories import TestAgent
from tests.refusal import code_of


def test_names_begin_as_the_spec_says() -> None:
    post = TestAgent("alice").post()

    assert agent_text(post.header.agent).startswith("did:key:z6Mk")
    assert record_text(post.id).startswith("bafyrei")


def test_a_name_is_not_taken_for_the_other_kind() -> None:
    post = TestAgent("alice").post()

    agent, record = agent_text(post.header.agent), record_text(post.id)

    assert code_of(lambda: parse_agent(record)) == "bad-agent"
    assert code_of(lambda: parse_record_id(agent)) == "bad-record-id"


@pytest.mark.parametrize(
    "text", ["\u0131", "b\u0131", "did:key:z\u0131", "b" + "\u00e9" * 58]
)
def test_letters_of_other_scripts_are_refused(text: str) -> None:
    assert code_of(lambda: parse_agent(text)) == "bad-agent"
    assert code_of(lambda: parse_record_id(text)) == "bad-record-id"


def test_a_huge_text_is_refused_unread() -> None:
    # base58 takes quadratic time, so that a megabyte of it would take hours.
    assert code_of(lambda: parse_agent("did:key:z" + "z" * 10**6)) == "bad-agent"
    assert code_of(lambda: parse_record_id("b" + "a" * 10**6)) == "bad-record-id"

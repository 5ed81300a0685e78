"""Agents from names: the same everywhere, and a valid sequence from the first call."""

from __future__ import annotations

import pytest

from moltp2p.core.errors import UsageError
from moltp2p.core.kinds import Kind
from moltp2p.testing import EPOCH_MS, TestAgent, signer


def test_a_name_is_one_agent_everywhere() -> None:
    assert TestAgent("alice").post() == TestAgent("alice").post()
    assert TestAgent("alice").id != TestAgent("bob").id


@pytest.mark.parametrize("first", ["post", "rotate"])
def test_whatever_comes_first_an_inception_comes_before_it(first: str) -> None:
    alice = TestAgent("alice")

    record = getattr(alice, first)()

    assert [each.header.seq for each in alice.records] == [0, 1]
    assert alice.records[0].header.kind == Kind.INCEPTION
    assert alice.records[0].header.time_ms == EPOCH_MS
    assert record.header.prev == alice.records[0].id
    assert all(each.is_signed() for each in alice.records)


def test_after_a_rotation_it_signs_with_the_next_key() -> None:
    alice = TestAgent("alice")
    alice.rotate()

    assert alice.post().header.key == signer("alice", 1).public
    assert alice.id == TestAgent("alice").id


def test_where_nothing_is_written_no_sequence_stands() -> None:
    with pytest.raises(UsageError, match="alice has written nothing") as refused:
        TestAgent("alice").head  # noqa: B018

    assert refused.value.code == "bad-call"

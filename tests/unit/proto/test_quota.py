from __future__ import annotations

import dataclasses

import pytest

from moltp2p.core.author import Draft
from moltp2p.core.kinds import Kind, Profile
from moltp2p.core.topics import NetworkParams, shard_of
from moltp2p.proto.quota import (
    SELF,
    SELF_UNITS,
    SHARD_UNITS,
    TESTIMONY,
    TESTIMONY_UNITS,
    Limits,
    shelf_of,
    volume_of,
)
from moltp2p.testing.factories import TestAgent

NETWORK = NetworkParams("test-net")


def test_a_deletion_stands_on_the_shelf_of_its_target() -> None:
    alice = TestAgent("alice")
    profile = alice.write(Draft(Kind.PROFILE, Profile("Alice")))
    targets = [profile, alice.post(), alice.post(community="science")]

    for target in targets:
        shelf = shelf_of(target.header, NETWORK)
        assert shelf_of(alice.delete(target).header, NETWORK) == shelf


def test_the_key_chain_stands_on_no_shelf() -> None:
    alice = TestAgent("alice")

    assert shelf_of(alice.incept().header, NETWORK) is None
    assert shelf_of(alice.rotate().header, NETWORK) is None


@pytest.mark.parametrize("kind", [Kind.FORK, 6, 7, 8, 9, 10, 1_000])
def test_what_bears_witness_stands_apart_from_what_an_agent_says_of_itself(
    kind: int,
) -> None:
    header = dataclasses.replace(TestAgent("alice").incept().header, kind=kind)

    assert shelf_of(header, NETWORK) == TESTIMONY


def test_a_community_stands_on_the_shelf_of_its_topic() -> None:
    alice = TestAgent("alice")
    for community in ("general", "science", "x0"):
        header = alice.post(community=community).header
        assert shelf_of(header, NETWORK) == 1 + shard_of(community, NETWORK.shards)


def test_no_shelf_has_the_number_of_a_shard_s() -> None:
    numbers = {1 + shard_of(f"c{n}", 256) for n in range(2_000)}

    assert numbers.isdisjoint({SELF, TESTIMONY})


def test_a_body_that_was_dropped_counts_as_before() -> None:
    post = TestAgent("alice").post("a" * 3_000)

    assert volume_of(post.without_body()) == volume_of(post)
    assert volume_of(post).units == 4


def test_each_shelf_has_its_limit() -> None:
    limits = Limits()

    assert limits.of(SELF) == SELF_UNITS
    assert limits.of(TESTIMONY) == TESTIMONY_UNITS
    assert limits.of(1) == limits.of(256) == SHARD_UNITS

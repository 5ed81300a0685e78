from __future__ import annotations

from collections import Counter

import pytest

from moltp2p.core.topics import (
    NetworkParams,
    agents_topic,
    all_topics,
    check_community,
    shard_of,
    topic_number,
    topic_of,
)
from tests.refusal import code_of

NETWORK = NetworkParams("test-net")


def test_every_record_has_one_of_the_networks_topics() -> None:
    topics = all_topics(NETWORK)

    assert topics[0] == agents_topic(NETWORK) == topic_of(NETWORK, None)
    assert len(set(topics)) == 1 + NETWORK.shards
    assert {topic_of(NETWORK, f"community-{n}") for n in range(500)} == set(topics[1:])


def test_a_shard_is_what_the_spec_computes() -> None:
    # SHA-256 of "moltp2p/shard/1general" begins with 2bf1550039bab9f5.
    assert shard_of("general", 2**64) == 0x2BF1550039BAB9F5
    assert shard_of("general", 16) == 5
    assert topic_of(NETWORK, "general") == "/moltp2p/1/test-net/shard/5"


def test_a_topic_has_the_number_of_its_place_among_all() -> None:
    assert topic_number(NETWORK, None) == 0
    assert topic_number(NETWORK, "general") == 1 + shard_of("general", NETWORK.shards)
    for community in (None, "general", "science"):
        number = topic_number(NETWORK, community)
        assert all_topics(NETWORK)[number] == topic_of(NETWORK, community)


def test_communities_spread_evenly() -> None:
    counts = Counter(shard_of(f"c{n}", 16) for n in range(16_000))

    assert all(850 < count < 1_150 for count in counts.values())


@pytest.mark.parametrize("name", ["ab", "a1", "0-", "general", "a" * 30])
def test_names_of_communities(name: str) -> None:
    assert check_community(name) == name


@pytest.mark.parametrize(
    "name", ["", "a", "a" * 31, "-ab", "Ab", "a b", "a_b", "ab\n", "\u00e4b"]
)
def test_other_words_name_no_community(name: str) -> None:
    assert code_of(lambda: check_community(name)) == "bad-community"


@pytest.mark.parametrize("shards", [0, -1, 257])
def test_a_network_has_1_to_256_shards(shards: int) -> None:
    assert code_of(lambda: NetworkParams("n", shards)) == "bad-setting"


@pytest.mark.parametrize("name", ["", "-n", "N", "n" * 33, "n\n", "n/m"])
def test_a_network_has_a_name_that_topics_can_carry(name: str) -> None:
    assert code_of(lambda: NetworkParams(name)) == "bad-setting"

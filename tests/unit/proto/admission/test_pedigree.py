"""Who attested whom, with what speaks against each attestation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from moltp2p.core.ids import AgentId, PublicKey
from moltp2p.proto.admission.census import Census
from moltp2p.proto.admission.pedigree import Pedigree, pedigree
from moltp2p.proto.admission.rules import Claim
from moltp2p.proto.admission.view import MAX_DEPTH, OF_AGE_MS
from tests.properties.test_census import DAY_MS, LIFE_MS, ME, NOW_MS, agent, claim


def village(*claims: Claim, direct: Sequence[int] = (0,)) -> Census:
    census = Census(ME, lambda who, key: PublicKey(who) == key, NOW_MS)
    for each in direct:
        census.challenge(agent(each), NOW_MS - DAY_MS, NOW_MS + LIFE_MS)
    census.prove(*claims)
    return census


def codes(tree: Pedigree) -> list[str]:
    return [each.code for each in tree.attested_by]


def everybody(tree: Pedigree) -> Iterator[AgentId]:
    yield tree.agent
    for branch in tree.attested_by:
        yield from everybody(branch.attester)


def test_a_tree_leads_to_whom_this_node_has_challenged() -> None:
    first = claim(1, [0], NOW_MS - DAY_MS)
    second = claim(2, [1], NOW_MS - DAY_MS // 2)
    tree = pedigree(village(first, second), agent(2))

    (upper,) = tree.attested_by
    (lower,) = upper.attester.attested_by
    assert (tree.state, tree.depth) == ("challenger", 2)
    assert tree.expires_ms == second.time_ms + LIFE_MS
    assert (upper.attestation, upper.counts, upper.code) == (
        second.record,
        True,
        "counts",
    )
    assert lower.attester == Pedigree(
        agent(0), "challenger", 0, NOW_MS + LIFE_MS, (), is_cut=False
    )


def test_an_agent_of_whom_nothing_is_known_has_no_tree() -> None:
    tree = pedigree(village(), agent(5))

    assert tree == Pedigree(agent(5), "unverified", None, None)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (claim(1, [0], NOW_MS - LIFE_MS), "expired"),
        (claim(1, [0], NOW_MS + DAY_MS), "from-the-future"),
        (claim(1, [9], NOW_MS - DAY_MS), "attester-unverified"),
    ],
)
def test_what_does_not_count_says_why(given: Claim, code: str) -> None:
    tree = pedigree(village(given), agent(1))

    assert codes(tree) == [code]
    assert not tree.attested_by[0].counts
    assert tree.depth is None


def test_a_fraud_and_a_revocation_are_named() -> None:
    census = village(claim(1, [0], NOW_MS - DAY_MS), claim(2, [1], NOW_MS - 1))
    census.convict(agent(0), NOW_MS - 2 * DAY_MS)
    census.revoke(agent(2), NOW_MS)

    assert codes(pedigree(census, agent(1))) == ["attester-cheated"]
    census.convict(agent(3), 0)
    assert codes(pedigree(census, agent(2))) == ["attester-unverified"]
    assert pedigree(census, agent(1)).attested_by[0].attester.depth == 0


def test_a_revoked_proof_does_not_count_though_its_attestations_would() -> None:
    census = village(claim(1, [0], NOW_MS - DAY_MS))
    census.revoke(agent(1), NOW_MS)

    assert codes(pedigree(census, agent(1))) == ["revoked"]


def test_a_key_that_is_not_the_attesters_is_named() -> None:
    census = Census(ME, lambda _who, _key: False, NOW_MS)
    census.challenge(agent(0), NOW_MS - DAY_MS, NOW_MS + LIFE_MS)
    census.prove(claim(1, [0], NOW_MS - DAY_MS))

    assert codes(pedigree(census, agent(1))) == ["key-unknown"]


def test_those_below_and_those_at_the_last_depth_help_nobody() -> None:
    line = [claim(n, [n - 1], NOW_MS - DAY_MS - n) for n in range(1, MAX_DEPTH + 2)]
    census = village(*line, claim(1, [2], NOW_MS - DAY_MS // 2))

    assert codes(pedigree(census, agent(1))) == ["attester-not-above", "counts"]
    beyond = pedigree(census, agent(MAX_DEPTH + 1))
    assert (beyond.depth, codes(beyond)) == (None, ["beyond-depth"])


def test_in_a_large_network_youth_weak_tickets_and_too_few_are_named() -> None:
    old = [
        claim(n, [0], NOW_MS - age_ms, size=16)
        for n in range(1, 29)
        for age_ms in (OF_AGE_MS, DAY_MS // 2)
    ]
    new = [
        claim(130, [1, 2, 3, 4], NOW_MS - 9, size=16),
        claim(131, [1, 2, 3, 4], NOW_MS - 9, size=1),
        claim(132, [1, 2, 3], NOW_MS - 9, size=16),
        claim(133, [1, 2, 3, 130], NOW_MS - 8, size=16),
    ]
    census = village(*old, *new)
    assert census.is_mature

    assert codes(pedigree(census, agent(130))) == ["counts"] * 4
    assert census.bars()[-1].least_size(NOW_MS) == 2
    assert codes(pedigree(census, agent(131))) == ["weak-ticket"] * 4
    assert codes(pedigree(census, agent(132))) == ["too-few"] * 3
    assert codes(pedigree(census, agent(133))) == ["too-few"] * 3 + [
        "attester-too-young"
    ]


def test_two_who_attest_each_other_are_shown_once() -> None:
    ring = [claim(n, [m for m in range(8) if m != n], NOW_MS - 1) for n in range(8)]
    tree = pedigree(village(*ring, direct=[99]), agent(3))

    found = list(everybody(tree))
    assert len(found) == 1 + 8 * 7
    assert set(codes(tree)) == {"attester-unverified"}
    assert all(
        each.attester.is_cut or each.attester.attested_by for each in tree.attested_by
    )


def test_a_tree_ends_where_it_is_told_to() -> None:
    line = [claim(n, [n - 1], NOW_MS - DAY_MS - n) for n in range(1, MAX_DEPTH + 1)]
    census = village(*line)

    short = pedigree(census, agent(6), depth_limit=2)
    few = pedigree(census, agent(6), branch_limit=3)

    assert len(list(everybody(short))) == 3
    assert len(list(everybody(few))) == 4
    assert short.attested_by[0].attester.attested_by[0].attester.is_cut


def test_the_tree_of_one_whom_all_attest_has_a_bound() -> None:
    many = [
        claim(n, [*range(max(0, n - 7), n)], NOW_MS - DAY_MS) for n in range(1, 200)
    ]
    tree = pedigree(village(*many), agent(199), depth_limit=100)

    assert len(list(everybody(tree))) <= 257


def test_an_agent_that_took_all_back_counts_for_nobody_who_challenged_it() -> None:
    census = village(claim(1, [0], NOW_MS - 1))
    census.revoke(agent(0), NOW_MS - 2)

    assert census.place(agent(0)) is None
    assert codes(pedigree(census, agent(1))) == ["attester-unverified"]
    census.challenge(agent(0), NOW_MS - 1, NOW_MS + LIFE_MS)
    assert census.place(agent(0)) is not None

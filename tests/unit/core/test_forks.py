from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moltp2p.core.author import Draft
from moltp2p.core.errors import PeerError
from moltp2p.core.forks import (
    Fork,
    Forked,
    check_fork,
    parse_fork,
    place_of,
    prove,
)
from moltp2p.core.kinds import Kind
from moltp2p.core.record import Record
from moltp2p.core.topics import NetworkParams
from moltp2p.core.validate import Bench, Road, judge
from moltp2p.core.verdict import Verdict
from moltp2p.testing.factories import EPOCH_MS, TestAgent
from tests.facts import facts

NETWORK = "test-net"
BENCH = Bench(NetworkParams(NETWORK), EPOCH_MS + 60_000, Road.SYNC)


def twins() -> tuple[TestAgent, TestAgent]:
    """Return two copies of alice, whose clocks differ."""
    return TestAgent("alice"), TestAgent("alice", time_ms=EPOCH_MS + 1)


def proof(one: Record, other: Record, *chain: Record) -> Fork:
    fork = prove(one, other, chain)
    assert fork is not None
    return fork


def test_two_posts_at_one_place_prove_a_fork_to_whom_knows_nothing() -> None:
    left, right = twins()
    fork = proof(left.post("yes"), right.post("no"))
    record = TestAgent("bob").write(Draft(Kind.FORK, fork))

    ruling = judge(record.wire(), BENCH, facts())

    assert ruling.verdict is Verdict.ACCEPT
    assert place_of(fork) == Forked(left.id, 1)


def test_a_proof_is_the_same_whoever_saw_which_branch_first() -> None:
    left, right = twins()
    one, other = left.post("yes"), right.post("no")

    assert proof(one, other) == proof(other, one)


def test_a_proof_is_read_as_it_was_written() -> None:
    left, right = twins()
    first = left.incept()
    right.records = [first]
    left.rotate()
    right.rotate()
    fork = proof(left.post(), right.post(), *left.records[:2])

    assert parse_fork(fork.encode()) == fork
    assert fork.chain == (first.sign1,)


def test_after_many_rotations_the_chain_leads_to_the_key() -> None:
    left, right = twins()
    left.incept()
    for _ in range(5):
        left.rotate()
    right.records, right.generation = list(left.records), left.generation
    chain = list(left.records)

    fork = proof(left.post("yes"), right.post("no"), *chain)

    check_fork(fork, NETWORK)
    assert len(fork.chain) == 5


def test_two_rotations_from_one_link_prove_a_fork_wherever_they_stand() -> None:
    left, right = twins()
    first = left.incept()
    right.records = [first]
    left.post()
    fork = proof(left.rotate(), right.rotate(), first)

    check_fork(fork, NETWORK)
    assert place_of(fork).seq == 1


def test_neither_one_record_nor_two_places_prove_anything() -> None:
    alice = TestAgent("alice")
    first, second = alice.post(), alice.post()

    assert prove(first, first, []) is None
    assert prove(first, second, []) is None


def test_a_key_that_the_chain_never_committed_to_proves_nothing() -> None:
    left, right = twins()
    first = left.incept()
    left.rotate()
    right.records, right.generation = list(left.records), 1
    one, other = left.post("yes"), right.post("no")

    assert prove(one, other, []) is None
    assert prove(one, other, [TestAgent("bob").incept()]) is None
    check_fork(proof(one, other, first), NETWORK)


def test_whoever_is_no_agent_cannot_make_one_look_forked() -> None:
    """Mallory signs two records in alice's name, by a key of her own."""
    mallory = TestAgent("mallory")
    mallory.incept()
    mallory.rotate()
    left, right = twins()
    left.incept()
    chain = (mallory.records[0].sign1, left.records[0].sign1)
    branches = prove(left.post("yes"), right.post("no"), [])
    assert branches is not None
    for links in ((chain[0],), chain, chain[::-1]):
        with pytest.raises(PeerError, match="false-fork"):
            check_fork(Fork(branches.branches, links), NETWORK)


def test_a_false_proof_is_a_fault_of_whoever_passes_it_on() -> None:
    left, right = twins()
    fork = proof(left.post("yes"), right.post("no"))
    false = Fork((fork.branches[1], fork.branches[0]))
    record = TestAgent("bob").write(Draft(Kind.FORK, false))

    ruling = judge(record.wire(), BENCH, facts())

    assert (ruling.verdict, ruling.code) == (Verdict.REJECT, "false-fork")


@given(place=st.integers(0, 1), at=st.integers(min_value=0), bit=st.integers(0, 7))
def test_no_bit_of_a_branch_can_be_changed(place: int, at: int, bit: int) -> None:
    left, right = twins()
    fork = proof(left.post("yes"), right.post("no"))
    branch = bytearray(fork.branches[place])
    branch[at % len(branch)] ^= 1 << bit
    branches = list(fork.branches)
    branches[place] = bytes(branch)

    with pytest.raises(PeerError, match="false-fork"):
        check_fork(Fork((branches[0], branches[1])), NETWORK)


@given(st.binary(max_size=64))
def test_arbitrary_bodies_are_forks_or_refused(body: bytes) -> None:
    try:
        fork = parse_fork(body)
        check_fork(fork, NETWORK)
    except PeerError:
        return
    assert fork.encode() == body

from __future__ import annotations

import dataclasses
import time

import pytest

from moltp2p.core.author import Draft
from moltp2p.core.challenge.attested import Attested, Proof, check_attested, check_proof
from moltp2p.core.challenge.testimony import RENEW_MS, VALID_MS
from moltp2p.core.challenge.work import TEST_PREFIX, epoch_of, ticket_value
from moltp2p.core.errors import PeerError
from moltp2p.core.kinds import Kind, parse_body
from moltp2p.core.topics import NetworkParams
from moltp2p.core.validate import Bench, Road, judge
from moltp2p.core.verdict import Verdict
from moltp2p.testing.factories import EPOCH_MS, TestAgent
from moltp2p.testing.proofs import Spoken, known_agent, prove, ticket_for
from tests.facts import facts
from tests.refusal import code_of

ISSUERS = [known_agent(name) for name in ("bob", "carol", "dave", "erin")]
MAX_PROOF_BYTES = 1_500
DAY_MS = 86_400_000


def proof() -> Proof:
    return prove(known_agent("alice"), ISSUERS, size=8)


def of_alice(body: Proof) -> tuple[TestAgent, bytes]:
    alice = known_agent("alice")
    return alice, alice.write(Draft(Kind.PROOF, body)).wire()


def test_a_proof_is_small_and_read_as_it_was_written() -> None:
    said = proof()
    alice, wire = of_alice(said)
    record = alice.records[-1]

    assert len(wire) <= MAX_PROOF_BYTES
    assert record.body is not None
    assert parse_body(Kind.PROOF, record.body) == said
    assert said.issuers == {issuer.id for issuer in ISSUERS}


def test_a_proof_is_cheap_to_check_beside_its_argon2() -> None:
    said = proof()
    alice, wire = of_alice(said)
    header = alice.records[-1].header
    bench = Bench(NetworkParams(header.network), header.time_ms, Road.SYNC)
    ticket_value(header.network, alice.id, said.ticket)

    def judging_s() -> float:
        begun_s = time.thread_time()
        assert judge(wire, bench, facts()).verdict is Verdict.ACCEPT
        return time.thread_time() - begun_s

    assert min(judging_s() for _ in range(10)) < 0.002


def test_a_proof_from_a_cheap_network_is_none_on_another() -> None:
    said, alice = proof(), known_agent("alice", "main")
    record = alice.write(Draft(Kind.PROOF, said))

    assert not alice.network.startswith(TEST_PREFIX)
    assert code_of(lambda: check_proof(record.header, said)) == "bad-ticket"


@pytest.mark.parametrize(
    ("at_ms", "holds"),
    [(-600_001, False), (-600_000, True), (VALID_MS - 1, True), (VALID_MS, False)],
)
def test_how_long_an_attestation_holds(at_ms: int, holds: bool) -> None:
    says = proof().attested[0].says

    assert says.is_current(EPOCH_MS + at_ms, ahead_ms=600_000) == holds


def test_renewal_begins_before_it_is_needed() -> None:
    assert (RENEW_MS, VALID_MS) == (10 * DAY_MS, 14 * DAY_MS)


def test_a_proof_can_be_taken_together_over_an_hour() -> None:
    alice = known_agent("alice")
    ticket = ticket_for(alice, ISSUERS[:2], 1)
    attested = tuple(
        Spoken(alice, issuer, ticket, time_ms=EPOCH_MS + later_ms).attest()
        for issuer, later_ms in zip(ISSUERS[:2], (0, 3_600_000), strict=True)
    )
    alice.time_ms += 3_600_000
    record = alice.write(Draft(Kind.PROOF, Proof(ticket, attested)))

    check_proof(record.header, Proof(ticket, attested))


def test_the_argon2_comes_last() -> None:
    said = proof()
    header = of_alice(said)[0].records[-1].header
    statement = dataclasses.replace(said.attested[-1].statement, signature=bytes(64))
    forged = dataclasses.replace(said.attested[-1], statement=statement)
    unseen = dataclasses.replace(said.ticket, nonce=2**60)
    bad = Proof(unseen, (*said.attested[:-1], forged))
    computed = ticket_value.cache_info().misses

    assert code_of(lambda: check_proof(header, bad)) == "bad-attestation"
    assert ticket_value.cache_info().misses == computed


@pytest.mark.parametrize(("network", "slots"), [("main", 4), ("test-net", 32)])
def test_a_challenger_has_so_many_slots_and_no_more(network: str, slots: int) -> None:
    alice, bob = (known_agent(name, network) for name in ("alice", "bob"))
    header = bob.write(Draft(Kind.REVOCATION)).header
    spoken = Spoken(alice, bob)
    paid = {"ticket": bytes(32), "epoch": epoch_of(EPOCH_MS), "rounds": None}

    check_attested(header, spoken.attest(slot=slots - 1, **paid))

    with pytest.raises(PeerError, match="slots"):
        check_attested(header, _of_slot(spoken, slots, paid))


def _of_slot(spoken: Spoken, slot: int, paid: dict[str, object]) -> Attested:
    # 32 cannot be written as a statement at all; on a test network 31 is the last.
    given = spoken.attest(slot=min(slot, 31), **paid)
    says = dataclasses.replace(given.says, slot=slot)
    return dataclasses.replace(given, says=says)

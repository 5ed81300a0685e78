"""What is known of ids, over all rounds: claimed, put off, refused, come."""

from __future__ import annotations

from moltp2p.core.ids import AgentId, PeerId, RecordId
from moltp2p.proto.sync.ledger import (
    MAX_UNWANTED,
    PUT_OFF_S,
    SETTLED_S,
    UNWANTED_S,
    Ledger,
)

BOB, CAROL = PeerId("bob"), PeerId("carol")
ALICE, DAVE = AgentId(b"alice".ljust(32)), AgentId(b"dave".ljust(32))


def record(number: int) -> RecordId:
    return RecordId(number.to_bytes(32))


def test_a_record_that_waits_for_its_key_is_looked_at_once_more() -> None:
    ledger = Ledger()
    ledger.put_off(record(1), ALICE, 0.0)
    at_first = ledger.is_missing(record(1), PUT_OFF_S - 1)
    later = ledger.is_missing(record(1), PUT_OFF_S)

    ledger.put_off(record(1), ALICE, PUT_OFF_S)

    assert (at_first, later) == (False, True)
    assert not ledger.is_missing(record(1), UNWANTED_S)


def test_what_waited_for_its_author_is_missing_once_that_is_let_in() -> None:
    ledger = Ledger()
    for at in (0.0, PUT_OFF_S):
        ledger.put_off(record(1), ALICE, at)
        ledger.put_off(record(2), DAVE, at)
    ledger.refuse(record(3), 0.0)

    ledger.let_in(ALICE)

    missing = [ledger.is_missing(record(n), PUT_OFF_S + 1) for n in (1, 2, 3)]
    assert missing == [True, False, False]
    ledger.put_off(record(1), ALICE, PUT_OFF_S)
    assert not ledger.is_missing(record(1), PUT_OFF_S + 1)


def test_what_came_may_come_again_after_a_while() -> None:
    ledger = Ledger()
    ledger.settle(record(1), 0.0)

    assert not ledger.is_missing(record(1), SETTLED_S - 1)
    assert ledger.is_missing(record(1), SETTLED_S)


def test_what_is_unwanted_is_bounded_and_the_oldest_is_forgotten() -> None:
    ledger = Ledger()
    for number in range(MAX_UNWANTED + 1):
        ledger.refuse(record(number), 0.0)

    assert ledger.unwanted == MAX_UNWANTED
    assert ledger.is_missing(record(0), 1.0)
    assert not ledger.is_missing(record(1), 1.0)


def test_a_claim_is_given_back_by_whom_it_belongs_to_alone() -> None:
    ledger = Ledger()
    claims = [ledger.claim(record(1), peer) for peer in (BOB, BOB, CAROL)]
    ledger.release([record(1)], CAROL)
    kept = ledger.is_in_flight(record(1))
    ledger.release([record(1)], BOB)

    assert claims == [True, True, False]
    assert kept
    assert not ledger.is_in_flight(record(1))

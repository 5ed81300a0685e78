from __future__ import annotations

from functools import partial

import pytest

from moltp2p.core.challenge.testimony import SLOTS
from moltp2p.core.challenge.work import EPOCH_LENGTH_MS, Ticket, epoch_of
from moltp2p.proto.challenge.desk import Desk, DeskSettings, Seat, Visitor
from moltp2p.proto.ratelimit import Rate
from moltp2p.testing.challenging import FREE
from moltp2p.testing.factories import EPOCH_MS
from moltp2p.testing.proofs import known_agent, peer_of
from tests.refusal import code_of

ALICE, BOB = known_agent("alice").id, known_agent("bob").id
EPOCH = epoch_of(EPOCH_MS)
HERE = "192.0.2.1"


def ticket(nonce: int = 0, epoch: int = EPOCH, size: int = 1) -> Ticket:
    return Ticket(epoch, size, nonce)


def guest(name: str, address: str = HERE) -> Visitor:
    return Visitor(peer_of(name), address)


def test_one_peer_has_one_session() -> None:
    desk = Desk(DeskSettings())
    desk.enter(guest("alice"), 0)

    assert code_of(lambda: desk.enter(guest("alice", "192.0.2.2"), 0)) == "busy"
    desk.leave(guest("alice"))
    desk.enter(guest("alice", "192.0.2.2"), 0)


def test_one_address_has_two_sessions() -> None:
    desk = Desk(DeskSettings())
    desk.enter(guest("alice"), 0)
    desk.enter(guest("bob"), 0)

    assert code_of(lambda: desk.enter(guest("carol"), 0)) == "busy"
    desk.enter(guest("carol", "192.0.2.2"), 0)


def test_all_have_eight_sessions() -> None:
    desk = Desk(DeskSettings())
    for number in range(8):
        desk.enter(guest(f"{number}", f"192.0.2.{number}"), 0)

    assert code_of(lambda: desk.enter(guest("alice"), 0)) == "busy"


def test_one_address_comes_so_often_and_not_more() -> None:
    desk = Desk(DeskSettings(visits=Rate(0.1, 3)))

    def visit(now: float) -> str | None:
        code = code_of(lambda: desk.enter(guest("alice"), now))
        if code is None:
            desk.leave(guest("alice"))
        return code

    assert [visit(0) for _ in range(4)] == [None, None, None, "busy"]
    assert visit(10) is None


def test_tickets_are_computed_so_often_and_not_more() -> None:
    desk = Desk(DeskSettings(hashes=Rate(1, 2)))
    desk.pay_hash(0)
    desk.pay_hash(0)

    assert code_of(lambda: desk.pay_hash(0)) == "busy"
    desk.pay_hash(1)


def test_four_slots_are_held_and_no_fifth() -> None:
    desk = Desk(FREE)

    seats = [desk.reserve(ALICE, ticket(n), b"", EPOCH_MS) for n in range(SLOTS)]

    assert seats == [Seat(EPOCH, slot, b"") for slot in range(SLOTS)]
    more = partial(desk.reserve, ALICE, ticket(9), b"", EPOCH_MS)
    assert code_of(more) == "no-slots"
    desk.release(seats[2])
    assert more() == Seat(EPOCH, 2, b"")


def test_each_epoch_has_its_own_slots() -> None:
    desk = Desk(FREE)
    for number in range(SLOTS):
        desk.reserve(ALICE, ticket(number), b"", EPOCH_MS)

    before = desk.reserve(ALICE, ticket(epoch=EPOCH - 1), b"", EPOCH_MS)

    assert before == Seat(EPOCH - 1, 0, b"")


def test_slots_of_before_a_restart_are_not_used_again() -> None:
    desk = Desk(FREE)
    desk.restore([Seat(EPOCH, 0, b"one"), Seat(EPOCH, 2, b"two")])

    seats = [desk.reserve(ALICE, ticket(n), b"", EPOCH_MS) for n in range(2)]

    assert [seat.slot for seat in seats] == [1, 3]
    assert desk.slots_left(EPOCH) == 0


def test_a_ticket_is_good_for_one_session() -> None:
    desk = Desk(FREE)
    seat = desk.reserve(ALICE, ticket(), b"", EPOCH_MS)
    desk.release(seat)

    assert code_of(lambda: desk.weigh(ALICE, ticket(), EPOCH_MS)) == "ticket-used"
    desk.weigh(BOB, ticket(), EPOCH_MS)
    desk.weigh(ALICE, ticket(1), EPOCH_MS)


def test_applicants_that_fail_do_not_hold_a_challenger_up_for_ever() -> None:
    desk = Desk(DeskSettings(sessions_per_epoch=6))

    for number in range(6):
        desk.release(desk.reserve(ALICE, ticket(number), b"", EPOCH_MS))

    assert code_of(lambda: desk.weigh(BOB, ticket(), EPOCH_MS)) == "no-slots"


@pytest.mark.parametrize(
    ("epoch", "code"),
    [(EPOCH - 2, "stale-ticket"), (EPOCH, None), (EPOCH + 2, "stale-ticket")],
)
def test_a_ticket_of_another_time(epoch: int, code: str | None) -> None:
    desk = Desk(FREE)

    assert code_of(lambda: desk.weigh(ALICE, ticket(epoch=epoch), EPOCH_MS)) == code


def test_a_large_network_asks_for_a_large_size() -> None:
    desk = Desk(FREE, challengers=100)

    weak, strong = ticket(size=70), ticket(size=71)

    assert code_of(lambda: desk.weigh(ALICE, weak, EPOCH_MS)) == "weak-ticket"
    desk.weigh(ALICE, strong, EPOCH_MS)


def test_what_is_remembered_is_bounded() -> None:
    desk = Desk(FREE)
    for hour in range(200):
        now_ms = EPOCH_MS + hour * EPOCH_LENGTH_MS
        desk.release(desk.reserve(ALICE, ticket(epoch=epoch_of(now_ms)), b"", now_ms))

    assert len(desk._used) <= 50
    assert len(desk._taken) <= 50


def test_a_ticket_that_was_attested_before_a_restart_is_used() -> None:
    desk = Desk(DeskSettings())
    desk.restore([Seat(EPOCH, 0, b"its value")])

    again = partial(desk.reserve, ALICE, ticket(), b"its value", EPOCH_MS)
    assert code_of(again) == "ticket-used"
    assert desk.reserve(ALICE, ticket(), b"another", EPOCH_MS).slot == 1

from __future__ import annotations

import math
import random
import statistics

import pytest

from moltp2p.core.challenge.work import (
    DRAWN,
    EPOCH_LENGTH_MS,
    TEST_PRICE,
    Searched,
    Ticket,
    find_ticket,
    is_current,
    is_eligible,
    is_paid,
    least_size,
    ticket_value,
    usual_size,
)
from moltp2p.core.ids import AgentId
from moltp2p.testing.proofs import known_agent, tickets

NETWORK = "test-net"
ALICE = known_agent("alice").id
AGENTS = [AgentId(random.Random(n).randbytes(32)) for n in range(400)]


def test_a_search_ends_with_a_ticket_that_is_paid_for() -> None:
    found = find_ticket(NETWORK, ALICE, Ticket(1, 1, 0), 10_000)

    assert isinstance(found, Ticket)
    assert is_paid(NETWORK, ticket_value(NETWORK, ALICE, found))


def test_a_search_that_finds_none_says_where_to_go_on() -> None:
    first = find_ticket(NETWORK, ALICE, Ticket(1, 1, 0), 10_000)
    assert isinstance(first, Ticket)
    assert first.nonce > 0

    assert find_ticket(NETWORK, ALICE, Ticket(1, 1, 0), first.nonce) == Searched(first)


def test_a_ticket_costs_as_many_tries_as_its_bits_say() -> None:
    mean = 2**TEST_PRICE.bits
    found = [
        ticket.nonce for ticket, _ in zip(tickets_of_a_year(), range(400), strict=False)
    ]

    tries = statistics.mean(nonce + 1 for nonce in found)

    # Geometric: the standard error of the mean is about mean / sqrt(400).
    assert abs(tries - mean) < 2.6 * mean / math.sqrt(400)


def tickets_of_a_year() -> list[Ticket]:
    found = [find_ticket(NETWORK, ALICE, Ticket(n, 1, 0), 10_000) for n in range(400)]
    return [each for each in found if isinstance(each, Ticket)]


@pytest.mark.parametrize("changed", ["network", "subject", "epoch", "size", "nonce"])
def test_a_ticket_is_of_one_agent_one_network_and_one_time(changed: str) -> None:
    ticket = Ticket(5, 16, 7)
    value = ticket_value(NETWORK, ALICE, ticket)
    other = {
        "network": (f"{NETWORK}-2", ALICE, ticket),
        "subject": (NETWORK, AGENTS[0], ticket),
        "epoch": (NETWORK, ALICE, Ticket(6, 16, 7)),
        "size": (NETWORK, ALICE, Ticket(5, 17, 7)),
        "nonce": (NETWORK, ALICE, Ticket(5, 16, 8)),
    }

    assert ticket_value(*other[changed]) != value


@pytest.mark.parametrize(
    ("at_ms", "is_now"),
    [
        (-600_001, False),
        (-600_000, True),
        (0, True),
        (2 * EPOCH_LENGTH_MS - 1, True),
        (2 * EPOCH_LENGTH_MS, False),
    ],
)
def test_when_a_ticket_can_be_applied_with(at_ms: int, is_now: bool) -> None:
    assert is_current(100, 100 * EPOCH_LENGTH_MS + at_ms) == is_now


@pytest.mark.parametrize("size", [1, 2, DRAWN])
def test_a_small_network_draws_everybody(size: int) -> None:
    value = ticket_value(NETWORK, ALICE, Ticket(1, size, 0))

    assert all(is_eligible(value, size, each) for each in AGENTS)


def test_a_ticket_draws_seven_of_a_large_network() -> None:
    drawn = [
        sum(is_eligible(bytes([n]) * 32, len(AGENTS), each) for each in AGENTS)
        for n in range(50)
    ]

    # Binomial, 50 times 400 at 7 in 400: the mean's standard error is 0.37.
    assert abs(statistics.mean(drawn) - DRAWN) < 2.6 * 0.37


@pytest.mark.parametrize(
    ("known", "least"), [(0, 1), (15, 1), (16, 12), (100, 71), (1_000, 708)]
)
def test_the_least_size_leaves_room_for_what_others_do_not_know(
    known: int, least: int
) -> None:
    assert least_size(known) == least
    assert least_size(known) <= usual_size(known) == max(1, known)


def test_a_test_network_has_tickets_in_no_time() -> None:
    paid = next(tickets(known_agent("alice")))

    assert not is_paid("main", ticket_value(NETWORK, ALICE, paid))

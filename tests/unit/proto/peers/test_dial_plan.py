"""Whom to dial, when, and what strangers cannot do to that."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moltp2p.proto.address import Address, group_of
from moltp2p.proto.peers.address_book import AddressBook
from moltp2p.proto.peers.dial_plan import FEELER_S, MAX_ANCHORS, STABLE_S, DialPlan
from moltp2p.proto.peers.entry import (
    FORGET_AFTER,
    MAX_DELAY_S,
    STALE_S,
    redial_delay_s,
)
from moltp2p.proto.peers.status import AddressStatus, DialState
from tests.acquaintances import SECRET, WALL_MS, WORLD, address, peer, records, spread


@dataclass
class Fixture:
    """A plan with its book, of node 0.

    Attributes:
        target_peers: how many peers it looks for.
        max_dials: how many dials at once.
    """

    target_peers: int = 12
    max_dials: int = 4
    book: AddressBook = field(init=False)
    plan: DialPlan = field(init=False)

    def __post_init__(self) -> None:
        self.book = AddressBook(peer(0), SECRET)
        dice = random.Random(1)
        self.plan = DialPlan(self.book, dice, self.target_peers, self.max_dials)

    def learn(self, *addresses: Address, source: int = 99, now: float = 0.0) -> int:
        told = records(addresses)
        return self.book.learn(peer(source), WORLD, told, now, WALL_MS)

    def come(self, *addresses: Address, now: float = 0.0) -> None:
        """Let dials succeed."""
        for each in addresses:
            self.plan.reached(each, now)
            self.plan.connected(each.peer, now, outbound=each)

    def status(self, now: float = 0.0) -> list[AddressStatus]:
        return self.plan.status(now)


@pytest.fixture
def of() -> Fixture:
    return Fixture()


# -- delays


@given(st.integers(0, 1_000), st.randoms())
def test_the_delay_grows_to_five_minutes_with_jitter(
    failures: int, rng: random.Random
) -> None:
    ceiling = min(MAX_DELAY_S, 2.0 ** min(failures, 10))

    assert ceiling / 2 <= redial_delay_s(failures, rng) <= ceiling


# -- bootstrap


def test_bootstrap_addresses_are_dialled_at_once(of: Fixture) -> None:
    of.book.add_bootstrap(address(1))

    assert of.plan.due(0.0) == [address(1)]
    assert of.plan.due(0.0) == []
    assert of.plan.wake_at(0.0) == math.inf


def test_this_node_is_never_dialled(of: Fixture) -> None:
    of.book.add_bootstrap(address(0))
    of.learn(address(0))

    assert of.plan.due(0.0) == []
    assert of.status() == []


def test_a_failed_address_waits_longer_each_time(of: Fixture) -> None:
    of.book.add_bootstrap(address(1))
    of.plan.connected(peer(50), 0.0, outbound=None)
    now, delays = 0.0, []
    for _ in range(12):
        assert of.plan.due(now) == [address(1)]
        of.plan.failed(address(1), "dial-failed", now)
        assert of.plan.due(now) == []
        delays.append(of.plan.wake_at(now) - now)
        now = of.plan.wake_at(now)

    assert all(2**n / 2 <= delay <= 2**n for n, delay in enumerate(delays[:8], 1))
    assert all(150 <= delay <= 300 for delay in delays[8:])
    (status,) = of.status(now)
    assert (status.failures, status.last_error) == (12, "dial-failed")


def test_a_connected_peer_is_not_dialled_at_any_address(of: Fixture) -> None:
    of.book.add_bootstrap(address(1))
    of.book.add_bootstrap(address(1, "9.0.0.2"))
    of.plan.connected(peer(1), 0.0, outbound=None)

    assert of.plan.due(0.0) == []
    assert {each.state for each in of.status()} == {DialState.CONNECTED}


def test_a_peer_is_dialled_at_one_address_at_a_time(of: Fixture) -> None:
    of.book.add_bootstrap(address(1))
    of.book.add_bootstrap(address(1, "9.0.0.2"))
    (first,) = of.plan.due(0.0)
    assert of.plan.due(0.0) == []
    of.plan.failed(first, "dial-failed", 0.0)

    (second,) = of.plan.due(0.0)

    assert second != first


def test_a_peer_that_left_is_dialled_again_within_a_second(of: Fixture) -> None:
    of.book.add_bootstrap(address(1))
    of.come(*of.plan.due(0.0))
    of.plan.disconnected(peer(1), STABLE_S)

    assert of.plan.due(STABLE_S) == []
    assert 0.5 <= of.plan.wake_at(STABLE_S) - STABLE_S <= 1.0


def test_a_peer_that_hangs_up_at_once_is_dialled_less_and_less(of: Fixture) -> None:
    of.book.add_bootstrap(address(1))
    now = 0.0
    for _ in range(10):
        of.come(*of.plan.due(now), now=now)
        of.plan.disconnected(peer(1), now + 1)
        now = of.plan.wake_at(now + 1)

    assert of.status(now)[0].failures == 10
    assert of.status(now)[0].last_error == "hung-up"
    of.come(*of.plan.due(now), now=now)
    of.plan.disconnected(peer(1), now + STABLE_S)
    assert of.status(now)[0].last_error == ""
    assert of.plan.wake_at(0.0) > 100


def test_only_so_many_dials_at_once_bootstrap_first() -> None:
    of = Fixture(max_dials=3)
    of.learn(*map(spread, range(1, 9)))
    of.book.add_bootstrap(address(20))

    due = of.plan.due(0.0)

    assert len(due) == 3
    assert due[0] == address(20)
    assert of.plan.due(0.0) == []
    of.plan.failed(due[1], "dial-failed", 0.0)
    assert len(of.plan.due(0.0)) == 1


def test_bootstrap_addresses_are_dialled_even_with_enough_peers() -> None:
    of = Fixture(target_peers=1)
    of.come(address(50))
    of.book.add_bootstrap(address(1))

    assert of.plan.due(0.0) == [address(1)]


# -- slots


def test_peers_that_dial_us_take_no_place_of_those_that_we_dial(of: Fixture) -> None:
    of.learn(*map(spread, range(1, 30)))
    for number in range(100, 200):
        of.plan.connected(peer(number), 0.0, outbound=None)

    for _ in range(4):
        of.come(*of.plan.due(0.0))

    assert of.plan.figures(0.0).outbound == of.plan.figures(0.0).slots == 8


def test_a_lonely_node_dials_as_many_as_it_looks_for(of: Fixture) -> None:
    of.learn(*map(spread, range(1, 30)))
    for _ in range(6):
        of.come(*of.plan.due(0.0))

    wanted = of.plan.wants_peers
    of.plan.disconnected(of.plan.anchors(STABLE_S)[0].address.peer, STABLE_S)

    assert (wanted, of.plan.wants_peers) == (False, True)
    assert len(of.plan.due(STABLE_S)) == 1
    assert of.plan.figures(0.0).outbound == 11


def test_each_dial_goes_to_another_network_group_while_there_is_one(
    of: Fixture,
) -> None:
    of.learn(*(address(n, f"9.9.0.{n}") for n in range(1, 50)))
    of.learn(*(spread(n) for n in range(60, 69)), source=98)
    dialled: list[Address] = []
    for _ in range(4):
        due = of.plan.due(0.0)
        of.come(*due)
        dialled += due

    groups = [group_of(each.endpoint) for each in dialled]
    assert len(groups) == len(set(groups)) == 10  # as many as are known


def test_a_network_in_one_group_is_dialled_all_the_same(of: Fixture) -> None:
    of.learn(*(address(n, f"9.9.0.{n}") for n in range(1, 50)))
    for _ in range(4):
        of.come(*of.plan.due(0.0))

    assert of.plan.figures(0.0).outbound == 12


def test_with_full_slots_hearsay_is_tried_and_hung_up_on() -> None:
    of = Fixture(target_peers=2)
    of.learn(*map(spread, range(1, 9)))
    of.come(*of.plan.due(0.0))
    assert of.plan.due(0.0) == []
    at = of.plan.wake_at(0.0)
    assert FEELER_S / 2 <= at <= FEELER_S

    (feeler,) = of.plan.due(at)
    gone = of.plan.reached(feeler, at)
    of.plan.connected(feeler.peer, at, outbound=feeler)
    of.plan.disconnected(feeler.peer, at)

    assert gone == feeler.peer
    (status,) = [each for each in of.status(at) if each.address == str(feeler)]
    assert (status.tried, status.failures) == (True, 0)


def test_a_feeler_in_a_new_group_takes_the_place_of_one_too_many() -> None:
    of = Fixture(target_peers=2)
    of.learn(address(1, "9.9.0.1"), address(2, "9.9.0.2"))
    of.come(*of.plan.due(0.0))
    of.plan.due(0.0)  # from here on it waits to try more
    of.learn(spread(3), now=1.0)

    (feeler,) = of.plan.due(FEELER_S)

    assert feeler == spread(3)
    assert of.plan.reached(feeler, FEELER_S) in {peer(1), peer(2)}


def test_a_dial_whose_address_was_forgotten_meanwhile_gives_its_place_back() -> None:
    of = Fixture(max_dials=1)
    of.learn(spread(1), spread(2))
    (first,) = of.plan.due(0.0)
    of.book.forget(first.peer)
    of.plan.failed(first, "dial-failed", 0.0)

    assert len(of.plan.due(0.0)) == 1


# -- forgetting


def fail(of: Fixture, which: Address, times: int, now: float) -> float:
    for _ in range(times):
        assert of.plan.due(now) == [which]
        of.plan.failed(which, "dial-failed", now)
        now += MAX_DELAY_S
    return now


def test_a_told_address_that_keeps_failing_is_forgotten(of: Fixture) -> None:
    of.learn(spread(1))
    of.plan.connected(peer(50), 0.0, outbound=None)
    now = fail(of, spread(1), FORGET_AFTER, 0.0)

    assert of.status(now) == []


def test_an_address_that_worked_is_kept_for_a_week(of: Fixture) -> None:
    of.learn(spread(1))
    of.come(*of.plan.due(0.0))
    of.plan.connected(peer(50), 0.0, outbound=None)
    of.plan.disconnected(peer(1), STABLE_S)
    now = fail(of, spread(1), 50, MAX_DELAY_S)
    assert len(of.status(now)) == 1

    fail(of, spread(1), 1, STALE_S + STABLE_S + 1)

    assert of.status(now) == []


def test_nothing_is_forgotten_while_our_own_line_is_dead(of: Fixture) -> None:
    of.learn(spread(1))

    fail(of, spread(1), 100, 0.0)

    assert len(of.status()) == 1


# -- anchors


def test_anchors_are_the_oldest_outbound_peers_one_of_a_group(of: Fixture) -> None:
    addresses = [*map(spread, range(1, 5)), address(9, "20.1.0.9")]
    of.learn(*addresses)
    for now, each in enumerate(addresses):
        of.come(each, now=float(now))
    of.come(spread(6), now=100.0)
    of.plan.connected(peer(7), 0.0, outbound=None)

    assert of.plan.anchors(10.0) == []
    anchors = [each.address for each in of.plan.anchors(100.0)]
    assert anchors == addresses[:MAX_ANCHORS]

"""Whom a node names to others: those that it can stand in for."""

from __future__ import annotations

import random

import pytest

from moltp2p.proto.address import Address, Endpoint, IpAddress, parse_ip
from moltp2p.proto.peers.offers import Offers
from moltp2p.proto.peers.peer_exchange import MAX_OFFERED
from moltp2p.proto.peers.peer_record import MAX_RECORD_AGE_MS, by_scope
from moltp2p.proto.peers.sightings import MAX_TELLERS, Sightings
from tests.acquaintances import (
    LOOPBACK,
    SITE,
    WALL_MS,
    WORLD,
    address,
    peer,
    records,
    spread,
)

HERE = parse_ip("7.0.0.1")


def sample(offers: Offers, asker: int, ip: IpAddress) -> set[bytes]:
    dice = random.Random(1)
    return set(offers.sample(peer(asker), ip, WALL_MS, dice, ours=[HERE]))


def hear(offers: Offers, number: int, ip: str, comes_from: str = "") -> None:
    told = records([address(number, ip)], wire=b"%d at %s" % (number, ip.encode()))
    offers.heard(peer(number), parse_ip(comes_from or ip), told)


def test_each_asker_is_told_what_it_could_reach() -> None:
    offers = Offers(peer(0))
    for number, ip in ((1, "9.0.0.1"), (2, "10.0.0.1"), (3, "127.0.0.1")):
        hear(offers, number, ip)
    told = {1: b"1 at 9.0.0.1", 2: b"2 at 10.0.0.1", 3: b"3 at 127.0.0.1"}

    assert sample(offers, 9, WORLD) == {told[1]}
    assert sample(offers, 9, SITE) == {told[1], told[2]}
    assert sample(offers, 9, LOOPBACK) == set(told.values())
    assert sample(offers, 1, LOOPBACK) == {told[2], told[3]}


def test_a_peer_that_says_it_is_elsewhere_is_not_passed_on() -> None:
    offers = Offers(peer(0))
    hear(offers, 1, "9.0.0.1", comes_from="8.0.0.1")
    assert sample(offers, 9, WORLD) == set()

    offers.reached(address(1, "9.0.0.1"))

    assert sample(offers, 9, WORLD) == {b"1 at 9.0.0.1"}


def test_whom_we_relay_for_is_passed_on_if_it_says_where_we_are() -> None:
    offers = Offers(peer(0))
    elsewhere = parse_ip("6.0.0.1")  # somebody else's, to be dialled in our name
    for number, relay, ip in (
        (1, peer(0), HERE),
        (2, peer(5), HERE),
        (3, peer(0), elsewhere),
    ):
        through = Address(Endpoint(ip, 1), peer(number), relay)
        told = records([through], wire=b"%d" % number)
        offers.heard(peer(number), WORLD, told)

    assert sample(offers, 9, WORLD) == {b"1"}


def test_what_a_peer_says_of_another_is_hearsay() -> None:
    offers = Offers(peer(0))
    offers.heard(peer(1), WORLD, records([address(2, "9.9.9.9")]))

    assert sample(offers, 9, WORLD) == set()


def test_only_those_present_are_named_and_with_what_they_said_last() -> None:
    offers = Offers(peer(0))
    for seq, wire in ((2, b"new"), (1, b"old")):
        told = records([address(1, "9.9.9.9")], seq=WALL_MS + seq, wire=wire)
        offers.heard(peer(1), WORLD, told)
    assert sample(offers, 9, WORLD) == {b"new"}

    offers.gone(peer(1))

    assert sample(offers, 9, WORLD) == set()


def test_an_old_record_is_not_passed_on() -> None:
    offers = Offers(peer(0))
    seq = WALL_MS - MAX_RECORD_AGE_MS - 1
    offers.heard(peer(1), WORLD, records([address(1, "9.9.9.9")], seq=seq))

    assert sample(offers, 9, WORLD) == set()


def test_a_sample_is_small_and_drawn_by_lot() -> None:
    offers = Offers(peer(0))
    for number in range(1, 100):
        hear(offers, number, "9.0.0.1")

    one, other = (
        offers.sample(peer(200), WORLD, WALL_MS, random.Random(n), [HERE])
        for n in (1, 2)
    )

    assert len(set(one)) == len(set(other)) == MAX_OFFERED
    assert set(one) != set(other)


def test_what_a_node_listens_on_is_told_by_scope() -> None:
    many = [spread(n) for n in range(9)]
    listed = [address(1, "127.0.0.1"), *many, address(1, "fe80::1")]

    told = by_scope(listed)

    assert [len(each) for each in told.values()] == [1, 4]


# -- what peers say of us


@pytest.mark.parametrize(
    ("tellers", "seen", "believed"),
    [
        (["9.0.0.1", "9.0.0.2"], "5.5.5.5", False),
        (["9.0.0.1", "8.0.0.1"], "5.5.5.5", True),
        (["9.0.0.1", "8.0.0.1"], "10.0.0.1", False),
        (["9.0.0.1", "8.0.0.1"], "127.0.0.1", False),
    ],
)
def test_our_ip_is_believed_of_unrelated_peers(
    tellers: list[str], seen: str, believed: bool
) -> None:
    sightings = Sightings()
    for number, teller in enumerate(tellers):
        sightings.hear(peer(number), parse_ip(teller), parse_ip(seen), 0)

    assert sightings.believed() == ([parse_ip(seen)] if believed else [])


def test_a_few_groups_among_many_are_not_believed() -> None:
    sightings, victim = Sightings(), parse_ip("6.6.6.6")
    for number in range(12):
        seen = victim if number < 3 else HERE
        sightings.hear(peer(number), parse_ip(f"{40 + number}.0.0.1"), seen, 0)
    assert sightings.believed() == [HERE]

    sightings.hear(peer(11), parse_ip("51.0.0.1"), victim, 0)

    assert sightings.believed() == [victim, HERE]  # as where a line has two ways out


def test_one_stranger_of_many_names_does_not_move_the_clock() -> None:
    sightings = Sightings()
    for number, ip in enumerate(["9.0.0.1"] * 20 + ["8.0.0.1", "7.0.0.1"]):
        ahead_ms = 10**9 if ip == "9.0.0.1" else 3
        sightings.hear(peer(number), parse_ip(ip), HERE, ahead_ms)

    assert sightings.clock_ahead_ms() == 3


def test_the_clock_is_compared_with_the_median() -> None:
    sightings = Sightings()
    assert sightings.clock_ahead_ms() is None
    for number, ahead_ms in enumerate((10**12, 5, -7)):
        sightings.hear(peer(number), WORLD, WORLD, ahead_ms)

    assert sightings.clock_ahead_ms() == 5


def test_only_so_many_sayings_are_kept() -> None:
    sightings = Sightings()
    for number in range(1_000):
        sightings.hear(peer(number), WORLD, WORLD, number)

    assert len(sightings._last) == MAX_TELLERS

"""The address book: whom to dial, when, and what strangers cannot do to it."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moltp2p.core.ids import PeerId, PublicKey
from moltp2p.proto.address import Address, Endpoint, parse_ip, peer_id_of
from moltp2p.proto.address_book import (
    FORGET_AFTER,
    MAX_DELAY_S,
    MAX_ENTRIES,
    MAX_OFFERED,
    MAX_PER_PEER,
    MAX_PER_SOURCE,
    STABLE_S,
    AddressBook,
    DialState,
    redial_delay_s,
)

LOOPBACK, SITE, WORLD = parse_ip("127.0.0.1"), parse_ip("10.0.0.9"), parse_ip("9.9.9.9")


def peer(number: int) -> PeerId:
    return peer_id_of(PublicKey(number.to_bytes(32, "big")))


def address(number: int, ip: str = "9.0.0.1", port: int = 4001) -> Address:
    return Address(Endpoint(parse_ip(ip), port), peer(number))


OWN = peer(0)


def book(target_peers: int = 8, max_dials: int = 4) -> AddressBook:
    return AddressBook(OWN, random.Random(1), target_peers, max_dials)


def learn(of: AddressBook, *addresses: Address, source: int = 99) -> int:
    return of.learn(peer(source), WORLD, [str(each) for each in addresses])


# -- delays


@given(st.integers(0, 1_000), st.randoms())
def test_the_delay_grows_to_five_minutes_with_jitter(
    failures: int, rng: random.Random
) -> None:
    ceiling = min(MAX_DELAY_S, 2.0 ** min(failures, 10))

    assert ceiling / 2 <= redial_delay_s(failures, rng) <= ceiling


# -- dialling


def test_bootstrap_addresses_are_dialled_at_once() -> None:
    of = book()
    of.add_bootstrap(address(1))

    assert of.due(0.0) == [address(1)]
    assert of.due(0.0) == []
    assert of.wake_at(0.0) == float("inf")


def test_what_the_operator_configured_is_told_from_what_peers_say() -> None:
    of = book()
    of.add_bootstrap(address(1))
    learn(of, address(2))

    known = [of.is_configured(address(number)) for number in (1, 2, 3)]

    assert known == [True, False, False]


def test_this_node_is_never_dialled() -> None:
    of = book()
    of.add_bootstrap(address(0))
    learn(of, address(0))
    of.announced(OWN, WORLD, [4001])

    assert of.due(0.0) == []
    assert of.status(0.0) == []


def test_a_failed_address_waits_longer_each_time() -> None:
    of = book()
    of.add_bootstrap(address(1))
    now, delays = 0.0, []
    for _ in range(12):
        assert of.due(now) == [address(1)]
        of.failed(address(1), "dial-failed", now)
        assert of.due(now) == []
        delays.append(of.wake_at(now) - now)
        now = of.wake_at(now)

    assert all(2**n / 2 <= delay <= 2**n for n, delay in enumerate(delays[:8], 1))
    assert all(150 <= delay <= 300 for delay in delays[8:])
    (status,) = of.status(now)
    assert (status.failures, status.last_error) == (12, "dial-failed")


def test_a_connected_peer_is_not_dialled_at_any_address() -> None:
    of = book()
    of.add_bootstrap(address(1))
    of.add_bootstrap(address(1, "9.0.0.2"))
    of.connected(peer(1), 0.0)

    assert of.due(0.0) == []
    assert {each.state for each in of.status(0.0)} == {DialState.CONNECTED}


def test_a_peer_is_dialled_at_one_address_at_a_time() -> None:
    of = book()
    of.add_bootstrap(address(1))
    of.add_bootstrap(address(1, "9.0.0.2"))
    (first,) = of.due(0.0)
    assert of.due(0.0) == []
    of.failed(first, "dial-failed", 0.0)

    (second,) = of.due(0.0)

    assert second != first


def test_a_peer_that_left_is_dialled_again_within_a_second() -> None:
    of = book()
    of.add_bootstrap(address(1))
    of.due(0.0)
    of.reached(address(1))
    of.connected(peer(1), 0.0)
    of.disconnected(peer(1), STABLE_S)

    assert of.due(STABLE_S) == []
    assert 0.5 <= of.wake_at(STABLE_S) - STABLE_S <= 1.0


def test_a_peer_that_hangs_up_at_once_is_dialled_less_and_less() -> None:
    of = book()
    of.add_bootstrap(address(1))
    now = 0.0
    for _ in range(10):
        (found,) = of.due(now)
        of.reached(found)
        of.connected(peer(1), now)
        of.disconnected(peer(1), now + 1)
        now = of.wake_at(now + 1)

    assert of.status(now)[0].failures == 10
    assert of.wake_at(0.0) > 100


def test_only_so_many_dials_at_once_bootstrap_first() -> None:
    of = book(max_dials=3)
    learn(of, *(address(n) for n in range(1, 9)))
    of.add_bootstrap(address(20))

    due = of.due(0.0)

    assert len(due) == 3
    assert due[0] == address(20)
    assert of.due(0.0) == []
    of.failed(due[1], "dial-failed", 0.0)
    assert len(of.due(0.0)) == 1


def test_learned_addresses_are_dialled_until_there_are_enough_peers() -> None:
    of = book(target_peers=3, max_dials=10)
    learn(of, *(address(n) for n in range(1, 9)))
    of.connected(peer(50), 0.0)

    due = of.due(0.0)

    assert len(due) == 2
    for each in due:
        of.reached(each)
        of.connected(each.peer, 0.0)
    assert not of.wants_peers
    assert of.due(0.0) == []
    of.disconnected(peer(50), 1.0)
    assert len(of.due(1.0)) == 1


def test_bootstrap_addresses_are_dialled_even_with_enough_peers() -> None:
    of = book(target_peers=1)
    of.connected(peer(50), 0.0)
    of.add_bootstrap(address(1))

    assert of.due(0.0) == [address(1)]


# -- learning


def test_a_learned_address_that_keeps_failing_is_forgotten() -> None:
    of = book()
    learn(of, address(1))
    now = 0.0
    for _ in range(FORGET_AFTER):
        assert of.due(now) == [address(1)]
        of.failed(address(1), "dial-failed", now)
        now += MAX_DELAY_S

    assert of.status(now) == []


@pytest.mark.parametrize(
    ("text", "source_ip", "usable"),
    [
        ("/ip4/9.0.0.1/tcp/4001", WORLD, True),
        ("/ip4/9.0.0.1/tcp/4001", LOOPBACK, True),
        ("/ip4/10.0.0.1/tcp/4001", WORLD, False),
        ("/ip4/10.0.0.1/tcp/4001", SITE, True),
        ("/ip4/127.0.0.1/tcp/4001", WORLD, False),
        ("/ip4/127.0.0.1/tcp/4001", SITE, False),
        ("/ip4/127.0.0.1/tcp/4001", LOOPBACK, True),
        ("/ip6/::ffff:127.0.0.1/tcp/4001", WORLD, False),
        ("/ip6/::1/tcp/4001", WORLD, False),
        ("/ip4/169.254.169.254/tcp/80", LOOPBACK, False),
        ("/ip4/9.0.0.1/udp/4001/quic-v1", WORLD, False),
        ("/dns4/example.org/tcp/4001", WORLD, False),
        ("", WORLD, False),
    ],
)
def test_an_address_is_believed_only_from_a_peer_that_could_reach_it(
    text: str, source_ip: object, usable: bool
) -> None:
    of = book()

    count = of.learn(peer(1), source_ip, [f"{text}/p2p/{peer(2)}"])  # type: ignore[arg-type]

    assert count == len(of.status(0.0)) == usable


def test_one_peer_can_name_only_so_many() -> None:
    of = book()

    assert learn(of, *(address(n) for n in range(1, 500))) == MAX_PER_SOURCE
    assert learn(of, address(600), source=98) == 1


def test_one_peer_has_only_so_many_addresses() -> None:
    of = book()

    assert learn(of, *(address(1, port=n) for n in range(1, 50))) == MAX_PER_PEER


def test_a_full_book_gives_up_what_failed_and_nothing_else() -> None:
    of = book(target_peers=2_000, max_dials=2_000)
    of.add_bootstrap(address(1))
    for n in range(2, 2_000):
        learn(of, address(n), source=n)
    assert len(of.status(0.0)) == MAX_ENTRIES
    assert learn(of, address(5_000), source=5_000) == 0

    for each in of.due(0.0):
        of.failed(each, "dial-failed", 0.0)
    assert learn(of, address(5_000), source=5_000) == 1

    texts = [each.address for each in of.status(0.0)]
    assert len(texts) == MAX_ENTRIES
    assert str(address(1)) in texts


# -- telling others


def test_connected_peers_are_offered_where_the_asker_can_reach_them() -> None:
    of = book()
    of.announced(peer(1), WORLD, [4001])
    of.announced(peer(2), SITE, [4002])
    of.announced(peer(3), LOOPBACK, [4003])
    of.announced(peer(4), WORLD, [4004])
    for n in (1, 2, 3):
        of.connected(peer(n), 0.0)

    def offered(ip: object) -> set[str]:
        return {text.split("/")[4] for text in of.offer(peer(9), ip)}  # type: ignore[arg-type]

    assert offered(WORLD) == {"4001"}
    assert offered(SITE) == {"4001", "4002"}
    assert offered(LOOPBACK) == {"4001", "4002", "4003"}
    assert of.offer(peer(1), WORLD) == []


def test_hearsay_is_not_passed_on_until_it_is_proven() -> None:
    of = book()
    learn(of, address(1))
    of.connected(peer(1), 0.0)
    assert of.offer(peer(9), WORLD) == []

    of.reached(address(1))

    assert of.offer(peer(9), WORLD) == [str(address(1))]


def test_only_so_many_are_offered() -> None:
    of = book()
    for n in range(1, 100):
        of.announced(peer(n), WORLD, [4001, 4002])
        of.connected(peer(n), 0.0)

    offered = of.offer(peer(200), WORLD)

    assert len(offered) == MAX_OFFERED
    assert len({text.rpartition("/")[2] for text in offered}) == MAX_OFFERED

"""What a node believes of what peers tell it, and how much of it."""

from __future__ import annotations

import ipaddress

import pytest

from moltp2p.proto.address import Address, Endpoint, IpAddress, Scope, parse_ip
from moltp2p.proto.peers.address_book import INTAKE, AddressBook
from moltp2p.proto.peers.entry import Entry
from moltp2p.proto.peers.peer_record import (
    MAX_RECORD_AGE_MS,
    MAX_RECORD_AHEAD_MS,
    PeerRecord,
)
from moltp2p.proto.peers.tables import (
    BUCKET_ENTRIES,
    TOLD_BUCKETS,
    TOLD_BUCKETS_PER_SOURCE,
    TRIED_BUCKETS_PER_GROUP,
    Tables,
)
from tests.acquaintances import (
    LOOPBACK,
    SECRET,
    SITE,
    WALL_MS,
    WORLD,
    address,
    peer,
    records,
    spread,
)


@pytest.fixture
def book() -> AddressBook:
    return AddressBook(peer(0), SECRET)


def record(seq: int, *ports: int) -> PeerRecord:
    addresses = tuple(Address(Endpoint(WORLD, port), peer(1)) for port in ports)
    return PeerRecord(peer(1), seq, Scope.WORLD, addresses, b"")


def learn(book: AddressBook, *told: PeerRecord, now: float = 0.0) -> int:
    return book.learn(peer(99), WORLD, told, now, WALL_MS)


def ports(book: AddressBook) -> list[int]:
    return sorted(each.address.endpoint.port for each in book)


@pytest.mark.parametrize(
    ("ip", "teller", "usable"),
    [
        ("9.0.0.1", WORLD, True),
        ("9.0.0.1", LOOPBACK, True),
        ("10.0.0.1", WORLD, False),
        ("10.0.0.1", SITE, True),
        ("127.0.0.1", WORLD, False),
        ("127.0.0.1", SITE, False),
        ("127.0.0.1", LOOPBACK, True),
        ("::ffff:127.0.0.1", WORLD, False),
        ("::1", WORLD, False),
        ("169.254.169.254", LOOPBACK, False),
    ],
)
def test_an_address_is_believed_only_from_a_peer_that_could_reach_it(
    book: AddressBook, ip: str, teller: IpAddress, usable: bool
) -> None:
    told = records([address(2, ip)])

    assert book.learn(peer(1), teller, told, 0.0, WALL_MS) == usable
    assert len(list(book)) == usable


@pytest.mark.parametrize(
    ("age_ms", "usable"),
    [
        (0, True),
        (MAX_RECORD_AGE_MS, True),
        (MAX_RECORD_AGE_MS + 1, False),
        (-MAX_RECORD_AHEAD_MS, True),
        (-MAX_RECORD_AHEAD_MS - 1, False),
    ],
)
def test_a_record_too_old_or_of_the_future_is_passed_over(
    book: AddressBook, age_ms: int, usable: bool
) -> None:
    assert learn(book, record(WALL_MS - age_ms, 1)) == usable


def test_a_newer_record_takes_the_place_of_an_older_one(book: AddressBook) -> None:
    learn(book, record(WALL_MS - 2, 1, 2))
    learn(book, record(WALL_MS - 1, 2, 3))
    assert ports(book) == [2, 3]

    assert learn(book, record(WALL_MS - 2, 1, 2)) == 0
    assert ports(book) == [2, 3]


def test_one_peer_may_tell_a_thousand_and_then_one_in_ten_seconds(
    book: AddressBook,
) -> None:
    asked = [
        book._intake.take(peer(99), 1, now)
        for now in [0.0] * 1_001 + [5.0, 10.0, 10.0, 20.0]
    ]

    assert asked == [True] * 1_000 + [False, False, True, False, True]
    assert INTAKE.burst == 1_000


def test_banned_addresses_are_forgotten_and_not_learned_again(
    book: AddressBook,
) -> None:
    learn(book, *records(map(spread, range(1, 5))))
    banned = ipaddress.ip_network("20.2.0.0/16")

    book.keep_out(lambda each: each.endpoint.ip in banned)

    assert {each.address.peer for each in book} == {peer(1), peer(3), peer(4)}
    assert learn(book, *records([spread(2), spread(5)])) == 1
    book.forget(peer(3))
    assert {each.address.peer for each in book} == {peer(1), peer(4), peer(5)}


def test_bootstrap_names_that_lead_elsewhere_now_are_dropped(
    book: AddressBook,
) -> None:
    for each in (address(1), address(2)):
        book.add_bootstrap(each)

    book.drop_bootstrap(lambda each: each == address(2))

    assert [each.address for each in book] == [address(2)]


# -- tables


def entry(number: int, group: int, source: str = "9.9.0.0/16") -> Entry:
    return Entry(address(number, f"30.{group}.{number // 250}.{number % 250}"), source)


def fill(tables: Tables, entries: list[Entry]) -> int:
    return sum(tables.add(each, 0.0) for each in entries)


def test_one_group_of_tellers_fills_an_eighth_of_the_table() -> None:
    tables = Tables(SECRET)
    told = [entry(n, n % 200) for n in range(20_000)]

    kept = fill(tables, told)

    most = TOLD_BUCKETS_PER_SOURCE * BUCKET_ENTRIES
    assert kept <= most == TOLD_BUCKETS * BUCKET_ENTRIES / 8
    assert len({each.bucket for each in tables}) <= TOLD_BUCKETS_PER_SOURCE


def test_one_range_fills_an_eighth_of_what_was_tried() -> None:
    tables = Tables(SECRET)
    for number in range(2_000):
        one = entry(number, 1, source=f"{number % 100}.1.0.0/16")
        if tables.add(one, 0.0):
            tables.promote(one, 0.0)

    tried = [each for each in tables if each.tried]
    assert len(tried) <= TRIED_BUCKETS_PER_GROUP * BUCKET_ENTRIES == 64
    assert len({each.bucket for each in tried}) <= TRIED_BUCKETS_PER_GROUP


def test_a_full_bucket_gives_up_what_failed_and_nothing_else() -> None:
    tables = Tables(SECRET)
    same = [entry(n, 1) for n in range(100)]  # one group, one teller: one bucket
    assert fill(tables, same) == BUCKET_ENTRIES
    same[3].failures = 2

    assert tables.add(same[50], 0.0)
    assert not tables.add(same[51], 0.0)

    assert tables.get(same[3].address) is None
    assert len(tables) == BUCKET_ENTRIES


def test_what_worked_stays_told_while_no_place_is_free_among_the_tried() -> None:
    tables = Tables(SECRET)
    known = []
    for number in range(500):
        one = entry(number, 1, source=f"{number % 100}.1.0.0/16")
        if tables.add(one, 0.0):
            known.append(one)
            tables.promote(one, 0.0)

    assert not all(each.tried for each in known)
    assert all(tables.get(each.address) is each for each in known)


def test_another_node_puts_them_elsewhere() -> None:
    buckets = []
    for secret in (b"a" * 32, b"b" * 32):
        tables = Tables(secret)
        fill(tables, [entry(n, n, source=f"{n}.1.0.0/16") for n in range(100)])
        buckets.append([each.bucket for each in tables])

    assert buckets[0] != buckets[1]


def test_an_address_in_another_spelling_is_of_the_same_group() -> None:
    plain = Entry(address(1, "9.9.0.1"), "")
    mapped = Entry(address(1, "::ffff:9.9.0.1"), "")
    long = Entry(address(1, "2a00:1:2::1"), "")

    assert plain.group == mapped.group == "9.9.0.0/16"
    assert long.group == "2a00:1::/32"
    assert Entry(address(1, str(parse_ip("127.0.0.1"))), "").group == "127.0.0.1:4001"

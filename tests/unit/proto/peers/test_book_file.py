"""The address book on disk: what comes back, also from a damaged file."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from moltp2p.proto.peers.address_book import AddressBook
from moltp2p.proto.peers.book_file import (
    MAX_BOOK_BYTES,
    encode_book,
    read_secret,
    restore_book,
)
from moltp2p.proto.peers.dial_plan import DialPlan
from moltp2p.proto.peers.entry import FORGET_AFTER, Entry
from tests.acquaintances import SECRET, WALL_MS, WORLD, address, peer, records, spread

WALL_S = WALL_MS // 1000


def fresh() -> tuple[AddressBook, DialPlan]:
    book = AddressBook(peer(0), SECRET)
    return book, DialPlan(book, random.Random(1), 12, 12)


def saved() -> bytes:
    """Return a book of ten addresses, seven that worked and of those four anchors."""
    book, plan = fresh()
    book.learn(peer(99), WORLD, records(map(spread, range(1, 11))), 0.0, WALL_MS)
    due = plan.due(0.0)
    for now, each in enumerate(due[:7]):
        plan.reached(each, float(now))
        plan.connected(each.peer, float(now), outbound=each)
    for each in due[7:]:
        plan.failed(each, "dial-failed", 0.0)
    return encode_book(book, plan, 1_000.0, WALL_S)


def restored(data: bytes) -> tuple[AddressBook, int]:
    book, _ = fresh()
    damaged = restore_book(book, data, 50.0, WALL_S + 3_600)
    return book, damaged


def test_a_saved_book_comes_back() -> None:
    book, damaged = restored(saved())

    entries = list(book)
    assert damaged == 0
    assert read_secret(saved()) == SECRET
    assert {each.address for each in entries} == {spread(n) for n in range(1, 11)}
    assert sum(each.tried for each in entries) == 7
    assert sum(each.is_anchor for each in entries) == 4
    assert {each.failures for each in entries if not each.tried} == {1}
    assert all(each.seq == WALL_MS for each in entries)
    # It succeeded 1,000 s before it was saved, and was away for an hour.
    first = min(each.succeeded_at for each in entries if each.succeeded_at is not None)
    assert first == 50.0 - 3_600 - 1_000


def test_anchors_are_dialled_first() -> None:
    book, plan = fresh()
    restore_book(book, saved(), 0.0, WALL_S)
    anchors = {each.address for each in book if each.is_anchor}

    assert anchors <= set(plan.due(0.0)[:4])


def test_what_the_operator_configures_is_not_restored_beside_it() -> None:
    book, _ = fresh()
    book.add_bootstrap(spread(1))
    restore_book(book, saved(), 0.0, WALL_S)

    assert len(list(book)) == 10


def test_a_damaged_line_costs_one_address() -> None:
    lines = saved().splitlines(keepends=True)
    lines[3] = lines[3][:30] + b"\xff" + lines[3][31:]
    lines[5] = b'{"address": 5}\n'

    book, damaged = restored(b"".join(lines))

    assert damaged == 2
    assert len(list(book)) == 8


def test_a_file_cut_short_gives_what_is_whole() -> None:
    data = saved()

    book, damaged = restored(data[: len(data) // 2])

    assert damaged <= 1
    assert 3 <= len(list(book)) <= 6


def test_without_a_first_line_there_is_no_secret() -> None:
    data = saved().partition(b"\n")[2]

    assert read_secret(data) is None


@given(st.binary(max_size=300), st.integers(0, 2_000))
def test_whatever_is_in_the_file_the_node_starts(noise: bytes, at: int) -> None:
    data = saved()
    broken = data[:at] + noise + data[at + len(noise) :]

    read_secret(broken)
    book, _ = restored(broken)

    assert len(list(book)) <= 300


def test_numbers_out_of_all_proportion_are_damage() -> None:
    line = b'{"address":"%s","from":"","age":1%s}\n' % (
        str(spread(1)).encode(),
        b"0" * 400,
    )

    assert restored(b"{}\n" + line)[1] == 1


def test_half_a_character_is_damage() -> None:
    """JSON can spell what UTF-8 cannot."""
    data = saved().replace(b'"from": "', b'"from": "\\ude23', 1)

    book, damaged = restored(data)

    assert data != saved()
    assert damaged == 1
    assert len(list(book)) == 9


def test_the_largest_book_fits() -> None:
    book, plan = fresh()
    for number in range(12_000):
        ip = f"2a00:{number:x}:2222:3333:4444:5555:6666:7777"
        entry = Entry(
            address(number, ip, 65_535), f"2a00:{number % 997:x}::/32", WALL_MS
        )
        entry.failures, entry.succeeded_at = FORGET_AFTER - 1, 0.0
        if book.tables.add(entry, 0.0) and number % 2:
            book.tables.promote(entry, 0.0)
    assert len(book.tables) > 2_300

    data = encode_book(book, plan, 10.0**9, WALL_S)

    assert len(data) < MAX_BOOK_BYTES
    assert len(list(restored(data)[0])) == len(book.tables)

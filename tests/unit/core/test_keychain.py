from __future__ import annotations

import dataclasses

import pytest

from moltp2p.core import codec, keychain
from moltp2p.core.author import Author, Head
from moltp2p.core.ids import RecordId
from moltp2p.core.keychain import MAX_LINKS, KeyChain
from moltp2p.core.record import Record
from moltp2p.testing.factories import EPOCH_MS, TestAgent, signer


def chain_of(*records: Record) -> KeyChain:
    chain: KeyChain | None = None
    for record in records:
        assert keychain.objection(chain, record) is None
        chain = keychain.advance(chain, record)
    assert chain is not None
    return chain


def keys_of(chain: KeyChain) -> list[tuple[bytes, int]]:
    return [(link.key, link.since_seq) for link in chain.links]


def test_a_chain_lists_whose_reign_began_where() -> None:
    alice = TestAgent("alice")
    alice.post()
    alice.rotate()
    alice.post()
    alice.rotate()

    chain = chain_of(*alice.records)

    assert keys_of(chain) == [
        (signer("alice", 0).public, 0),
        (signer("alice", 1).public, 2),
        (signer("alice", 2).public, 4),
    ]
    assert chain.current.record == alice.records[-1].id


def test_a_chain_survives_the_store() -> None:
    alice = TestAgent("alice")
    alice.incept()
    alice.rotate()
    chain = chain_of(*alice.records)

    stored = codec.encode(chain.to_value())

    assert KeyChain.from_value(codec.decode(stored)) == chain


def test_posts_leave_a_chain_as_it_is() -> None:
    alice = TestAgent("alice")
    first, post = alice.incept(), alice.post()
    chain = chain_of(first)

    assert keychain.advance(chain, post) is chain
    assert keychain.advance(None, post) is None


def test_one_key_reigns_at_each_place() -> None:
    alice = TestAgent("alice")
    alice.incept()
    alice.rotate()  # seq 1
    chain = chain_of(*alice.records)
    old, new = signer("alice", 0), signer("alice", 1)

    def objection(seq: int, generation: int) -> str | None:
        key = None if generation == 0 else new.public
        header = dataclasses.replace(alice.records[0].header, kind=3, seq=seq, key=key)
        record = dataclasses.replace(alice.records[0], header=header)
        return keychain.objection(chain, record)

    assert [objection(seq, 0) for seq in (0, 1, 9)] == [
        None,
        "key-superseded",
        "key-superseded",
    ]
    assert [objection(seq, 1) for seq in (0, 1, 9)] == ["key-unknown", None, None]
    assert old.public == chain.links[0].key


def test_records_held_before_a_rotation_are_judged_by_it_too() -> None:
    alice = TestAgent("alice")
    first = alice.incept()
    stolen = [alice.post(f"send me tokens {n}") for n in range(3)]
    owner = Author(alice.id, alice.network, signer("alice", 1))
    rotation = owner.rotate(Head(1, first.id), signer("alice", 2).public, EPOCH_MS)

    chain = chain_of(first, rotation)

    superseded = [keychain.is_superseded(chain, each.header) for each in stolen]
    assert superseded == [False, True, True]
    assert not keychain.is_superseded(chain, rotation.header)


def test_a_chain_has_an_end() -> None:
    alice = TestAgent("alice")
    alice.incept()
    chain = chain_of(alice.records[0])
    for _ in range(MAX_LINKS - 1):
        rotation = alice.rotate()
        assert keychain.objection(chain, rotation) is None
        chain = chain.extended(rotation)
        alice.records[:] = [rotation]

    assert len(chain.links) == MAX_LINKS
    assert keychain.objection(chain, alice.rotate()) == "chain-full"
    assert keychain.objection(chain, alice.post()) == "key-unknown"


def test_a_chain_record_without_a_next_key_is_a_bug() -> None:
    post = TestAgent("alice").post()

    with pytest.raises(ValueError, match="next key"):
        keychain.begin(post)


class TestThief:
    """Somebody who holds the key now in force, and not the next one."""

    @pytest.fixture
    def alice(self) -> TestAgent:
        alice = TestAgent("alice")
        alice.incept()
        alice.post()
        return alice

    @pytest.mark.parametrize("name", ["thief", "bob"])
    def test_cannot_rotate_to_a_key_of_its_own(
        self, alice: TestAgent, name: str
    ) -> None:
        chain = chain_of(*alice.records)
        author = Author(alice.id, alice.network, signer(name))

        grab = author.rotate(alice.head, signer(name, 1).public, EPOCH_MS)

        assert keychain.objection(chain, grab) == "not-committed"

    def test_cannot_rotate_with_the_key_it_holds(self, alice: TestAgent) -> None:
        alice.rotate()
        chain = chain_of(*alice.records)

        again = alice.author.rotate(alice.head, signer("thief").public, EPOCH_MS)

        assert keychain.objection(chain, again) == "chain-forked"

    def test_is_locked_out_by_the_rotation(self, alice: TestAgent) -> None:
        stolen = alice.author
        chain = chain_of(*alice.records, alice.rotate())

        posts = [TestAgent("alice", records=alice.records).post() for _ in range(2)]

        assert stolen.signer.public == alice.id  # type: ignore[comparison-overlap]
        for post in posts:
            assert keychain.objection(chain, post) == "key-superseded"

    def test_cannot_begin_the_name_again(self, alice: TestAgent) -> None:
        chain = chain_of(*alice.records)
        thief = TestAgent("alice", time_ms=EPOCH_MS - 10**9)

        inception = thief.incept()

        assert inception.id != alice.records[0].id
        assert keychain.objection(chain, inception) == "chain-forked"

    def test_cannot_stop_the_owner_by_a_great_seq(self, alice: TestAgent) -> None:
        chain = chain_of(*alice.records)
        owner = Author(alice.id, alice.network, signer("alice", 1))
        place = Head(1, RecordId(alice.records[1].id))

        rotation = owner.rotate(place, signer("alice", 2).public, EPOCH_MS)
        after = chain.extended(rotation)

        assert keychain.objection(chain, rotation) is None
        assert after.current.since_seq == 2

"""Everything that is not as it was written is found, on every engine."""

from __future__ import annotations

import pytest

from moltp2p.core import codec
from moltp2p.core.errors import LocalError
from moltp2p.core.ids import RecordId
from moltp2p.core.record import Record, parse
from moltp2p.store import layout, verifying
from moltp2p.store.engine import Delete, Engine, Put
from moltp2p.store.layout import Mark
from moltp2p.store.records import RecordStore
from moltp2p.testing.factories import EPOCH_MS, TestAgent

NOW_MS = EPOCH_MS
NOBODY = RecordId(bytes(32))

History = dict[str, Record]


@pytest.fixture
def history(store: RecordStore) -> History:
    """Put something of every sort into the store."""
    alice, bob = TestAgent("alice"), TestAgent("bob")
    post = alice.post()
    history = {
        "post": post,
        "reply": bob.reply(post),
        "deleted": (deleted := bob.post("oh")),
        "deletion": bob.delete(deleted),
        "inception": alice.records[0],
        "rotation": alice.rotate(),
    }
    store.add([*alice.records, *bob.records], NOW_MS)
    assert list(store.verify()) == []
    return history


def codes(store: RecordStore) -> set[tuple[str, RecordId | None]]:
    """Return what `verify` finds: codes, and about which records."""
    return {(damage.code, damage.record) for damage in store.verify()}


@pytest.mark.parametrize("name", ["post", "deleted", "rotation"])
def test_every_byte_of_a_record_counts(
    store: RecordStore, engine: Engine, history: History, name: str
) -> None:
    record = history[name]
    key = layout.record_key(record.id)
    value = engine.get(key) or b""

    for place in range(len(value)):
        rotten = bytearray(value)
        rotten[place] ^= 0x20
        engine.apply([Put(key, bytes(rotten))])
        with pytest.raises(LocalError) as raised:
            store.get(record.id)
        assert raised.value.code == "damaged-record"
        assert raised.value.hint

    assert codes(store) == {("damaged-record", record.id)}


@pytest.mark.parametrize("size", [0, 3, 4, 11, 12, 13, 100])
def test_a_record_cut_short_is_damaged(
    store: RecordStore, engine: Engine, history: History, size: int
) -> None:
    post = history["post"]
    key = layout.record_key(post.id)
    value = engine.get(key) or b""
    engine.apply([Put(key, value[:size])])

    assert codes(store) == {("damaged-record", post.id)}


def test_another_record_in_its_place_is_damage(
    store: RecordStore, engine: Engine, history: History
) -> None:
    post, reply = history["post"], history["reply"]
    engine.apply(
        [
            Put(
                layout.record_key(post.id),
                engine.get(layout.record_key(reply.id)) or b"",
            )
        ]
    )

    assert codes(store) == {("damaged-record", post.id)}


def _value(under: Record, wire: bytes) -> bytes:
    """Return a value whose checksum holds, whatever the wire."""
    rest = layout.number(NOW_MS) + wire
    return layout._checksum(under.id, rest) + rest


def test_a_wrong_id_is_found_though_the_checksum_holds(
    store: RecordStore, engine: Engine, history: History
) -> None:
    post, reply = history["post"], history["reply"]
    engine.apply([Put(layout.record_key(post.id), _value(post, reply.wire()))])

    assert codes(store) == {("damaged-record", post.id)}


def test_what_is_no_record_is_found_though_the_checksum_holds(
    store: RecordStore, engine: Engine, history: History
) -> None:
    post = history["post"]
    engine.apply([Put(layout.record_key(post.id), _value(post, b"\x00"))])

    assert codes(store) == {("damaged-record", post.id)}


def test_a_wrong_signature_is_found_though_the_checksum_holds(
    store: RecordStore, engine: Engine, history: History
) -> None:
    post = history["post"]
    payload, signature = codec.decode_sign1(post.sign1)
    forged = codec.encode([codec.encode_sign1(payload, signature[::-1]), post.body])
    assert parse(forged).id == post.id
    engine.apply([Put(layout.record_key(post.id), _value(post, forged))])

    assert codes(store) == {("damaged-record", post.id)}


@pytest.mark.parametrize("place", range(4))
def test_a_missing_index_entry_is_found(
    store: RecordStore, engine: Engine, history: History, place: int
) -> None:
    reply = history["reply"]
    keys = layout.index_keys(reply.id, reply.header)
    assert len(keys) == 4
    engine.apply([Delete(keys[place])])

    assert codes(store) == {("damaged-index", reply.id)}


@pytest.mark.parametrize("mark", [Mark(3, deleted=True), Mark(4, deleted=False)])
def test_an_index_entry_that_says_something_else_is_found(
    store: RecordStore, engine: Engine, history: History, mark: Mark
) -> None:
    post = history["post"]
    key = layout.index_keys(post.id, post.header)[0]
    engine.apply([Put(key, mark.pack())])

    assert codes(store) == {("damaged-index", post.id)}


def test_a_missing_record_is_found_by_each_entry_that_names_it(
    store: RecordStore, engine: Engine, history: History
) -> None:
    reply = history["reply"]
    engine.apply([Delete(layout.record_key(reply.id))])

    found = list(store.verify())

    assert [each.record for each in found] == [reply.id] * 6 + [None]
    assert "counted" in found[-1].message


def test_an_entry_where_the_record_does_not_belong_is_found(
    store: RecordStore, engine: Engine, history: History
) -> None:
    post = history["post"]
    stray = layout.community_prefix("elsewhere") + layout.number(1) + post.id
    engine.apply([Put(stray, Mark(3, deleted=False).pack())])

    assert codes(store) == {("damaged-index", post.id)}


def test_a_body_that_should_be_gone_is_found(
    store: RecordStore, engine: Engine, history: History
) -> None:
    deleted = history["deleted"]
    engine.apply(
        [Put(layout.record_key(deleted.id), layout.pack_record(deleted, NOW_MS))]
    )

    assert codes(store) == {("damaged-index", deleted.id)}


def test_a_missing_tombstone_is_found(
    store: RecordStore, engine: Engine, history: History
) -> None:
    deleted, deletion = history["deleted"], history["deletion"]
    engine.apply([Delete(layout.tombstone_key(deleted.id, deleted.header.agent))])

    assert ("damaged-index", deletion.id) in codes(store)


@pytest.mark.parametrize("name", ["post", "reply", None])
def test_a_tombstone_of_another_deletion_is_found(
    store: RecordStore, engine: Engine, history: History, name: str | None
) -> None:
    deleted = history["deleted"]
    other = history[name].id if name else NOBODY
    key = layout.tombstone_key(deleted.id, deleted.header.agent)
    engine.apply([Put(key, layout.number(0) + other)])

    assert ("damaged-index", other) in codes(store)


def test_a_link_without_its_record_is_found(
    store: RecordStore, engine: Engine, history: History
) -> None:
    engine.apply([Delete(layout.record_key(history["rotation"].id))])

    assert ("damaged-index", history["rotation"].id) in codes(store)


@pytest.mark.parametrize("name", ["inception", "rotation"])
def test_a_chain_record_outside_its_chain_is_found(
    store: RecordStore, engine: Engine, history: History, name: str
) -> None:
    record = history[name]
    agent = record.header.agent
    chain = store.key_chain(agent)
    assert chain is not None
    rest = type(chain)(tuple(link for link in chain.links if link.record != record.id))
    value = layout.pack_key_chain(agent, rest)
    engine.apply([Put(layout.key_chain_key(agent), value)])

    assert codes(store) == {("damaged-index", record.id)}


def test_every_byte_of_a_key_chain_counts(
    store: RecordStore, engine: Engine, history: History
) -> None:
    agent = history["reply"].header.agent
    key = layout.key_chain_key(agent)
    value = engine.get(key) or b""

    for place in range(len(value)):
        rotten = bytearray(value)
        rotten[place] ^= 0x01
        engine.apply([Put(key, bytes(rotten))])
        store._chains.clear()
        with pytest.raises(LocalError, match="store-damaged"):
            store.key_chain(agent)

    assert ("store-damaged", None) in codes(store)


@pytest.mark.parametrize("key", [b"Zebra", b"M other", b"\xff", b"\x00"])
def test_a_key_of_no_table_is_found(
    store: RecordStore, engine: Engine, history: History, key: bytes
) -> None:
    engine.apply([Put(key, b"?")])

    assert codes(store) == {("damaged-index", None)}


def test_a_wrong_count_is_found(
    store: RecordStore, engine: Engine, history: History
) -> None:
    engine.apply([Put(layout.COUNT_KEY, layout.number(99))])

    assert codes(store) == {("damaged-index", None)}


def test_every_one_of_many_is_found_chunk_after_chunk(
    store: RecordStore, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verifying, "CHUNK_ENTRIES", 7)
    alice = TestAgent("alice")
    for _ in range(50):
        alice.post()
    store.add(alice.records, NOW_MS)
    bad = alice.records[::3]
    engine.apply([Put(layout.record_key(record.id), b"rotten") for record in bad])

    found = list(store.verify())

    assert [damage.code for damage in found] == ["damaged-record"] * len(bad)
    assert {damage.record for damage in found} == {record.id for record in bad}


def test_a_store_in_use_raises_no_false_alarm(
    store: RecordStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verifying, "CHUNK_ENTRIES", 5)
    alice = TestAgent("alice")
    posts = [alice.post() for _ in range(20)]
    store.add(alice.records, NOW_MS)
    rotten = layout.record_key(posts[0].id)
    store._engine.apply([Put(rotten, b"rotten")])
    checking = store.verify()
    next(checking)

    store.add([alice.delete(posts[1]), alice.rotate(), alice.post()], NOW_MS)

    assert list(checking) == []

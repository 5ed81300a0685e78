"""Spec 03: a record is read as it was written, or it is refused."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moltp2p.core import codec, record
from moltp2p.core.author import Draft
from moltp2p.core.kinds import Kind, Post, Profile, encode_body, parse_body
from moltp2p.core.record import Origin, Record
from moltp2p.core.topics import NetworkParams
from moltp2p.core.validate import Bench, Road, judge, judge_own
from moltp2p.core.verdict import Verdict
from moltp2p.testing.factories import EPOCH_MS, TestAgent
from tests.facts import facts
from tests.refusal import code_of
from tests.strategies import (
    NETWORK,
    authored,
    damaged,
    posts,
    profiles,
    records,
    strange,
    values,
)

BENCH = Bench(NetworkParams(NETWORK), EPOCH_MS, Road.SYNC)

REFUSALS = {
    "too-large",
    "malformed",
    "not-canonical",
    "bad-envelope",
    "unsupported-version",
    "bad-header",
    "body-mismatch",
}
"""Codes of `record.parse`."""


@given(records)
def test_a_record_is_read_as_it_was_written(written: Record) -> None:
    read = record.parse(written.wire())

    assert read == written
    assert hash(read) == hash(written)
    assert read.is_signed()


@given(records)
def test_a_record_without_its_body_is_the_same_record(written: Record) -> None:
    bare = record.parse(written.without_body().wire())

    assert (bare.id, bare.header) == (written.id, written.header)
    assert bare.is_signed()


wires = records.map(Record.wire)


@given(st.binary(max_size=300) | damaged(wires) | values.map(codec.encode))
def test_bytes_are_the_one_spelling_of_a_record_or_refused(data: bytes) -> None:
    code = code_of(lambda: record.parse(data))

    assert code is None or code in REFUSALS
    if code is None:
        assert record.parse(data).wire() == data


@given(posts | profiles)
def test_a_body_is_read_as_it_was_written(body: Post | Profile) -> None:
    kind = Kind.POST if isinstance(body, Post) else Kind.PROFILE

    assert parse_body(kind, encode_body(body)) == body


bodies = (posts | profiles).map(encode_body)


@given(st.integers(), st.binary(max_size=60) | damaged(bodies) | bodies)
def test_a_body_is_read_or_refused(kind: int, data: bytes) -> None:
    for each in (kind, Kind.POST, Kind.PROFILE):
        code = code_of(partial(parse_body, each, data))
        assert code in {None, "bad-body", "malformed", "not-canonical"}


@given(st.binary(max_size=300) | damaged(wires) | wires, st.sampled_from(Road))
def test_judging_never_raises_and_never_accepts_what_is_unsigned(
    data: bytes, road: Road
) -> None:
    bench = Bench(NetworkParams(NETWORK), EPOCH_MS, road, "/moltp2p/1/test-net/agents")

    ruling = judge(data, bench, facts())

    if ruling.verdict is Verdict.ACCEPT:
        assert ruling.code == "ok"
        assert ruling.keep == ruling.record
        assert record.parse(data).is_signed()
    elif ruling.verdict is Verdict.REJECT:
        assert ruling.keep is None


@given(strange())
def test_kinds_from_the_future_are_carried(written: Record) -> None:
    ruling = judge(written.wire(), BENCH, facts())

    assert (ruling.code, ruling.keep) in (("ok", written), ("key-unknown", None))


@given(authored(st.just(EPOCH_MS)))
def test_what_an_author_writes_is_never_rejected(written: Record) -> None:
    ruling = judge(written.wire(), BENCH, facts())

    assert ruling.verdict is not Verdict.REJECT, ruling
    assert ruling.code in {"ok", "key-unknown"}


@given(authored(), st.sampled_from(["test-net", "other-net"]), st.booleans())
def test_own_records_are_ruled_on_as_by_strangers(
    written: Record, network: str, is_held: bool
) -> None:
    bench = Bench(NetworkParams(network), EPOCH_MS, Road.LOCAL)
    alice = TestAgent("alice")
    held = facts(alice.incept(), *([written] if is_held else []))

    ours = judge_own(written, bench, held)
    theirs = judge(written.wire(), bench, held)

    assert (ours.verdict, ours.code, ours.keep) == (
        theirs.verdict,
        theirs.code,
        theirs.keep,
    )


@given(authored(st.just(EPOCH_MS)))
def test_a_ruling_depends_on_nothing_but_what_is_passed_in(written: Record) -> None:
    first = judge(written.wire(), BENCH, facts())
    again = judge(written.wire(), BENCH, facts())

    assert first == again


def sample() -> list[Record]:
    agent = TestAgent("alice")
    post = agent.post()
    agent.reply(post)
    agent.write(Draft(Kind.PROFILE, Profile("Alice"), origin=Origin("reply")))
    agent.delete(post)
    agent.rotate()
    agent.post("by the second key")
    return agent.records


@pytest.mark.slow
@pytest.mark.parametrize("written", sample(), ids=lambda each: f"seq-{each.header.seq}")
def test_no_bit_of_a_record_can_be_flipped(written: Record) -> None:
    wire = written.wire()
    before = sample()[: written.header.seq]
    accepted = []

    for bit in range(8 * len(wire)):
        flipped = bytearray(wire)
        flipped[bit // 8] ^= 1 << bit % 8
        ruling = judge(bytes(flipped), BENCH, facts(*before))
        if ruling.verdict is not Verdict.REJECT:
            accepted.append((bit, ruling))

    assert accepted == []
    assert judge(wire, BENCH, facts(*before)).code == "ok"


@settings(max_examples=20)
@given(records, st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1))
def test_a_rejection_does_not_depend_on_the_clock(
    written: Record, now_ms: int, later_ms: int
) -> None:
    network = NetworkParams("other-net")
    rulings = [
        judge(written.wire(), Bench(network, clock, Road.SYNC), facts())
        for clock in (now_ms, later_ms)
    ]

    assert {ruling.code for ruling in rulings} == {"wrong-network"}

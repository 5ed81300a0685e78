"""Spec 02: one value, one spelling, and everything else is refused."""

from __future__ import annotations

import cbor2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from moltp2p.core import codec
from moltp2p.core.codec import MAX_DEPTH
from moltp2p.core.errors import UsageError
from moltp2p.core.ids import (
    AgentId,
    RecordId,
    agent_text,
    parse_agent,
    parse_record_id,
    record_text,
)
from tests.refusal import code_of
from tests.strategies import damaged, digests, values


@given(values)
def test_a_value_comes_back_as_it_went(value: object) -> None:
    assert codec.decode(codec.encode(value)) == value


@given(st.binary(max_size=64) | damaged(values.map(codec.encode)))
@example(b"\xa2\x61a\x01\x61a\x02")
def test_bytes_are_the_one_spelling_of_a_value_or_refused(data: bytes) -> None:
    code = code_of(lambda: codec.decode(data))

    assert code in {None, "malformed", "not-canonical"}
    if code is None:
        assert codec.encode(codec.decode(data)) == data


def read_leniently(data: bytes) -> object:
    """Read as spec 02 calls sufficient: take any spelling, and write it again."""
    value = cbor2.loads(data, max_depth=MAX_DEPTH)
    if codec.encode(value) != data:
        raise ValueError("another spelling")
    return value


@given(st.binary(max_size=64) | damaged(values.map(codec.encode)))
def test_our_reader_agrees_with_a_lenient_one_that_writes_again(data: bytes) -> None:
    try:
        theirs = read_leniently(data)
    except (cbor2.CBORDecodeError, UsageError, ValueError, OverflowError):
        assert code_of(lambda: codec.decode(data)) is not None
    else:
        assert codec.decode(data) == theirs


@given(values, st.binary(min_size=1, max_size=8))
def test_nothing_may_follow_a_value(value: object, rest: bytes) -> None:
    assert code_of(lambda: codec.decode(codec.encode(value) + rest)) == "not-canonical"


foreign = (
    st.floats()
    | st.complex_numbers()
    | st.dates()
    | st.datetimes()
    | st.decimals()
    | st.fractions()
    | st.uuids()
    | st.integers(min_value=2**63)
    | st.integers(max_value=-(2**63) - 1)
    | st.sets(st.integers(), min_size=1)
    | st.binary().map(bytearray)
    | st.dictionaries(st.integers() | st.binary(), st.none(), min_size=1)
    | st.sampled_from(["\ud800", ["\udfff"], {"\ud800": 0}])
)


@given(foreign, st.lists(st.sampled_from(["array", "map"]), max_size=4))
def test_what_has_no_spelling_is_the_callers_fault(
    value: object, wrapping: list[str]
) -> None:
    for each in wrapping:
        value = [value] if each == "array" else {"a": value}

    with pytest.raises(UsageError, match="wrong-type"):
        codec.encode(value)


@given(st.binary(max_size=200), st.binary(min_size=64, max_size=64))
def test_an_envelope_comes_back_as_it_went(payload: bytes, signature: bytes) -> None:
    sign1 = codec.encode_sign1(payload, signature)

    assert codec.decode_sign1(sign1) == (payload, signature)


envelopes = st.builds(
    codec.encode_sign1, st.binary(max_size=60), st.binary(min_size=64, max_size=64)
)


@given(st.binary(max_size=100) | damaged(envelopes))
def test_an_envelope_has_one_spelling_or_is_refused(data: bytes) -> None:
    code = code_of(lambda: codec.decode_sign1(data))

    assert code in {None, "bad-envelope"}
    if code is None:
        assert codec.encode_sign1(*codec.decode_sign1(data)) == data


@given(digests)
def test_names_come_back_as_they_went(digest: bytes) -> None:
    assert parse_agent(agent_text(AgentId(digest))) == digest
    assert parse_record_id(record_text(RecordId(digest))) == digest


agent_texts = digests.map(AgentId).map(agent_text)
record_texts = digests.map(RecordId).map(record_text)


@st.composite
def misspelt(draw: st.DrawFn) -> str:
    text = draw(agent_texts | record_texts)
    start = draw(st.integers(0, len(text)))
    end = draw(st.integers(start, min(len(text), start + 2)))
    return text[:start] + draw(st.text(max_size=3)) + text[end:]


@given(st.text() | misspelt())
def test_a_name_has_one_spelling_or_is_refused(text: str) -> None:
    as_agent = code_of(lambda: parse_agent(text))
    as_record = code_of(lambda: parse_record_id(text))

    assert as_agent in {None, "bad-agent"}
    assert as_record in {None, "bad-record-id"}
    if as_agent is None:
        assert agent_text(parse_agent(text)) == text
    if as_record is None:
        assert record_text(parse_record_id(text)) == text

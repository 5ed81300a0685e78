"""The pen is bounded every way, and gives back what waits for an agent."""

from __future__ import annotations

from moltp2p.core.ids import AgentId, RecordId
from moltp2p.core.validate import Road
from moltp2p.node.pen import (
    PEN_BYTES,
    PEN_RECORDS,
    PEN_RECORDS_PER_AGENT,
    Incoming,
    Pen,
)


def _put(pen: Pen, number: int, agent: int, size: int = 1) -> None:
    record = RecordId(number.to_bytes(32, "big"))
    name = AgentId(agent.to_bytes(32, "big"))
    pen.put(record, name, Incoming(bytes(size), Road.GOSSIP, str(number)))


def _take(pen: Pen, agent: int) -> list[str | None]:
    return [each.topic for each in pen.take(AgentId(agent.to_bytes(32, "big")))]


def test_an_agents_records_come_back_in_order_and_once() -> None:
    pen = Pen()
    for number in range(4):
        _put(pen, number, agent=number % 2)

    assert _take(pen, 0) == ["0", "2"]
    assert _take(pen, 0) == []
    assert _take(pen, 1) == ["1", "3"]
    assert len(pen) == 0


def test_one_agent_cannot_fill_it() -> None:
    pen = Pen()
    _put(pen, 0, agent=9)
    for number in range(1, PEN_RECORDS_PER_AGENT + 11):
        _put(pen, number, agent=1)

    assert pen.dropped == 10
    assert _take(pen, 9) == ["0"]
    assert _take(pen, 1)[0] == "11"


def test_many_agents_push_out_the_oldest() -> None:
    pen = Pen()
    for number in range(PEN_RECORDS + 5):
        _put(pen, number, agent=number)

    assert len(pen) == PEN_RECORDS
    assert pen.dropped == 5
    assert _take(pen, 4) == []
    assert _take(pen, 5) == ["5"]


def test_its_bytes_are_bounded_too() -> None:
    pen = Pen()
    for number in range(200):
        _put(pen, number, agent=number, size=60_000)

    assert len(pen) == PEN_BYTES // 60_000


def test_a_record_waits_once() -> None:
    pen = Pen()
    _put(pen, 1, agent=1)
    _put(pen, 1, agent=1)

    assert _take(pen, 1) == ["1"]

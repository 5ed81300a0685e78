"""The operations of spec 06's vectors, run on our source."""

from __future__ import annotations

from typing import Any, Final

from moltp2p.core.errors import MoltError
from moltp2p.core.record import parse
from moltp2p.proto.fetch import Collector, decode_ask, encode_ask
from scripts.vectors.fetching import serve, told
from scripts.vectors.form import read, spell

Outcome = dict[str, Any]


def fetch_ask(given: object) -> Outcome:
    data = read(given)
    ask = decode_ask(data)
    assert encode_ask(ask) == data
    return {"output": told(ask)}


def fetch_serve(given: dict[str, Any]) -> Outcome:
    held = [parse(read(wire)) for wire in given["held"]]
    return {"output": serve(bytes.fromhex(given["ask"]), held)}


def fetch_answer(given: dict[str, Any]) -> Outcome:
    collector = Collector(decode_ask(bytes.fromhex(given["ask"])))
    wires = [
        spell(wire)
        for frame in given["frames"]
        for wire in collector.receive(read(frame))
    ]
    assert collector.ended is not None
    absent = b"".join(collector.ended.absent).hex()
    return {
        "output": {"records": wires, "absent": absent, "next": collector.ended.next_seq}
    }


OPERATIONS: Final = {
    "fetch-answer": fetch_answer,
    "fetch-ask": fetch_ask,
    "fetch-serve": fetch_serve,
}


def outcome(case: dict[str, Any]) -> Outcome:
    """Return what the operation of a case makes of its input."""
    operation: Any = OPERATIONS[case["op"]]
    try:
        result: Outcome = operation(case["input"])
    except MoltError as error:
        return {"error": error.code}
    return result

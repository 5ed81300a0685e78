"""The operations of spec 06's vectors, run on our source."""

from __future__ import annotations

from typing import Any, Final

from moltp2p.core.errors import MoltError
from moltp2p.core.record import parse
from moltp2p.proto.sync.fetch import Collector, decode_ask, encode_ask
from moltp2p.proto.sync.messages import decode_message, encode_message
from scripts.vectors.fetching import serve, told
from scripts.vectors.form import read, spell
from scripts.vectors.reconciling import fingerprint, ranges
from scripts.vectors.reconciling_form import ask, hear, run, spell_message, talk

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


def reconcile_message(given: object) -> Outcome:
    message = decode_message(read(given))
    assert decode_message(encode_message(message)) == message
    return {"output": spell_message(message)}


OPERATIONS: Final = {
    "fetch-answer": fetch_answer,
    "fetch-ask": fetch_ask,
    "fetch-serve": fetch_serve,
    "fingerprint": lambda given: {"output": fingerprint(given)},
    "negentropy": lambda given: {"output": talk(given)},
    "ranges": lambda given: {"output": ranges(given)},
    "reconcile": lambda given: {"output": run(given)},
    "reconcile-ask": lambda given: {"output": ask(given)},
    "reconcile-hear": lambda given: {"output": hear(given)},
    "reconcile-message": reconcile_message,
}


def outcome(case: dict[str, Any]) -> Outcome:
    """Return what the operation of a case makes of its input."""
    operation: Any = OPERATIONS[case["op"]]
    try:
        result: Outcome = operation(case["input"])
    except MoltError as error:
        return {"error": error.code}
    return result

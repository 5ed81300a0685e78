"""What our source makes of the vectors of spec 07."""

from __future__ import annotations

from typing import Any, Final

from moltp2p.core import codec
from moltp2p.core.challenge.spelling import LAYOUTS, fields_of, read
from moltp2p.core.challenge.statements import Statement, digest, state
from moltp2p.core.challenge.work import Ticket, is_eligible, is_paid, ticket_value
from moltp2p.core.errors import MoltError
from moltp2p.core.ids import AgentId
from moltp2p.proto.challenge.messages import limit_ms
from moltp2p.testing.factories import signer
from scripts.vectors import form
from scripts.vectors.form import from_json, to_json
from scripts.vectors.proof_sessions import (
    BEGUN,
    machine_of,
    read_event,
    spell_action,
    spell_event,
)
from tests.vectors import replay_core

Outcome = dict[str, Any]


def ticket(given: dict[str, Any]) -> Outcome:
    network = given["network"]
    asked = Ticket(given["epoch"], given["size"], given["nonce"])
    value = ticket_value(network, AgentId(bytes.fromhex(given["agent"])), asked)
    if not is_paid(network, value):
        return {"error": "bad-ticket"}
    return {"output": value.hex()}


def drawn(given: dict[str, Any]) -> Outcome:
    value, agent = bytes.fromhex(given["value"]), bytes.fromhex(given["agent"])
    return {"output": is_eligible(value, given["size"], AgentId(agent))}


def hashed(given: dict[str, Any]) -> Outcome:
    parts: Any = from_json(given["parts"])
    return {"output": digest(given["word"], *parts).hex()}


def stated(given: dict[str, Any]) -> Outcome:
    name, generation = given["signer"].split()
    fields: Any = from_json(given["fields"])
    by = signer(name, int(generation))
    statement = state(given["word"], fields, by, given["network"])
    assert statement.is_by(by.public, given["network"])
    assert not statement.is_by(by.public, "other-net")
    assert fields_of(read(statement, LAYOUTS[given["word"]].says)) == fields
    return {
        "output": {
            "payload": statement.payload.hex(),
            "signature": statement.signature.hex(),
        }
    }


def told(given: dict[str, Any]) -> Outcome:
    statement = Statement(given["word"], form.read(given["payload"]), b"")
    codec.decode(statement.payload)
    fields = fields_of(read(statement, LAYOUTS[given["word"]].says))
    return {"output": to_json(fields)}


def limit(given: dict[str, Any]) -> Outcome:
    return {"output": limit_ms(given["texts"], given["round_trip_ms"])}


def session(given: dict[str, Any], steps: list[dict[str, Any]]) -> Outcome:
    machine = machine_of(given)
    done = [steps[0] | {"actions": [*map(spell_action, machine.first)]}]
    for step in steps[1:]:
        event = read_event(step["event"])
        assert spell_event(event) == step["event"]
        actions = machine.handle(event, BEGUN + step["at"] / 1_000)
        done.append(step | {"actions": [*map(spell_action, actions)]})
    assert machine.is_done
    return {"steps": done}


OPERATIONS: Final = {
    "digest": hashed,
    "drawn": drawn,
    "judge": replay_core.judgement,
    "limit": limit,
    "read": told,
    "session": session,
    "state": stated,
    "ticket": ticket,
}


def outcome(case: dict[str, Any]) -> Outcome:
    """Return what the operation of a case makes of its input."""
    operation: Any = OPERATIONS[case["op"]]
    try:
        steps = [case["steps"]] if "steps" in case else []
        return {**operation(case["input"], *steps)}
    except MoltError as error:
        return {"error": error.code}

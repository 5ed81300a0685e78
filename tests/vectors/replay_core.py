"""What our source makes of the vectors of spec 01 to 03 and 11."""

from __future__ import annotations

from typing import Any, Final

from moltp2p.core import codec, record
from moltp2p.core.errors import MoltError
from moltp2p.core.facts import EVERYBODY, Everybody, Overlay
from moltp2p.core.ids import (
    AgentId,
    PublicKey,
    RecordId,
    agent_text,
    parse_agent,
    parse_record_id,
    record_text,
)
from moltp2p.core.keys import Signer, verify
from moltp2p.core.limits import RECORD_AAD
from moltp2p.core.topics import NetworkParams
from moltp2p.core.validate import Bench, Road, Ruling, judge
from moltp2p.core.verdict import Verdict
from moltp2p.proto import quota
from moltp2p.testing.factories import signer
from scripts.vectors.form import from_json, read, to_json
from tests.facts import Admission, NoFacts

Outcome = dict[str, object]
"""The keys of a case that tell the result: `output`, or `error`, or `steps`, …"""


def public_key(given: str) -> Outcome:
    return {"output": Signer(bytes.fromhex(given)).public.hex()}


def agent_name(given: str) -> Outcome:
    text = agent_text(AgentId(bytes.fromhex(given)))
    assert parse_agent(text).hex() == given
    return {"output": text}


def agent(given: str) -> Outcome:
    return {"output": parse_agent(given).hex()}


def signature(given: dict[str, str]) -> Outcome:
    parts = [bytes.fromhex(given[name]) for name in ("key", "message", "signature")]
    if verify(PublicKey(parts[0]), parts[1], parts[2]):
        return {"output": True}
    return {"error": "bad-signature"}


def key_chain(given: dict[str, Any], steps: list[dict[str, Any]]) -> Outcome:
    facts, network = Overlay(NoFacts()), NetworkParams(given["network"])
    return {"steps": [_step(step, facts, network) for step in steps]}


def _step(step: dict[str, Any], facts: Overlay, network: NetworkParams) -> Outcome:
    wire = bytes.fromhex(step["event"]["record"])
    ruling = judge(wire, Bench(network, step["at"], Road.SYNC), facts)
    if ruling.verdict is Verdict.ACCEPT and ruling.record:
        facts.note(ruling.record)
    action = {"verdict": ruling.verdict.value, "code": ruling.code}
    return step | {"actions": [action]}


def decode(given: object) -> Outcome:
    wire = read(given)
    value = codec.decode(wire)
    assert codec.encode(value) == wire
    return {"output": to_json(value)}


def encode(given: object) -> Outcome:
    return {"output": codec.encode(from_json(given)).hex()}


def record_name(given: str) -> Outcome:
    text = record_text(RecordId(bytes.fromhex(given)))
    assert parse_record_id(text).hex() == given
    return {"output": text}


def record_id(given: str) -> Outcome:
    return {"output": parse_record_id(given).hex()}


def signature_input(given: str) -> Outcome:
    signed = codec.signature_input(bytes.fromhex(given), RECORD_AAD)
    return {"output": signed.hex()}


def seal(given: dict[str, Any]) -> Outcome:
    payload = codec.encode(from_json(given["header"]))
    name, generation = given["signer"].split()
    signed = codec.signature_input(payload, RECORD_AAD)
    sign1 = codec.encode_sign1(payload, signer(name, int(generation)).sign(signed))
    body = given["body"] and codec.encode(from_json(given["body"]))
    wire = codec.encode([sign1, body])
    return {"output": {"wire": wire.hex(), "id": record_text(record.parse(wire).id)}}


def parse(given: object) -> Outcome:
    return {"output": record_text(record.parse(read(given)).id)}


def judgement(given: dict[str, Any]) -> Outcome:
    admission = given.get("admission")
    network = NetworkParams(
        given["network"], given["shards"], admission=admission is not None
    )
    bench = Bench(
        network,
        given["now_ms"],
        Road(given["road"]),
        given.get("topic"),
        given.get("horizon_ms", 0),
    )
    facts = Overlay(NoFacts(), _admission(admission))
    for held in given.get("held", []):
        facts.note(record.parse(read(held)))
    ruling = judge(read(given["record"]), bench, facts)
    kept = _kept(ruling)
    if ruling.verdict is Verdict.ACCEPT:
        return {"output": {"verdict": "accept", "code": ruling.code, "keep": kept}}
    outcome: Outcome = {"error": ruling.code, "verdict": ruling.verdict.value}
    return outcome | ({"keep": kept} if kept else {})


def _admission(given: dict[str, Any] | None) -> Everybody | Admission:
    if given is None:
        return EVERYBODY
    return Admission(given["until_ms"], given["has_room"])


def shelf(given: dict[str, Any]) -> Outcome:
    network = NetworkParams("test-net", given["shards"])
    read_record = record.parse(read(given["record"]))
    volume = quota.volume_of(read_record)
    number = quota.shelf_of(read_record.header, network)
    return {"output": {"shelf": number, "units": volume.units}}


def kept(given: dict[str, Any]) -> Outcome:
    volumes = [
        quota.Volume(each["seq"], RecordId(bytes.fromhex(each["id"])), each["units"])
        for each in given["records"]
    ]
    found = quota.kept(volumes, given["limit"])
    return {"output": [each.record.hex() for each in found]}


def _kept(ruling: Ruling) -> str | None:
    if ruling.keep is None:
        return None
    is_bare = ruling.keep.body is None and ruling.keep.header.body_hash is not None
    return "header" if is_bare else "record"


OPERATIONS: Final = {
    "agent-text": agent_name,
    "decode": decode,
    "encode": encode,
    "judge": judgement,
    "kept": kept,
    "key-chain": key_chain,
    "parse": parse,
    "parse-agent": agent,
    "parse-record-id": record_id,
    "public-key": public_key,
    "record-text": record_name,
    "seal": seal,
    "shelf": shelf,
    "signature-input": signature_input,
    "verify": signature,
}


def outcome(case: dict[str, Any]) -> Outcome:
    """Return what the operation of a case makes of its input."""
    operation: Any = OPERATIONS[case["op"]]
    arguments = [case["input"], *([case["steps"]] if "steps" in case else [])]
    try:
        return {**operation(*arguments)}
    except MoltError as error:
        return {"error": error.code}

"""The operations of spec 05's vectors, run on our source."""

from __future__ import annotations

from typing import Any, Final

from moltp2p.core.errors import PeerError
from moltp2p.core.topics import NetworkParams, topic_of
from moltp2p.net.gossip.rpc_codec import decode_rpc
from scripts.vectors.form import read
from scripts.vectors.gossip_form import (
    read_event,
    read_rpc,
    spell_action,
    spell_event,
    spell_rpc,
    spell_scores,
)
from scripts.vectors.gossip_steps import new_router

Outcome = dict[str, Any]


def topic(case: dict[str, Any]) -> Outcome:
    given = case["input"]
    network = NetworkParams(given["network"], given["shards"])
    return {"output": topic_of(network, given["community"])}


def rpc(case: dict[str, Any]) -> Outcome:
    try:
        found = decode_rpc(read(case["input"]))
    except PeerError as error:
        return {"error": error.code}
    assert read_rpc(spell_rpc(found)) == found
    return {"output": spell_rpc(found)}


def route(case: dict[str, Any]) -> Outcome:
    router = new_router()
    steps = []
    for step in case["steps"]:
        event = read_event(step["event"])
        assert spell_event(event) == step["event"]
        actions = router.handle(event, step["at"] / 1000)
        steps.append(step | {"actions": [spell_action(each) for each in actions]})
    return {"steps": steps}


def score(case: dict[str, Any]) -> Outcome:
    router = new_router()
    steps = []
    for step in case["steps"]:
        event = read_event(step["event"])
        assert spell_event(event) == step["event"]
        actions = router.handle(event, step["at"] / 1000)
        spelt = {"actions": [spell_action(each) for each in actions]}
        steps.append(step | spelt | {"scores": spell_scores(router)})
    return {"steps": steps}


OPERATIONS: Final = {"topic": topic, "rpc": rpc, "route": route, "score": score}


def outcome(case: dict[str, Any]) -> Outcome:
    """Return what the operation of a case makes of its input."""
    return OPERATIONS[case["op"]](case)

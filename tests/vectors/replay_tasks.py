"""Runs the operations of spec 08's vectors (scripts/vectors/tasks.py)."""

from __future__ import annotations

from typing import Any, Final

from moltp2p.core.challenge.spelling import is_task_text
from moltp2p.core.errors import MoltError
from moltp2p.proof.answers import read_answer
from moltp2p.proof.tasks import Worlds
from scripts.vectors.tasks import LISTS, describe, roll


def dice(given: dict[str, Any]) -> dict[str, object]:
    return {"output": roll([*map(bytes.fromhex, given["seed"])], given["calls"])}


def words(given: str) -> dict[str, object]:
    return {"output": list(LISTS[given])}


def batch(given: dict[str, Any]) -> dict[str, object]:
    seed = bytes.fromhex(given["seed"])
    return {"output": describe(seed, given["round"], given["count"])}


def carries(given: dict[str, Any]) -> dict[str, object]:
    worlds, item = Worlds(), given["item"]
    batch = worlds.batch(bytes.fromhex(given["seed"]), given["round"], item + 1)
    return {"output": worlds.carries(batch[item], given["text"])}


def answer(given: str) -> dict[str, object]:
    return {"output": read_answer(given)}


def text(given: str) -> dict[str, object]:
    return {"output": is_task_text(given)}


OPERATIONS: Final = {
    "batch": batch,
    "carries": carries,
    "dice": dice,
    "is-task-text": text,
    "read-answer": answer,
    "words-of-worlds": words,
}


def outcome(case: dict[str, Any]) -> dict[str, object]:
    """Return what the operation of a case makes of its input."""
    operation: Any = OPERATIONS[case["op"]]
    try:
        result: dict[str, object] = operation(case["input"])
    except MoltError as error:
        return {"error": error.code}
    return result

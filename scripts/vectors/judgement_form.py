"""How the vectors of a judgement are written down: what comes, how, and to whom."""

from __future__ import annotations

from dataclasses import dataclass

from moltp2p.core.record import Record
from moltp2p.testing.factories import EPOCH_MS
from scripts.vectors.forge import NETWORK
from scripts.vectors.form import Case, spell


@dataclass(frozen=True, slots=True)
class Bench:
    """How a record comes, and to whom."""

    road: str = "sync"
    topic: str | None = None
    now_ms: int = EPOCH_MS
    horizon_ms: int = 0
    held: tuple[Record, ...] = ()
    admission: Admission | None = None


@dataclass(frozen=True, slots=True)
class Admission:
    """How the author stands, in a network that admits by proof."""

    until_ms: int | None
    has_room: bool = True


def accept(
    name: str, data: bytes, bench: Bench, note: str = "", *, keep: str = "record"
) -> Case:
    """Return a case of a record that is accepted."""
    return _case(name, data, bench, note) | {
        "output": {"verdict": "accept", "code": "ok", "keep": keep}
    }


def reject(name: str, data: bytes, code: str, bench: Bench, note: str = "") -> Case:
    """Return a case of a record that every node refuses."""
    return _case(name, data, bench, note) | {"error": code, "verdict": "reject"}


def ignore(name: str, data: bytes, code: str, bench: Bench, note: str = "") -> Case:
    """Return a case of a record that this node does not take."""
    return _case(name, data, bench, note) | {"error": code, "verdict": "ignore"}


def _case(name: str, data: bytes, bench: Bench, note: str) -> Case:
    given: dict[str, object] = {
        "record": spell(data),
        "network": NETWORK.id,
        "shards": NETWORK.shards,
        "now_ms": bench.now_ms,
        "road": bench.road,
    }
    if bench.topic is not None:
        given["topic"] = bench.topic
    if bench.horizon_ms:
        given["horizon_ms"] = bench.horizon_ms
    if bench.admission is not None:
        given["admission"] = {
            "until_ms": bench.admission.until_ms,
            "has_room": bench.admission.has_room,
        }
    if bench.held:
        given["held"] = [spell(record.wire()) for record in bench.held]
    return {"name": name, "op": "judge", "note": note, "input": given}

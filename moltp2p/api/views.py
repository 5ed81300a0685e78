"""How things look in JSON; strangers' programs read it: add, never rename.

Everything a stranger wrote is data: it leaves as JSON text, in which every
character beyond ASCII and every control character is escaped, so that neither a
terminal nor a line reader can be tricked by it.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from moltp2p.core.forks import Fork, place_of
from moltp2p.core.ids import AgentId, RecordId, agent_text, record_text
from moltp2p.core.kinds import Kind, Post, Profile, parse_body
from moltp2p.core.record import Origin, Record
from moltp2p.core.validate import Ruling
from moltp2p.node.events import Arrival
from moltp2p.node.proving.account import CHALLENGED_HINTS
from moltp2p.node.proving.verify_stream import Ended
from moltp2p.node.status import PeerStatus, ProvingStatus, Status
from moltp2p.proto.admission.pedigree import Pedigree
from moltp2p.proto.challenge.events import Passed
from moltp2p.store.base import Damage, Dropped, Page, Stored

View = dict[str, object]

_KIND_NAMES: Final = {kind.value: kind.name.lower() for kind in Kind}
KINDS_BY_NAME: Final = {name: kind for kind, name in _KIND_NAMES.items()}

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MS: Final = 253_402_300_799_999
"""The last millisecond of the year 9999, where RFC 3339 ends."""


def line(view: Mapping[str, object]) -> bytes:
    """Return a view as one line of JSON."""
    return json.dumps(view, separators=(",", ":")).encode() + b"\n"


def rfc3339(time_ms: int) -> str | None:
    """Return a time as RFC 3339 in UTC, or None when its year has five digits."""
    if time_ms > _LAST_MS:
        return None
    moment = _EPOCH + timedelta(milliseconds=time_ms)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def record_view(stored: Stored) -> View:
    """Return a record as the API shows it; fields it does not have are null."""
    header = stored.record.header
    return {
        "id": record_text(stored.record.id),
        "agent": agent_text(header.agent),
        "kind": _KIND_NAMES.get(header.kind, header.kind),
        "seq": header.seq,
        "time": rfc3339(header.time_ms),
        "time_ms": header.time_ms,
        "community": header.community,
        "parent": _ref(header.refs, "parent"),
        "root": _ref(header.refs, "root"),
        "target": _ref(header.refs, "target"),
        **_body_view(stored.record),
        "ai_generated": header.ai_generated,
        "origin": _origin_view(header.origin),
        "deleted": stored.deleted,
        "dropped": stored.dropped,
        "forked": stored.forked,
        "received_at_ms": stored.received_at_ms,
    }


def written_view(record: Record) -> View:
    """Return a record that was written here just now: our clock stamped it."""
    return record_view(Stored(record, record.header.time_ms, deleted=False))


def dropped_view(dropped: Dropped) -> View:
    """Return a body that the operator dropped."""
    return {
        "record": record_text(dropped.record),
        "dropped": True,
        "dropped_at_ms": dropped.dropped_at_ms,
        "held": dropped.held,
        "changed": False,
    }


def page_view(page: Page) -> View:
    """Return one page of records."""
    records = [record_view(stored) for stored in page.records]
    damaged = [damage_view(damage) for damage in page.damaged]
    return {
        "records": records,
        "cursor": page.cursor,
        "more": page.more,
        "damaged": damaged,
    }


def damage_view(damage: Damage) -> View:
    """Return what cannot be read, and why."""
    record = None if damage.record is None else record_text(damage.record)
    return {"code": damage.code, "record": record, "message": damage.message}


def arrival_view(arrival: Arrival) -> View:
    """Return what a watcher reads: the record, and how it came."""
    return record_view(arrival.stored) | {
        "road": arrival.road.value,
        "peer": arrival.peer,
        "missed": arrival.missed,
        "cursor": arrival.number,
        "arrived_at_ms": arrival.came_ms,
    }


def ruling_view(ruling: Ruling) -> View:
    """Return what became of one imported record."""
    record = ruling.record
    return {
        "id": None if record is None else record_text(record.id),
        "verdict": ruling.verdict.value,
        "code": ruling.code,
        "message": ruling.message,
        "hint": ruling.hint,
    }


def peer_view(peer: PeerStatus) -> View:
    """Return one connected peer."""
    return dataclasses.asdict(peer)


def status_view(status: Status) -> View:
    """Return a node at a glance; where it listens stands at the top."""
    view = dataclasses.asdict(status)
    gossip = view.pop("gossip")
    view["proof"] = None if status.proof is None else proof_view(status.proof)
    agent = None if status.agent is None else agent_text(status.agent)
    return {
        "status": "offline" if gossip is None else "running",
        "peer": None if gossip is None else gossip.pop("peer"),
        "addresses": [] if gossip is None else gossip.pop("addresses"),
        **view,
        "agent": agent,
        "gossip": gossip,
    }


def proof_view(proof: ProvingStatus) -> View:
    """Return how an agent stands with its proof; times and record null without one."""
    own = proof.own
    view = dataclasses.asdict(proof)
    del view["own"]
    return {
        "state": own.state.value,
        "record": None if own.record is None else record_text(own.record),
        "time_ms": own.time_ms,
        "expires_ms": own.expires_ms,
        "renew_ms": own.renew_ms,
        "revoked_ms": own.revoked_ms,
        **view,
    }


def challenged_view(agent: AgentId, ended: Ended) -> View:
    """Return how a challenge that we made ended."""
    says = ended.outcome.attested.says if isinstance(ended.outcome, Passed) else None
    return {
        "agent": agent_text(agent),
        "passed": says is not None,
        "code": ended.code,
        "message": ended.message,
        "hint": CHALLENGED_HINTS.get(ended.code, ""),
        "score": None if says is None else says.score,
        "expires_ms": None if says is None else says.expires_ms,
    }


def pedigree_view(pedigree: Pedigree) -> View:
    """Return who attests for an agent, who for those, and so on."""
    branches = [
        {
            "attestation": record_text(branch.attestation),
            "attester": pedigree_view(branch.attester),
            "counts": branch.counts,
            "code": branch.code,
            "reason": branch.reason,
            "time_ms": branch.time_ms,
            "expires_ms": branch.expires_ms,
        }
        for branch in pedigree.attested_by
    ]
    return {
        "agent": agent_text(pedigree.agent),
        "state": pedigree.state,
        "depth": pedigree.depth,
        "expires_ms": pedigree.expires_ms,
        "is_cut": pedigree.is_cut,
        "attested_by": branches,
    }


_BODY_FIELDS: Final = ("title", "text", "language", "name", "about", "fork")


def _body_view(record: Record) -> View:
    """Return the texts of a body; null where it has none, or was dropped."""
    view: View = dict.fromkeys(_BODY_FIELDS)
    if record.body is None:
        return view
    match parse_body(record.header.kind, record.body):
        case Fork() as fork:
            return view | {"fork": _fork_view(fork)}
        case Post(text, title, language):
            return view | {"text": text, "title": title, "language": language}
        case Profile(name, about):
            return view | {"name": name, "about": about}
        case _:  # no texts
            return view


def _fork_view(fork: Fork) -> View:
    """Return whom a fork record is about, and where it forked."""
    place = place_of(fork)
    return {"agent": agent_text(place.agent), "seq": place.seq}


def _ref(refs: Mapping[str, RecordId], role: str) -> str | None:
    return record_text(refs[role]) if role in refs else None


def _origin_view(origin: Origin | None) -> View | None:
    return None if origin is None else dataclasses.asdict(origin)

"""One judgement for all roads in: gossip, reconciliation, import, the local API."""

from __future__ import annotations

import dataclasses
import enum
from dataclasses import dataclass
from typing import Final, Self

from moltp2p.core import keychain
from moltp2p.core.errors import PeerError
from moltp2p.core.facts import Facts
from moltp2p.core.kinds import (
    CHAIN_KINDS,
    WITNESS_KINDS,
    Body,
    can_be_deleted,
    check_claims,
    check_shape,
    parse_body,
)
from moltp2p.core.limits import MAX_AHEAD_MS, MAX_GOSSIP_AGE_MS
from moltp2p.core.record import Record, parse
from moltp2p.core.topics import NetworkParams, topic_of
from moltp2p.core.verdict import Verdict


class Road(enum.Enum):
    """How a record came."""

    GOSSIP = "gossip"
    SYNC = "sync"
    IMPORT = "import"
    LOCAL = "local"


@dataclass(frozen=True, slots=True)
class Ruling:
    """What was decided of one record, and why.

    Attributes:
        verdict: ACCEPT, IGNORE or REJECT.
        code: a registry word; `ok` with ACCEPT.
        message: the same for a person.
        hint: what its author could do about it.
        record: the record, once it could be read.
        keep: what to store: the record; when its author deleted it, or the operator
            dropped its body, its header alone; None when nothing is to be stored.
    """

    verdict: Verdict
    code: str
    message: str = ""
    hint: str = ""
    record: Record | None = None
    keep: Record | None = None


@dataclass(frozen=True, slots=True)
class Bench:
    """What a judgement needs besides the record and the facts.

    Attributes:
        network: the network whose records are welcome.
        now_ms: our clock, milliseconds since 1970 UTC.
        road: how the record came.
        topic: the topic it came on, when it came by gossip.
        horizon_ms: what names a community and is dated before is not kept (spec 11).
        keep_all: whether what is beyond its author's quota is kept all the same.
    """

    network: NetworkParams
    now_ms: int
    road: Road
    topic: str | None = None
    horizon_ms: int = 0
    keep_all: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """A record that is right in itself, its signature aside.

    Attributes:
        record: the record.
        said: what its body says; None where it has none, or one of an unknown kind.
        is_signed: whether it is signed by the key it names; None while nobody looked.
    """

    record: Record
    said: Body | None
    is_signed: bool | None = None

    def verified(self) -> Self:
        """Return the same, once somebody has looked at the signature."""
        return dataclasses.replace(self, is_signed=self.record.is_signed())


def judge(wire: bytes, bench: Bench, facts: Facts) -> Ruling:
    """Return the one ruling on `wire`. Pure: all it depends on is passed in.

    REJECT is only what every node would refuse, whatever it holds and whenever
    it looks; what depends on our clock or our store is an IGNORE (spec 03).

    After ACCEPT holds: all of `parse`; the network is ours; the topic is the
    record's; the kind carries what it must; the body, when there, is one of its
    kind, and what is signed in it holds; the signature is by the key named; the key
    reigned at that `seq`; its author is admitted; the record is not more than 600 s
    ahead, has a place on its shelf, was not held before (or without a body that it
    brings), and was not deleted.
    """
    found = read(wire, bench.network, bench.topic)
    return found if isinstance(found, Ruling) else judge_reading(found, bench, facts)


def read(wire: bytes, network: NetworkParams, topic: str | None) -> Reading | Ruling:
    """Do of `judge` what depends on no fact; return what was read, or a REJECT."""
    try:
        record = parse(wire)
        said = _check(record, network, topic)
    except PeerError as error:
        return Ruling(Verdict.REJECT, error.code, error.message, error.hint)
    return Reading(record, said)


def judge_reading(reading: Reading, bench: Bench, facts: Facts) -> Ruling:
    """Do what is left of `judge` on what was read for the same network and topic."""
    record = reading.record
    if facts.has(record.id) and not _fills(record, facts):
        return _ignore("duplicate", record, "held already")
    # By its id a record that is held is known, whatever signature came with it.
    known = reading.is_signed
    if not (record.is_signed() if known is None else known):
        message = "not signed by the key it names"
        return Ruling(Verdict.REJECT, "bad-signature", message, record=record)
    return _believed(_weigh(record, bench, facts), reading.said)


def judge_own(record: Record, bench: Bench, facts: Facts) -> Ruling:
    """Return the ruling of `judge` on a record that `seal` has just made.

    `seal` has read its own bytes back, and signed them with the key that they
    name; neither is done a second time.
    """
    try:
        said = _check(record, bench.network, bench.topic)
    except PeerError as error:
        return Ruling(Verdict.REJECT, error.code, error.message, error.hint, record)
    if facts.has(record.id):
        return _ignore("duplicate", record, "held already")
    return _believed(_weigh(record, bench, facts), said)


def _check(record: Record, network: NetworkParams, topic: str | None) -> Body | None:
    """Refuse what is wrong in itself, signatures aside; return what the body says."""
    header = record.header
    if header.network != network.id:
        raise PeerError(
            "wrong-network",
            f"a record of network {header.network!r} on {network.id!r}",
            "join the network that the record belongs to",
        )
    if topic not in (None, topic_of(network, header.community)):
        raise PeerError("wrong-topic", f"it does not belong on {topic}")
    check_shape(header)
    return None if record.body is None else parse_body(header.kind, record.body)


def _fills(record: Record, facts: Facts) -> bool:
    return record.body is not None and facts.wants_body(record.id)


def _believed(ruling: Ruling, said: Body | None) -> Ruling:
    """Return the ruling, or a REJECT if what the body claims does not hold.

    It comes last because it costs most: nothing else would have stopped the record.
    """
    if ruling.keep is None or ruling.keep.body is None or said is None:
        return ruling
    try:
        check_claims(ruling.keep.header, said)
    except PeerError as error:
        message, hint = error.message, error.hint
        return Ruling(Verdict.REJECT, error.code, message, hint, ruling.record)
    return ruling


def _weigh(record: Record, bench: Bench, facts: Facts) -> Ruling:
    """Rule on a well-formed, signed record by our clock and by what we hold."""
    header = record.header
    if untimely := _untimely(record, bench):
        return untimely
    if bench.road in (Road.GOSSIP, Road.LOCAL) and _lacks_body(record):
        return _ignore("body-missing", record, "a new record travels with its body")
    chain = facts.key_chain(header.agent)
    if code := keychain.objection(chain, record):
        return _ignore(code, record, "the agent's key chain does not let it pass")
    if code := _unwelcome(record, bench, facts):
        keep = record if code == "over-quota" and bench.keep_all else None
        message, hint = _UNWELCOME[code]
        return Ruling(Verdict.IGNORE, code, message, hint, record, keep)
    return _unwanted_body(record, facts) or Ruling(
        Verdict.ACCEPT, "ok", record=record, keep=record
    )


def _unwanted_body(record: Record, facts: Facts) -> Ruling | None:
    """Rule on a record whose header alone is to be kept, or return None."""
    header = record.header
    # What cannot be deleted stays. Otherwise a thief could delete the rotation away
    # from the stolen key.
    if can_be_deleted(header) and facts.is_deleted(record.id, header.agent):
        code, why = "deleted", "its author deleted it"
    elif record.body is not None and facts.is_dropped(record.id):
        code, why = "dropped", "the operator of this node does not carry its body"
    else:
        return None
    bare = record.without_body()
    return Ruling(Verdict.IGNORE, code, why, record=record, keep=bare)


def _untimely(record: Record, bench: Bench) -> Ruling | None:
    """Rule on a record whose time is wrong for our clock, or return None."""
    header = record.header
    ahead_ms = header.time_ms - bench.now_ms
    if ahead_ms > MAX_AHEAD_MS:
        return _ignore(
            "from-the-future",
            record,
            f"dated {ahead_ms // 1000} s ahead of our clock",
            "set the clock of the machine that signed it",
        )
    # The key chain is what others judge by, and its owner tells it again.
    is_stale = -ahead_ms > MAX_GOSSIP_AGE_MS and header.kind not in CHAIN_KINDS
    if bench.road is Road.GOSSIP and is_stale:
        return _ignore("too-old", record, "old records come by reconciliation")
    return None


def _unwelcome(record: Record, bench: Bench, facts: Facts) -> str | None:
    """Tell why there is no room for a record, or None; what is held has its place."""
    header = record.header
    if bench.network.admission and (code := _unadmitted(record, facts)):
        return code
    if header.community is not None and header.time_ms < bench.horizon_ms:
        return "below-horizon"
    if facts.has(record.id) or not facts.is_over_quota(record):
        return None
    return "over-quota"


def _unadmitted(record: Record, facts: Facts) -> str | None:
    """Tell why a record's author may not say it, or None (spec 07)."""
    header = record.header
    until_ms = facts.admitted_until_ms(header.agent)
    if header.kind in WITNESS_KINDS:
        is_welcome = until_ms is not None or facts.has_room(record)
        return None if is_welcome else "unverified"
    if until_ms is None:
        return "unverified"
    return "proof-expired" if header.time_ms >= until_ms else None


_UNWELCOME: Final = {
    "unverified": (
        "no proof is known that its author is an agent",
        "its author proves it with: moltp2p prove",
    ),
    "proof-expired": (
        "the proofs that are known of its author had expired when it was written",
        "its author renews its proof with: moltp2p prove",
    ),
    "below-horizon": (
        "older than what this node keeps",
        "set the clock of the machine that signed it, or ask a node that keeps more",
    ),
    "over-quota": (
        "newer records of its author take all the room that there is for one",
        "a node that keeps all may have it",
    ),
}


def _lacks_body(record: Record) -> bool:
    return record.body is None and record.header.body_hash is not None


def _ignore(code: str, record: Record, message: str, hint: str = "") -> Ruling:
    return Ruling(Verdict.IGNORE, code, message, hint, record)

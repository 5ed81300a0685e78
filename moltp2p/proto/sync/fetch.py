"""The messages of `/moltp2p/fetch/1.0.0`, and who may send which (spec 06, section 4).

    client                              server
    ask ───────────────────────────────▶
        ◀─────────────────────── part, part, … part     records
        ◀──────────────────────────────────────── end   what it lacks, or what is left
    the next ask, when the client is ready, or the end of the stream

An answer is bounded in bytes and in records whatever was asked, and says what it
left out; so a client that was cut off, or cut short, asks again for the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, assert_never

from moltp2p.core.codec import MAX_INT, Value, decode, encode
from moltp2p.core.errors import PeerError
from moltp2p.core.ids import AgentId, RecordId
from moltp2p.core.kinds import CHAIN_KINDS
from moltp2p.core.limits import MAX_RECORD_BYTES
from moltp2p.core.record import Record

PROTOCOL: Final = "/moltp2p/fetch/1.0.0"  # SPEC 06: "`/moltp2p/fetch/1.0.0`"

MAX_ASK_BYTES: Final = 65_536  # SPEC 06: "| an ask | 65,536 bytes |"
MAX_ASKED: Final = 1_024  # SPEC 06: "| ids in one ask | 1,024 |"
MAX_PART_BYTES: Final = 262_144  # SPEC 06: "| a frame of an answer | 262,144 bytes |"
MAX_ANSWER_RECORDS: Final = 1_024  # SPEC 06: "| records in one answer | 1,024 |"
MAX_ANSWER_BYTES: Final = 4_194_304
# SPEC 06: "| records in one answer | 4,194,304 bytes, and one record more |"

PART_BYTES: Final = 128 * 1024
"""Records put into one part, and at most one record more: two writes of a stream."""

REFUSALS: Final = frozenset({"too-busy"})
"""The codes of refusals that we know; any other is `refused`."""

ID_BYTES: Final = 32
MAX_CODE_CHARS: Final = 64


@dataclass(frozen=True, slots=True)
class AskRecords:
    """Wants these records, whole or bare, as they are held.

    Attributes:
        ids: 1 to `MAX_ASKED`, each once.
        bodies: whether a record without its body is of no use.
    """

    ids: tuple[RecordId, ...]
    bodies: bool = False


@dataclass(frozen=True, slots=True)
class AskSequence:
    """Wants what an agent wrote in a part of its sequence, all branches of a fork.

    Attributes:
        agent: whose.
        first: the lowest `seq`.
        last: the highest `seq`, not below `first`.
    """

    agent: AgentId
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class AskChain:
    """Wants an agent's inception and rotations, oldest first."""

    agent: AgentId


Ask = AskRecords | AskSequence | AskChain


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the records of an answer: wire bytes, not yet looked at."""

    wires: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class End:
    """The last frame of an answer.

    Attributes:
        absent: of the ids asked for, those that the server does not hold (or not
            with their bodies). An id that is neither sent nor absent was left out.
        next_seq: where to ask on in a sequence; None when nothing was left out.
    """

    absent: tuple[RecordId, ...] = ()
    next_seq: int | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Instead of an answer: the server will not, now, and a code says why."""

    code: str


Answer = Part | End | Refusal


def encode_ask(ask: Ask) -> bytes:
    """Return the bytes of an ask."""
    match ask:
        case AskRecords(ids, bodies):
            return encode({"bodies" if bodies else "ids": b"".join(ids)})
        case AskSequence(agent, first, last):
            return encode({"agent": agent, "first": first, "last": last})
        case AskChain(agent):
            return encode({"chain": agent})
        case _:
            assert_never(ask)


def decode_ask(data: bytes) -> Ask:
    """Return the ask that `data` spells; unknown fields are passed over.

    Raises:
        PeerError: `malformed`, `not-canonical` or `bad-fetch`.
    """
    fields = _fields(data)
    kinds = [name for name in ("ids", "bodies", "agent", "chain") if name in fields]
    match kinds:
        case ["ids" | "bodies" as name]:
            return AskRecords(_asked(fields[name]), name == "bodies")
        case ["agent"]:
            first, last = _seq(fields.get("first")), _seq(fields.get("last"))
            if last < first:
                raise _bad("a sequence that ends before it begins")
            return AskSequence(_agent(fields["agent"]), first, last)
        case ["chain"]:
            return AskChain(_agent(fields["chain"]))
        case _:
            raise _bad("an ask for not exactly one thing")


def encode_answer(answer: Answer) -> bytes:
    """Return the bytes of one frame of an answer."""
    match answer:
        case Part(wires):
            return encode({"records": list(wires)})
        case End(absent, None):
            return encode({"absent": b"".join(absent)})
        case End(_, next_seq):
            return encode({"next": next_seq})
        case Refusal(code):
            return encode({"code": code})
        case _:
            assert_never(answer)


def decode_answer(data: bytes) -> Answer:
    """Return the frame of an answer that `data` spells; unknown fields pass.

    Raises:
        PeerError: `malformed`, `not-canonical` or `bad-fetch`.
    """
    fields = _fields(data)
    if "code" in fields:
        return Refusal(_code(fields["code"]))
    if "records" in fields:
        return Part(_wires(fields["records"]))
    if "next" in fields:
        return End(next_seq=_seq(fields["next"]))
    absent = fields.get("absent")
    if absent is None:
        raise _bad("neither records nor an end")
    return End(_ids(absent, least=0))


def parts(wires: Iterable[bytes]) -> Iterator[Part]:
    """Put records into as few parts as hold them; read no further than a part."""
    gathered: list[bytes] = []
    size = 0
    for wire in wires:
        gathered.append(wire)
        size += len(wire)
        if size >= PART_BYTES:
            yield Part(tuple(gathered))
            gathered, size = [], 0
    if gathered:
        yield Part(tuple(gathered))


class Collector:
    """The client's side of one ask: takes the frames of its answer.

    Args:
        ask: what was asked.

    Attributes:
        ended: the end of the answer, once it came; None until then.
        records: how many records came.
        bytes: how many bytes of them.
    """

    def __init__(self, ask: Ask) -> None:
        self.ended: End | None = None
        self.records = 0
        self.bytes = 0
        self._ask = ask

    def receive(self, frame: bytes) -> tuple[bytes, ...]:
        """Take the next frame; return the records in it, not yet looked at.

        Raises:
            PeerError: `malformed`, `not-canonical`, `bad-fetch` for what is no
                answer to this ask; `too-busy`, `refused` when there is none.
        """
        if self.ended is not None:
            raise _bad("a frame after the end of the answer")
        match answer := decode_answer(frame):
            case Part(wires):
                self._count(wires)
                return wires
            case End():
                self._check_end(answer)
                self.ended = answer
                return ()
            case Refusal(code):
                # A stranger's word must not become one of ours.
                known = code if code in REFUSALS else "refused"
                raise PeerError(known, "the peer will not answer now")
            case _:
                assert_never(answer)

    def _count(self, wires: Sequence[bytes]) -> None:
        full = self.bytes >= MAX_ANSWER_BYTES
        self.records += len(wires)
        self.bytes += sum(map(len, wires))
        most = MAX_ANSWER_RECORDS
        if isinstance(self._ask, AskRecords):
            most = len(self._ask.ids)
        if full or self.records > most:
            raise _bad("an answer of more than was asked for, or is allowed")

    def _check_end(self, end: End) -> None:
        match self._ask:
            case AskRecords(ids):
                fits = end.next_seq is None and set(end.absent) <= set(ids)
                fits = fits and bool(self.records or end.absent)
            case AskSequence(_, first, last):
                fits = not end.absent
                fits = fits and (end.next_seq is None or first < end.next_seq <= last)
            case AskChain():
                fits = not end.absent and end.next_seq is None
            case _:
                assert_never(self._ask)
        if not fits:
            raise _bad("the end of an answer to another ask")


def fits(ask: Ask, record: Record) -> bool:
    """Tell whether a record is one of those that were asked for."""
    header = record.header
    match ask:
        case AskRecords(ids):
            return record.id in ids
        case AskSequence(agent, first, last):
            return header.agent == agent and first <= header.seq <= last
        case AskChain(agent):
            return header.agent == agent and header.kind in CHAIN_KINDS
        case _:
            assert_never(ask)


def _bad(why: str) -> PeerError:
    return PeerError("bad-fetch", why)


def _fields(data: bytes) -> dict[str, Value]:
    value = decode(data)
    if not isinstance(value, dict):
        raise _bad("not a map")
    return value


def _asked(value: Value) -> tuple[RecordId, ...]:
    ids = _ids(value, least=1)
    if len(set(ids)) < len(ids):
        raise _bad("an id that is asked for twice")
    return ids


def _ids(value: Value, *, least: int) -> tuple[RecordId, ...]:
    if not isinstance(value, bytes) or len(value) % ID_BYTES:
        raise _bad("not ids of 32 bytes each")
    count = len(value) // ID_BYTES
    if not least <= count <= MAX_ASKED:
        raise _bad(f"not {least} to {MAX_ASKED} ids")
    starts = range(0, len(value), ID_BYTES)
    return tuple(RecordId(value[start : start + ID_BYTES]) for start in starts)


def _agent(value: Value) -> AgentId:
    if not isinstance(value, bytes) or len(value) != ID_BYTES:
        raise _bad("not an agent")
    return AgentId(value)


def _seq(value: Value) -> int:
    if type(value) is not int or not 0 <= value <= MAX_INT:
        raise _bad("not a place in a sequence")
    return value


def _wires(value: Value) -> tuple[bytes, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_ANSWER_RECORDS:
        raise _bad(f"not a list of 1 to {MAX_ANSWER_RECORDS} records")
    return tuple(_wire(wire) for wire in value)


def _wire(value: Value) -> bytes:
    if not isinstance(value, bytes) or not 0 < len(value) <= MAX_RECORD_BYTES:
        raise _bad("not a record's bytes")
    return value


def _code(value: Value) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_CODE_CHARS:
        raise _bad("not a code")
    return value

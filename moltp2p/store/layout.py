"""The layout of a store on disk: ordered keys, each beginning with its table's letter.

    key                                  value                        is
    M "schema"                           version:8                    what wrote this
    M "network"                          text                         whose records
    M "shards"                           shards:8                     by what S is split
    M "building"                         letters 00 done:8 of:8 key   tables unfinished
    M "behind"                           nothing                      `Store.is_behind`
    M "bytes"                            bytes:8                      of values in R
    M "horizon"                          budget:8 age:8 time:8 record what was removed
    M "count"                            records:8                    how many in R
    R record:32                          checksum:4 received:8 wire   a record
    T time:8 record:32                   mark                         in order of time
    A agent:32 seq:8 record:32           mark                         by one agent
    C community 00 time:8 record:32      mark                         in a community
    P parent:32 time:8 record:32         mark                         replies to one
    D target:32 agent:32                 seq:8 delete:32              a tombstone
    K agent:32                           checksum:4 chain             a key chain
    L agent:32 seq:8 record:32           nothing                      lost to damage
    Q agent:32 shelf:2 seq:8 record:32   units:2 time:8               on a shelf
    O agent:32 shelf:2 seq:8 record:32   units:2 time:8               beyond its limit
    U agent:32 shelf:2                   units:4                      all in Q together
    B target:32 agent:32 seq:8 by:32     nothing                      a deletion
    E record:32                          dropped:8                    a body unwanted
    F agent:32 seq:8 record:32           nothing                      a fork's proof
    W number:8                           record:32 came:8 road:1 peer an arrival
    H state:1 from:8                     until:8 ended:1              when it ran
    N peer                               first:8 last:8               a peer seen
    S topic:2 length:1 digits            records:8 total:32           a node of its tree
    S topic:2 FF time:8 record:32        nothing                      in a topic's set

    mark = state:1 kind:8     what pages filter by, without reading the record; the
                              state is 0, or 1 if deleted, or 2 if dropped

Numbers are unsigned and big-endian, so that the order of bytes is their order;
times are milliseconds since 1970 UTC. `wire` is what travels (spec 03), its body
null once dropped; `chain` is `KeyChain.to_value()` in CBOR. A fork's branches stand
side by side in A. A tombstone names the deletion with the lowest seq, then id: of
several, the last that a rotation could undo, and the same one whichever came first; B
has them all. What stands on a shelf in Q, and the key chains, are in the set S too. E
has bodies that the operator dropped, of records that may not have come yet. Up to
the time in M "horizon", what names a community was removed, by the settings before it.
The keys of Q, O, U, B, E and F are made in `shelf_layout`; those of W, H and N, which
a listener alone writes, in `arrivals`.
A topic is 0 for the agents' one, n + 1 for shard n; of nodes, see `set_tree`. A total
is little-endian, as Negentropy adds ids up.

LevelDB's checksums end where it hands bytes over, and a block that it rewrites while
compacting gets a new one; ours goes with the record from `add` to `get`. CRC-32
finds every burst of up to 32 bits and misses one in 2^32 others, at 0.2 us a record.
It covers the key (id or agent) and all of the value: of a record also the clock and
the signature, while header and body have SHA-256 besides.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Final

from moltp2p.core import codec
from moltp2p.core.errors import LocalError, PeerError
from moltp2p.core.ids import AgentId, RecordId, agent_text, record_text
from moltp2p.core.keychain import KeyChain
from moltp2p.core.record import Header, Record, parse
from moltp2p.proto.sync.reconcile import SetSum

SCHEMA: Final = 2

META: Final = b"M"
RECORD: Final = b"R"
BY_TIME: Final = b"T"
BY_AGENT: Final = b"A"
BY_COMMUNITY: Final = b"C"
BY_PARENT: Final = b"P"
TOMBSTONE: Final = b"D"
KEY_CHAIN: Final = b"K"
LOST: Final = b"L"
SET: Final = b"S"
ON_SHELF: Final = b"Q"
BEYOND: Final = b"O"
UNITS: Final = b"U"
DELETION: Final = b"B"
DROPPED: Final = b"E"
FORK: Final = b"F"
ARRIVAL: Final = b"W"
SPAN: Final = b"H"
PEER: Final = b"N"

SCHEMA_KEY: Final = META + b"schema"
NETWORK_KEY: Final = META + b"network"
COUNT_KEY: Final = META + b"count"
SHARDS_KEY: Final = META + b"shards"
BUILDING_KEY: Final = META + b"building"
BYTES_KEY: Final = META + b"bytes"
HORIZON_KEY: Final = META + b"horizon"
BEHIND_KEY: Final = META + b"behind"

KEPT: Final = (LOST, ARRIVAL, SPAN, PEER)
"""Tables that do not follow from the records: a copy of a store takes them along,
behind the records. `DROPPED` goes before them."""

ID_BYTES: Final = 32
PLACE_BYTES: Final = 8 + ID_BYTES
"""How an index key ends, after its table's prefix: a time or a seq, and an id."""

DAMAGE: Final = frozenset({"damaged-record", "store-damaged"})
"""The codes of what is not as it was written; another failure may pass."""

_MEMBERS: Final = b"\xff"
"""Where a node's key has the number of its digits, at most 81."""
_TOPIC_END: Final = len(SET) + 2
_SUM_BYTES: Final = 8 + 32

_CHECKSUM_BYTES: Final = 4
_RECEIVED_END: Final = _CHECKSUM_BYTES + 8


def number(value: int) -> bytes:
    """Return a number as eight big-endian bytes."""
    return value.to_bytes(8, "big")


def record_key(record: RecordId) -> bytes:
    """Return where a record stands."""
    return RECORD + record


def agent_prefix(agent: AgentId) -> bytes:
    """Return how the keys of one agent's records begin."""
    return BY_AGENT + agent


def place_prefix(header: Header) -> bytes:
    """Return how the keys of all records begin that are at one place in a sequence."""
    return BY_AGENT + header.agent + number(header.seq)


def agent_key(record: RecordId, header: Header) -> bytes:
    """Return where a record stands among its agent's."""
    return place_prefix(header) + record


def lost_prefix(agent: AgentId) -> bytes:
    """Return how the keys of one agent's lost records begin."""
    return LOST + agent


def lost_key(agent: AgentId, seq: int, record: RecordId) -> bytes:
    """Return where it stands that a record was held and is lost to damage."""
    return lost_prefix(agent) + number(seq) + record


def community_prefix(community: str) -> bytes:
    """Return how the keys of one community's records begin.

    No community's name has a zero byte, so none begins as another does.
    """
    return BY_COMMUNITY + community.encode() + b"\0"


def parent_prefix(parent: RecordId) -> bytes:
    """Return how the keys of the replies to one record begin."""
    return BY_PARENT + parent


def tombstone_key(target: RecordId, agent: AgentId) -> bytes:
    """Return where it stands that `agent` deleted `target`."""
    return TOMBSTONE + target + agent


def key_chain_key(agent: AgentId) -> bytes:
    """Return where an agent's key chain stands."""
    return KEY_CHAIN + agent


def index_keys(record: RecordId, header: Header) -> list[bytes]:
    """Return the key of every index entry that a record has."""
    timed = number(header.time_ms) + record
    keys = [
        BY_TIME + timed,
        agent_key(record, header),
    ]
    if header.community is not None:
        keys.append(community_prefix(header.community) + timed)
    if "parent" in header.refs:
        keys.append(parent_prefix(header.refs["parent"]) + timed)
    return keys


def members_prefix(topic: int) -> bytes:
    """Return how the keys of a set's members begin, before their places."""
    return SET + topic.to_bytes(2, "big") + _MEMBERS


def member_key(topic: int, record: RecordId, time_ms: int) -> bytes:
    """Return where it stands that a record is in its topic's set."""
    return members_prefix(topic) + number(time_ms) + record


def member_of(key: bytes) -> tuple[int, bytes]:
    """Return the topic and the place, a time and an id, that a member's key names."""
    topic = int.from_bytes(key[len(SET) : _TOPIC_END], "big")
    return topic, key[_TOPIC_END + len(_MEMBERS) :]


def placed_record(place: bytes) -> RecordId:
    """Return the record that stands at a place."""
    return RecordId(place[8:])


def level_prefix(topic: int, length: int) -> bytes:
    """Return how the keys of a set's nodes of so many digits begin."""
    return SET + topic.to_bytes(2, "big") + bytes((length,))


def node_of(key: bytes) -> tuple[int, str | None]:
    """Return the topic and the digits that a key of a set names; None for a member.

    Raises:
        LocalError: `store-damaged`, when it is neither a node's nor a member's.
    """
    topic, rest = int.from_bytes(key[len(SET) : _TOPIC_END], "big"), key[_TOPIC_END:]
    digits = rest[1:]
    if rest[:1] == _MEMBERS and len(digits) == PLACE_BYTES:
        return topic, None
    if rest[:1] != bytes((len(digits),)) or digits.strip(b"0123456789abcdef"):
        raise store_damaged(f"a key of no set: {key[:80].hex()}")
    return topic, digits.decode()


def sum_key(topic: int, digits: str) -> bytes:
    """Return where the sum of a set's node stands."""
    return level_prefix(topic, len(digits)) + digits.encode()


def indexed_record(key: bytes) -> RecordId:
    """Return the record that an index entry stands for."""
    return RecordId(key[-ID_BYTES:])


def indexed_seq(key: bytes) -> int:
    """Return the `seq` of an entry among one agent's records."""
    return int.from_bytes(key[-PLACE_BYTES:-ID_BYTES], "big")


def pack_record(record: Record, received_at_ms: int) -> bytes:
    """Return the value that `unpack_record` reads."""
    rest = number(received_at_ms) + record.wire()
    return _checksum(record.id, rest) + rest


def unpack_record(record: RecordId, value: bytes) -> tuple[Record, int]:
    """Return a record and when it came, as they were written.

    Raises:
        LocalError: `damaged-record`.
    """
    if not is_sound(record, value):
        raise damaged(record, "its checksum does not hold")
    try:
        parsed = parse(value[_RECEIVED_END:])
    except PeerError as error:
        raise damaged(record, error.message) from None
    if parsed.id != record:
        raise damaged(record, "it is another record")
    received_at_ms = int.from_bytes(value[_CHECKSUM_BYTES:_RECEIVED_END], "big")
    return parsed, received_at_ms


def wire_of(record: RecordId, value: bytes) -> bytes | None:
    """Return the wire bytes in a record's value, or None when it is damaged."""
    return value[_RECEIVED_END:] if is_sound(record, value) else None


def is_sound(record: RecordId, value: bytes) -> bool:
    """Tell whether a record's checksum holds; much cheaper than unpacking it."""
    return value[:_CHECKSUM_BYTES] == _checksum(record, value[_CHECKSUM_BYTES:])


def _checksum(name: bytes, rest: bytes) -> bytes:
    return zlib.crc32(rest, zlib.crc32(name)).to_bytes(_CHECKSUM_BYTES, "big")


def damaged(record: RecordId, why: str) -> LocalError:
    """Return the error for a record that is not what was written."""
    return LocalError(
        "damaged-record",
        f"{record_text(record)} is damaged: {why}",
        "it is asked for again from peers, and can be imported from an export; if "
        "there are more (moltp2p verify-store), suspect the disk",
    )


def store_damaged(what: str) -> LocalError:
    """Return the error for what is damaged and is not a record."""
    return LocalError(
        "store-damaged",
        f"the store is damaged: {what}",
        "moltp2p verify-store says what else; with --repair it makes the store whole "
        "again, and peers send what was lost. Nothing was removed",
    )


@dataclass(frozen=True, slots=True)
class Mark:
    """What an index entry says of its record.

    Attributes:
        kind: the record's kind.
        deleted: whether its author deleted it.
        dropped: whether the operator dropped its body, and the author did not.
    """

    kind: int
    deleted: bool
    dropped: bool = False

    def pack(self) -> bytes:
        """Return the value that `unpack` reads."""
        return bytes((self.deleted or 2 * self.dropped,)) + number(self.kind)

    @classmethod
    def unpack(cls, value: bytes) -> Mark | None:
        """Return the mark, or None when the value is none."""
        if len(value) != 9 or value[0] > 2:
            return None
        return cls(int.from_bytes(value[1:], "big"), value[0] == 1, value[0] == 2)


def pack_sum(node: SetSum) -> bytes:
    """Return the value that `unpack_sum` reads."""
    return number(node.count) + node.total.to_bytes(32, "little")


def unpack_sum(value: bytes) -> SetSum:
    """Return the sum of a node.

    Raises:
        LocalError: `store-damaged`.
    """
    if len(value) != _SUM_BYTES:
        raise store_damaged("a node of a set is no sum")
    return SetSum(int.from_bytes(value[:8], "big"), int.from_bytes(value[8:], "little"))


def pack_tombstone(deletion: Record) -> bytes:
    """Return a tombstone's value; the smaller of two is the one to keep."""
    return number(deletion.header.seq) + deletion.id


def pack_key_chain(agent: AgentId, chain: KeyChain) -> bytes:
    """Return the value that `unpack_key_chain` reads."""
    rest = codec.encode(chain.to_value())
    return _checksum(agent, rest) + rest


def unpack_key_chain(agent: AgentId, value: bytes) -> KeyChain:
    """Return an agent's key chain as it was written.

    Raises:
        LocalError: `store-damaged`.
    """
    rest = value[_CHECKSUM_BYTES:]
    if value[:_CHECKSUM_BYTES] != _checksum(agent, rest):
        raise store_damaged(f"the key chain of {agent_text(agent)}")
    return KeyChain.from_value(codec.decode(rest))

"""What one `add` changes on disk: computed here, applied by the engine at once.

    every record    stands in R, its indexes and its topic's set, and counts
    deletion        + its tombstone; the target loses its body, its marks change
    inception       + the chain's first link
    rotation        + the chain's next link; what the key before it signed at its
                      seq or later goes, and takes its tombstones along

Members of a batch come in any order. Inceptions and rotations are therefore done
first, by seq; what follows is held to the chain they left. Between a deletion and
its target the order does not matter: whichever comes second finds the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from moltp2p.core import keychain
from moltp2p.core.errors import LocalError
from moltp2p.core.ids import AgentId, RecordId
from moltp2p.core.keychain import KeyChain
from moltp2p.core.kinds import CHAIN_KINDS, Kind, can_be_deleted
from moltp2p.core.record import Record
from moltp2p.core.topics import NetworkParams, topic_number
from moltp2p.store import layout
from moltp2p.store.engine import Change, Delete, Hole, Put, Reader
from moltp2p.store.layout import Mark
from moltp2p.store.set_tree import Sums, new_sums, set_changes


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an `add` comes to.

    Attributes:
        changes: for the engine; empty when nothing was new.
        is_new: for each record, whether it was new and is now held.
        chains: the key chains that changed.
        sums: the nodes of sets that changed.
    """

    changes: list[Change]
    is_new: list[bool]
    chains: dict[AgentId, KeyChain]
    sums: Sums


def changes(
    records: Sequence[Record],
    received_at_ms: Sequence[int],
    held: Reader,
    network: NetworkParams,
    known: Sums,
) -> Outcome:
    """Return what keeping `records` changes.

    Args:
        records: judged already.
        received_at_ms: our clock when each came.
        held: what is on disk.
        network: whose topics the records are on.
        known: nodes of sets as they are on disk, so that they need not be read.

    Raises:
        LocalError: `store-damaged`, `store-failed`.
    """
    batch = _Batch(held, network)
    is_new = [False] * len(records)
    for place in sorted(range(len(records)), key=lambda place: _turn(records[place])):
        is_new[place] = batch.add(records[place], received_at_ms[place])
    sums = new_sums(batch.members, held, known)
    every_change = batch.changes() + set_changes(batch.members, sums)
    return Outcome(every_change, is_new, batch.chains, sums)


def _turn(record: Record) -> int:
    """Return when a record's turn is; equal ones keep their order."""
    header = record.header
    return header.seq if header.kind in CHAIN_KINDS else 2**64


class _Batch:
    """The state on disk, and on top of it what this batch has changed so far."""

    def __init__(self, held: Reader, network: NetworkParams) -> None:
        self.chains: dict[AgentId, KeyChain] = {}
        self._held = held
        self._network = network
        self._pending: dict[bytes, bytes | None] = {}
        self._known_chains: dict[AgentId, KeyChain | None] = {}
        self.members: dict[bytes, bool] = {}

    def add(self, record: Record, received_at_ms: int) -> bool:
        """Keep one record, and do what its kind asks; tell whether it is new."""
        header = record.header
        found = self._find(record.id)
        if found is not None:
            self._fill(found, record)
            return False
        chain = self._chain(header.agent)
        if header.kind in CHAIN_KINDS:
            if not self._link(chain, record):
                return False
        elif chain is not None and keychain.is_superseded(chain, header):
            return False
        self._keep(record, received_at_ms)
        if header.kind == Kind.DELETE:
            self._bury(record)
        return True

    def changes(self) -> list[Change]:
        """Return what was changed, the count of records with it, sets aside."""
        more = sum(1 if comes else -1 for comes in self.members.values())
        if more:
            count = int.from_bytes(self._get(layout.COUNT_KEY) or b"", "big")
            self._pending[layout.COUNT_KEY] = layout.number(count + more)
        return [
            Delete(key) if value is None else Put(key, value)
            for key, value in self._pending.items()
        ]

    def _get(self, key: bytes) -> bytes | None:
        return self._pending[key] if key in self._pending else self._held.get(key)

    def _find(self, record: RecordId) -> tuple[Record, int] | None:
        """Return a record that is held whole and when it came, or None.

        A damaged one is not held: it is written again when it comes.
        """
        try:
            value = self._get(layout.record_key(record))
            return None if value is None else layout.unpack_record(record, value)
        except LocalError as error:
            if error.code not in layout.DAMAGE:
                raise
            return None

    def _fill(self, found: tuple[Record, int], record: Record) -> None:
        """Give a record the body it lacks, unless its author deleted it."""
        bare, received_at_ms = found
        lacks_body = bare.body is None and record.body is not None
        if lacks_body and not self._is_deleted(bare):
            value = layout.pack_record(record, received_at_ms)
            self._pending[layout.record_key(record.id)] = value

    def _keep(self, record: Record, received_at_ms: int) -> None:
        self._count(record, comes=True)
        self._write(record, received_at_ms)
        lost = layout.lost_key(record.header.agent, record.header.seq, record.id)
        if self._get(lost) is not None:
            self._pending[lost] = None

    def _count(self, record: Record, *, comes: bool) -> None:
        """Put a record in its topic's set, or take it out, unless that is done.

        A damaged record that comes again is in its set already.
        """
        topic = topic_number(self._network, record.header.community)
        key = layout.member_key(topic, record.id, record.header)
        was_held = self._held.get(key) is not None
        if comes != was_held:
            self.members[key] = comes
        else:
            self.members.pop(key, None)

    def _write(self, record: Record, received_at_ms: int) -> None:
        """Write a record and its index entries as its tombstone wants them."""
        deleted = self._is_deleted(record)
        kept = record.without_body() if deleted else record
        value = layout.pack_record(kept, received_at_ms)
        self._pending[layout.record_key(record.id)] = value
        mark = Mark(record.header.kind, deleted).pack()
        for key in layout.index_keys(record.id, record.header):
            self._pending[key] = mark

    def _remove(self, record: Record) -> None:
        """Remove a record, and what a deletion had done."""
        self._count(record, comes=False)
        self._pending[layout.record_key(record.id)] = None
        for key in layout.index_keys(record.id, record.header):
            self._pending[key] = None
        if record.header.kind == Kind.DELETE:
            self._unbury(record)

    def _is_deleted(self, record: Record) -> bool:
        """Tell whether its author deleted a record, and could."""
        header = record.header
        if not can_be_deleted(header):
            return False
        return self._get(layout.tombstone_key(record.id, header.agent)) is not None

    def _bury(self, deletion: Record) -> None:
        header = deletion.header
        key = layout.tombstone_key(header.refs["target"], header.agent)
        mine, other = layout.pack_tombstone(deletion), self._get(key)
        if other is None or mine < other:
            self._pending[key] = mine
        target = self._find(header.refs["target"])
        if other is None and target and target[0].header.agent == header.agent:
            self._write(*target)

    def _unbury(self, deletion: Record) -> None:
        """Take a deletion back: by a thief, as the rotation now shows.

        The target's body is gone. Removing the bare header lets it come again
        whole; while it is held, no peer offers it. That the tombstone was this
        deletion's means that no other stands: theirs came later in the sequence,
        and are superseded as well.
        """
        header = deletion.header
        key = layout.tombstone_key(header.refs["target"], header.agent)
        if self._get(key) != layout.pack_tombstone(deletion):
            return
        self._pending[key] = None
        found = self._find(header.refs["target"])
        if found is None:
            return
        target, _ = found
        is_its_own = target.header.agent == header.agent
        if is_its_own and can_be_deleted(target.header) and target.body is None:
            self._remove(target)

    def _chain(self, agent: AgentId) -> KeyChain | None:
        if agent not in self._known_chains:
            value = self._held.get(layout.key_chain_key(agent))
            chain = None if value is None else layout.unpack_key_chain(agent, value)
            self._known_chains[agent] = chain
        return self._known_chains[agent]

    def _link(self, chain: KeyChain | None, record: Record) -> bool:
        """Lengthen the agent's key chain by a record; tell whether it may be kept."""
        if chain and any(link.record == record.id for link in chain.links):
            return True  # it was damaged, and is written again
        passes = keychain.objection(chain, record) is None
        longer = keychain.advance(chain, record) if passes else None
        if longer is None:
            return False
        agent = record.header.agent
        self._known_chains[agent] = self.chains[agent] = longer
        value = layout.pack_key_chain(agent, longer)
        self._pending[layout.key_chain_key(agent)] = value
        if record.header.kind == Kind.ROTATE:
            self._sweep(longer, record)
        return True

    def _sweep(self, chain: KeyChain, rotation: Record) -> None:
        """Remove what is on disk and a rotation has overtaken.

        The rest of this batch is held to the chain when its turn comes.
        """
        prefix = layout.agent_prefix(rotation.header.agent)
        after = prefix + layout.number(rotation.header.seq)
        for entry in self._held.scan(prefix, after):
            if isinstance(entry, Hole):
                raise layout.store_damaged(entry.message)
            found = self._find(layout.indexed_record(entry[0]))
            if found and keychain.is_superseded(chain, found[0].header):
                self._remove(found[0])
        # What was lost there may be a thief's; if it is not, peers have it.
        lost = layout.lost_prefix(rotation.header.agent)
        for entry in self._held.scan(lost, lost + layout.number(rotation.header.seq)):
            if not isinstance(entry, Hole):
                self._pending[entry[0]] = None

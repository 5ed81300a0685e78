"""What one `add` changes on disk: computed here, applied by the engine at once.

    every record    stands in R, its indexes, on its shelf and in its topic's set
    deletion        + its tombstone; the target loses its body, its marks change
    inception       + the chain's first link
    rotation        + the chain's next link; what the key before it signed at its
                      seq or later goes, and takes its tombstones along
    fork            + where it is, as long as its body is held

Members of a batch come in any order. Inceptions and rotations are therefore done
first, by seq; what follows is held to the chain they left. Between a deletion and
its target the order does not matter: whichever comes second finds the other. Shelves
are settled last, when all is on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from moltp2p.core import keychain
from moltp2p.core.ids import AgentId, RecordId
from moltp2p.core.keychain import KeyChain
from moltp2p.core.kinds import CHAIN_KINDS, Kind, can_be_deleted
from moltp2p.core.record import Record
from moltp2p.core.topics import NetworkParams
from moltp2p.store import layout, shelf_layout
from moltp2p.store.base import Policy
from moltp2p.store.chain_cache import ChainCache
from moltp2p.store.engine import Change, Delete, Hole, Reader
from moltp2p.store.graves import Graves
from moltp2p.store.layout import Mark
from moltp2p.store.pending import Pending
from moltp2p.store.places import Places
from moltp2p.store.set_tree import Sums, new_sums, set_changes
from moltp2p.store.shelves import Settlement, Shelves

EVICTED_RECORDS: Final = 2_048
"""Records beyond their quota that one batch removes, about 100 ms; more stay in table
O, where nobody reconciles them, until the batches after."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an `add` comes to.

    Attributes:
        changes: for the engine; empty when nothing was new.
        is_new: for each record, whether it was new and is now held.
        is_taken: for each record, whether it is new and found another at its place in
            its agent's sequence.
        chains: the key chains that changed.
        sums: the nodes of sets that changed.
    """

    changes: list[Change]
    is_new: list[bool]
    is_taken: list[bool]
    chains: dict[AgentId, KeyChain]
    sums: Sums


def changes(
    records: Sequence[Record],
    received_at_ms: Sequence[int],
    batch: Batch,
    known: Sums,
) -> Outcome:
    """Return what keeping `records` changes.

    Args:
        records: judged already.
        received_at_ms: our clock when each came.
        batch: has no change yet.
        known: nodes of sets as they are on disk, so that they need not be read.

    Raises:
        LocalError: `store-damaged`, `store-failed`.
    """
    batch.places.look_ahead(records)
    is_new = [False] * len(records)
    for place in sorted(range(len(records)), key=lambda place: _turn(records[place])):
        is_new[place] = batch.add(records[place], received_at_ms[place])
    made, sums = batch.changes(known)
    for place, record in enumerate(records):
        is_new[place] &= batch.holds(record.id)
    is_taken = [
        new and record.id in batch.places.late
        for record, new in zip(records, is_new, strict=True)
    ]
    return Outcome(made, is_new, is_taken, batch.chains, sums)


def _turn(record: Record) -> int:
    """Return when a record's turn is; equal ones keep their order."""
    header = record.header
    return header.seq if header.kind in CHAIN_KINDS else 2**64


class Batch:
    """The state on disk, and on top of it what this batch has changed so far.

    Args:
        held: what is on disk.
        network: whose topics the records are on.
        policy: what the operator chose to keep.
        cache: key chains as they are on disk, so that they need not be read.

    Attributes:
        chains: the key chains that changed.
        evicted: what was beyond its quota and was to be removed by `changes`.
        places: what stands where its records belong.
    """

    def __init__(
        self,
        held: Reader,
        network: NetworkParams,
        policy: Policy,
        cache: ChainCache | None = None,
    ) -> None:
        self.chains: dict[AgentId, KeyChain] = {}
        self.evicted: set[RecordId] = set()
        self._held = held
        self._policy = policy
        self._pending = Pending(held)
        self.places = Places(held, self._pending)
        self._graves = Graves(self._pending)
        self._shelves = Shelves(held, network, policy.limits)
        self._cache = cache
        self._known_chains: dict[AgentId, KeyChain | None] = {}

    def add(self, record: Record, received_at_ms: int) -> bool:
        """Keep one record, and do what its kind asks; tell whether it is new."""
        header = record.header
        found = self._pending.find(record.id)
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

    def holds(self, record: RecordId) -> bool:
        """Tell whether a record is held when all changes are made."""
        return self._pending.get(layout.record_key(record)) is not None

    def remove(self, record: RecordId) -> None:
        """Remove a record that is held whole, and what a deletion had done."""
        found = self._pending.find(record)
        if found is not None:
            self._remove(found[0])

    def drop(self, record: RecordId, now_ms: int) -> None:
        """Drop a record's body, held or yet to come."""
        self._pending.put(shelf_layout.dropped_key(record), layout.number(now_ms))
        self._write_again(record)

    def undrop(self, record: RecordId) -> None:
        """Take a record's body when it comes."""
        self._pending.delete(shelf_layout.dropped_key(record))
        self._write_again(record)

    def put(self, key: bytes, value: bytes) -> None:
        """Write a value that is about no record."""
        self._pending.put(key, value)

    def changes(self, known: Sums) -> tuple[list[Change], Sums]:
        """Return what was changed, once the shelves have let go of their surplus.

        Args:
            known: nodes of sets as they are on disk, so that they need not be read.

        Returns:
            The changes, and the nodes of sets as they are then.
        """
        settled = self._shelves.settle()
        while doomed := self._doomed(settled):
            self.evicted.update(doomed)
            for record in doomed:
                self.remove(record)
            settled = self._shelves.settle()
        sums = new_sums(settled.members, self._held, known)
        made = self._pending.changes() + settled.changes
        return made + set_changes(settled.members, sums), sums

    def _doomed(self, settled: Settlement) -> list[RecordId]:
        """Return what is beyond its quota, as far as it is to be removed now."""
        if self._policy.keep_all:
            return []
        found = [*settled.beyond, *self._left_over(settled)]
        room = EVICTED_RECORDS - len(self.evicted)
        return [each for each in found if each not in self.evicted][:room]

    def _left_over(self, settled: Settlement) -> list[RecordId]:
        """Return what batches before left beyond its quota, and has no room again."""
        moved = {each.key for each in settled.changes if isinstance(each, Delete)}
        entries = islice(self._held.scan(layout.BEYOND), EVICTED_RECORDS)
        return [
            layout.indexed_record(entry[0])
            for entry in entries
            if not isinstance(entry, Hole) and entry[0] not in moved
        ]

    def _fill(self, found: tuple[Record, int], record: Record) -> None:
        """Give a record the body it lacks, unless nobody wants it here."""
        bare, received_at_ms = found
        lacks_body = bare.body is None and record.body is not None
        if lacks_body and not (self._graves.has(bare) or self._is_dropped(bare)):
            self._write(record, received_at_ms)

    def _keep(self, record: Record, received_at_ms: int) -> None:
        # A damaged record is counted already: its entries are there.
        if self.places.put(record):
            self._pending.records += 1
            self._shelves.put(record)
        self._write(record, received_at_ms)
        lost = layout.lost_key(record.header.agent, record.header.seq, record.id)
        if self._pending.get(lost) is not None:
            self._pending.delete(lost)

    def _write_again(self, record: RecordId) -> None:
        found = self._pending.find(record)
        if found is not None:
            self._write(*found)

    def _write(self, record: Record, received_at_ms: int) -> None:
        """Write a record and its index entries, without a body that is unwanted."""
        deleted = self._graves.has(record)
        dropped = not deleted and self._is_dropped(record)
        kept = record.without_body() if deleted or dropped else record
        value = layout.pack_record(kept, received_at_ms)
        self._pending.put(layout.record_key(record.id), value)
        mark = Mark(record.header.kind, deleted, dropped).pack()
        for key in layout.index_keys(record.id, record.header):
            self._pending.put(key, mark)
        if fork := shelf_layout.fork_key_of(record):
            if kept.body is None:
                self._pending.delete(fork)
            else:
                self._pending.put(fork, b"")

    def _remove(self, record: Record) -> None:
        self._pending.records -= 1
        self._shelves.take(record)
        self.places.take(record)
        self._pending.delete(layout.record_key(record.id))
        for key in layout.index_keys(record.id, record.header):
            self._pending.delete(key)
        if fork := shelf_layout.fork_key_of(record):
            self._pending.delete(fork)
        if record.header.kind == Kind.DELETE:
            self._unbury(record)

    def _is_dropped(self, record: Record) -> bool:
        if record.header.body_hash is None:
            return False
        return self._pending.get(shelf_layout.dropped_key(record.id)) is not None

    def _bury(self, deletion: Record) -> None:
        header = deletion.header
        is_first = self._graves.put(deletion)
        target = self._pending.find(header.refs["target"])
        if is_first and target and target[0].header.agent == header.agent:
            self._write(*target)

    def _unbury(self, deletion: Record) -> None:
        """Take a deletion back: a rotation swept it, or it was the oldest on a shelf.

        If none stands, the target's body is gone, and removing the bare header lets it
        come again whole; while it is held, no peer offers it. On a shelf, the target of
        a deletion went before.
        """
        header = deletion.header
        if not self._graves.take(deletion):
            return
        found = self._pending.find(header.refs["target"])
        if found is None:
            return
        target, _ = found
        is_its_own = target.header.agent == header.agent
        if is_its_own and can_be_deleted(target.header) and target.body is None:
            self._remove(target)

    def _chain(self, agent: AgentId) -> KeyChain | None:
        if agent not in self._known_chains:
            self._known_chains[agent] = self._read_chain(agent)
        return self._known_chains[agent]

    def _read_chain(self, agent: AgentId) -> KeyChain | None:
        for known in () if self._cache is None else self._cache.seen(agent):
            return known
        value = self._held.get(layout.key_chain_key(agent))
        return None if value is None else layout.unpack_key_chain(agent, value)

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
        self._pending.put(layout.key_chain_key(agent), value)
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
            found = self._pending.find(layout.indexed_record(entry[0]))
            if found and keychain.is_superseded(chain, found[0].header):
                self._remove(found[0])
        # What was lost there may be a thief's; if it is not, peers have it.
        lost = layout.lost_prefix(rotation.header.agent)
        for entry in self._held.scan(lost, lost + layout.number(rotation.header.seq)):
            if not isinstance(entry, Hole):
                self._pending.delete(entry[0])

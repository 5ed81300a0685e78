"""The store itself, on whichever engine keeps the keys."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from moltp2p.core.author import Head
from moltp2p.core.errors import LocalError
from moltp2p.core.ids import AgentId, RecordId
from moltp2p.core.keychain import KeyChain
from moltp2p.core.record import Record
from moltp2p.core.selection import Selection
from moltp2p.core.topics import NetworkParams
from moltp2p.proto.sync.reconcile import ReconcileSet, SetSum
from moltp2p.store import layout, shelf_layout
from moltp2p.store.arrivals import (
    ArrivalLog,
    Arrived,
    Came,
    SeenPeer,
    Span,
    presence_changes,
    read_arrivals,
    read_spans,
)
from moltp2p.store.backup import write_backup
from moltp2p.store.base import (
    KEEP_QUOTAS,
    Damage,
    Dropped,
    Page,
    Policy,
    Query,
    Retired,
    Stored,
)
from moltp2p.store.chain_cache import ChainCache
from moltp2p.store.changes import Batch, Outcome, changes
from moltp2p.store.engine import Change, Delete, Engine, Put
from moltp2p.store.held import HeldRecords
from moltp2p.store.lookups import (
    read_dropped,
    read_forks,
    read_head,
    read_sequence,
    table_keys,
)
from moltp2p.store.opening import prepare
from moltp2p.store.pages import load, load_sound, read_page
from moltp2p.store.progress import Progress, untold
from moltp2p.store.retiring import read_horizon, retire
from moltp2p.store.set_tree import Sums
from moltp2p.store.set_view import SetView
from moltp2p.store.sitting import Sitting
from moltp2p.store.survey import Survey
from moltp2p.store.verifying import verify

CACHED_SUMS: Final = 4_096
"""Nodes of sets that are kept in memory; about 1 MiB in all. The next batch changes
many of those that the last one did; with more than that, none is known again."""


class RecordStore:
    """A `Store`. It owns its engine, and closes it when it cannot be opened.

    Args:
        engine: where the keys are; new, or left by a store before.
        network: whose records are kept.
        policy: what the operator chose to keep.
        progress: is told how far it is when tables are built, after a migration or
            for another number of shards.

    Raises:
        LocalError: `newer-schema`, `other-network`, `store-damaged`, `disk-full`,
            `store-failed`; no record was changed.
    """

    def __init__(
        self,
        engine: Engine,
        network: NetworkParams,
        policy: Policy = KEEP_QUOTAS,
        progress: Progress = untold,
    ) -> None:
        self._engine = engine
        self._network = network
        self._policy = policy
        self._chains = ChainCache(engine)
        self._arrivals = ArrivalLog(engine)
        self._sums: dict[bytes, SetSum] = {}
        self._held = HeldRecords(engine, self._chains, network, policy.limits)
        self._version = 0
        self._writing = threading.Lock()
        try:
            prepare(engine, network, progress)
        except BaseException:  # Ctrl-C, too: the lock would stay taken
            engine.close()
            raise

    def add(
        self,
        records: Sequence[Record],
        received_at_ms: int,
        came: Sequence[Came] = (),
    ) -> list[bool]:
        """Keep records that were judged; see `Store.add`."""
        return self.put_back(records, [received_at_ms] * len(records), came)

    def put_back(
        self,
        records: Sequence[Record],
        received_at_ms: Sequence[int],
        came: Sequence[Came] = (),
    ) -> list[bool]:
        """Keep records that came at different times, as `add` does."""
        return self._keep(records, received_at_ms, came, self.sit()).is_new

    def sit(self) -> Sitting:
        """Begin a batch; see `Store.sit`."""
        return Sitting(
            self._engine,
            self._chains,
            self._network,
            self._policy.limits,
            self._version,
            self._keep,
        )

    def _keep(
        self,
        records: Sequence[Record],
        received_at_ms: Sequence[int],
        came: Sequence[Came],
        sitting: Sitting,
    ) -> Outcome:
        with self._writing:
            self._mend()
            if sitting.version != self._version:
                sitting = self.sit()
            with self._engine.view() as view:
                batch = Batch(
                    sitting.over(view), self._network, self._policy, self._chains
                )
                outcome = changes(records, received_at_ms, batch, self._sums)
            arrived = self._arrived(records, outcome.is_new, came)
            self._apply([*outcome.changes, *arrived])
            self._arrivals.note(arrived)
            self._chains.update(outcome.chains)
            self._note_sums(outcome.sums)
        return outcome

    def _arrived(
        self, records: Sequence[Record], is_new: Sequence[bool], came: Sequence[Came]
    ) -> list[Change]:
        """Return what notes how the new ones of some records came."""
        if not (self._policy.arrivals and came and any(is_new)):
            return []
        new = [place for place, is_it in enumerate(is_new) if is_it]
        return self._arrivals.changes(
            [records[place] for place in new],
            [came[place] for place in new],
            self.count(),
        )

    def last_arrival(self) -> int:
        """Return the number of the newest arrival; see `Store.last_arrival`."""
        return self._arrivals.last

    def arrivals(self, after: int, limit: int) -> list[Arrived]:
        """Return arrivals behind a number; see `Store.arrivals`."""
        with self._engine.view() as view:
            return read_arrivals(view, after, limit)

    def note_presence(self, spans: Sequence[Span], seen: Sequence[SeenPeer]) -> None:
        """Note when the node ran, and with whom; see `Store.note_presence`."""
        with self._writing:
            self._mend()
            with self._engine.view() as view:
                made = presence_changes(view, spans, seen)
            self._engine.apply(made)

    def spans(self) -> list[Span]:
        """Return when the node ran, and had peers; see `Store.spans`."""
        with self._engine.view() as view:
            return read_spans(view)

    def retire(self, before_ms: int, cap_ms: int, max_records: int) -> Retired:
        """Remove some of what is too old; see `Store.retire`."""
        with self._writing:
            self._mend()
            with self._engine.view() as view:
                batch, retired = retire(
                    before_ms, cap_ms, max_records, view, self._network, self._policy
                )
                made, sums = batch.changes(self._sums)
            self._apply(made)
            self._note_sums(sums)
        return retired

    def horizon_ms(self) -> int:
        """Return the time below which everything was removed; 0 at first."""
        return read_horizon(self._engine.get(layout.HORIZON_KEY) or b"", self._policy)

    def bytes_held(self) -> int:
        """Return how many bytes the records take; see `Store.bytes_held`."""
        return int.from_bytes(self._engine.get(layout.BYTES_KEY) or b"", "big")

    def drop(self, record: RecordId, now_ms: int) -> bool:
        """Drop a record's body for good; see `Store.drop`."""
        return self._turn_drop(record, now_ms, dropped=True)

    def undrop(self, record: RecordId) -> bool:
        """Take a record's body again when it comes; see `Store.undrop`."""
        return self._turn_drop(record, 0, dropped=False)

    def _turn_drop(self, record: RecordId, now_ms: int, *, dropped: bool) -> bool:
        with self._writing:
            self._mend()
            if (
                self._engine.get(shelf_layout.dropped_key(record)) is not None
            ) == dropped:
                return False
            with self._engine.view() as view:
                batch = Batch(view, self._network, self._policy)
                if dropped:
                    batch.drop(record, now_ms)
                else:
                    batch.undrop(record)
                made, sums = batch.changes(self._sums)
            self._apply(made)
            self._note_sums(sums)
        return True

    def dropped(self, after: RecordId | None, limit: int) -> list[Dropped]:
        """Return bodies that were dropped; see `Store.dropped`."""
        with self._engine.view() as view:
            return read_dropped(view, after, limit)

    def forks(self, agent: AgentId, limit: int) -> list[tuple[int, RecordId]]:
        """Return where an agent has forked, and the proofs; see `Store.forks`."""
        with self._engine.view() as view:
            return read_forks(view, agent, limit)

    def has(self, record: RecordId) -> bool:
        """Tell whether the record is held, and not damaged."""
        return self._held.has(record)

    def key_chain(self, agent: AgentId) -> KeyChain | None:
        """Return the agent's key chain, or None before its inception is held."""
        return self._held.key_chain(agent)

    def is_deleted(self, record: RecordId, agent: AgentId) -> bool:
        """Tell whether `agent` deleted `record`."""
        return self._held.is_deleted(record, agent)

    def is_dropped(self, record: RecordId) -> bool:
        """Tell whether the operator dropped the record's body, held or not."""
        return self._held.is_dropped(record)

    def wants_body(self, record: RecordId) -> bool:
        """Tell whether the record is held without its body, and that is welcome."""
        return self._held.wants_body(record)

    def is_over_quota(self, record: Record) -> bool:
        """Tell whether a record, not held, has no place on its shelf."""
        return self._held.is_over_quota(record)

    def get(self, record: RecordId) -> Stored | None:
        """Return one record, or None; see `Store.get`."""
        with self._engine.view() as view:
            return load(record, view)

    def get_many(self, records: Sequence[RecordId]) -> list[Stored | None]:
        """Return several records as they are at one moment; see `Store.get_many`."""
        with self._engine.view() as view:
            return [load_sound(record, view) for record in records]

    def sums(self, topics: Sequence[int], since_ms: int, until_ms: int) -> list[SetSum]:
        """Return the sum of each topic's set in a window; see `Store.sums`."""
        with self._engine.view() as view:
            return [SetView(topic, since_ms, until_ms, view).sum() for topic in topics]

    @contextmanager
    def open_set(
        self, topic: int, since_ms: int, until_ms: int
    ) -> Iterator[ReconcileSet]:
        """Open a topic's set in a window; see `Store.open_set`."""
        with self._engine.view() as view:
            yield SetView(topic, since_ms, until_ms, view)

    def page(self, query: Query) -> Page:
        """Return one page of records; see `Store.page`."""
        with self._engine.view() as view:
            return read_page(query, view)

    def head(self, agent: AgentId) -> Head | None:
        """Return the agent's newest record that was ever held; see `Store.head`."""
        with self._engine.view() as view:
            return read_head(view, agent)

    def wires(self, records: Sequence[RecordId]) -> list[bytes | None]:
        """Return the wire bytes of each record; see `Store.wires`."""
        return [self._wire(record) for record in records]

    def sequence(
        self, agent: AgentId, first: int, last: int, limit: int
    ) -> list[tuple[int, RecordId]]:
        """Return places of an agent's sequence; see `Store.sequence`."""
        with self._engine.view() as view:
            return read_sequence(view, agent, first, last, limit)

    def count(self) -> int:
        """Return how many records are held."""
        return int.from_bytes(self._engine.get(layout.COUNT_KEY) or b"", "big")

    def _wire(self, record: RecordId) -> bytes | None:
        try:
            value = self._engine.get(layout.record_key(record))
        except LocalError as error:
            if error.code not in layout.DAMAGE:
                raise
            return None
        return None if value is None else layout.wire_of(record, value)

    def verify(self, progress: Progress = untold) -> Iterator[Damage]:
        """Read everything, and report damage; see `Store.verify`."""
        return verify(self._engine, self._network, self._policy.limits, progress)

    def backup(self, created_ms: int) -> Generator[bytes]:
        """Yield a backup of this moment; see `Store.backup`."""
        with self._engine.keep() as kept:
            yield from write_backup(kept, self._network.id, created_ms)

    def survey(
        self, selection: Selection, about: Mapping[str, object]
    ) -> Generator[bytes]:
        """Yield all that is held, in frames; see `Store.survey`."""
        with self._engine.keep() as kept:
            yield from Survey(kept, self._network, selection).frames(about)

    def missing(self) -> Iterator[RecordId]:
        """Name what was lost to damage; see `Store.missing`."""
        return map(layout.indexed_record, table_keys(self._engine, layout.LOST))

    def agents(self) -> Iterator[AgentId]:
        """Name all agents whose inception is held; see `Store.agents`."""
        table = layout.KEY_CHAIN
        keys = table_keys(self._engine, table)
        return (AgentId(key.removeprefix(table)) for key in keys)

    def is_behind(self) -> bool:
        """Tell whether peers may hold newer records of ours; see `Store.is_behind`."""
        return self._engine.get(layout.BEHIND_KEY) is not None

    def fall_behind(self) -> None:
        """Note that peers may hold more of ours; see `Store.fall_behind`."""
        if not self.is_behind():
            self.put_raw([Put(layout.BEHIND_KEY, b"")])

    def caught_up(self) -> None:
        """Take that back; see `Store.caught_up`."""
        if self.is_behind():
            self.put_raw([Delete(layout.BEHIND_KEY)])

    def put_raw(self, changes: Sequence[Change]) -> None:
        """Change entries as they stand: for whoever copies a store, and nobody else.

        Raises:
            LocalError: as `add`.
        """
        with self._writing:
            self._mend()
            self._apply(changes)
            self._chains.clear()
            self._arrivals.forget()

    def mend(self) -> None:
        """Get ready to write again, after writing failed; see `Store.mend`."""
        with self._writing:
            self._mend()

    def close(self) -> None:
        """Let go of the files, once those who read are done."""
        self._engine.close()

    def _mend(self) -> None:
        if self._engine.mend():
            self._version += 1
            self._arrivals.forget()
            self._chains.clear()
            self._sums.clear()

    def _apply(self, changes: Sequence[Change]) -> None:
        if changes:
            self._version += 1
            self._engine.apply(changes)

    def _note_sums(self, sums: Sums) -> None:
        if len(self._sums) + len(sums) > CACHED_SUMS:
            self._sums.clear()
        self._sums.update(sums)

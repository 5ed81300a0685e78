"""What of a store is copied, in the order in which it can be added elsewhere.

    bodies that were dropped; chain records, each agent's in order; all others; the
    tables KEPT

Whatever else a store has (indexes, marks, tombstones, key chains, sets, sums, counts)
follows from that, and whoever takes it in computes it again (store/filling.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final

from moltp2p.core.errors import LocalError
from moltp2p.core.ids import AgentId, RecordId
from moltp2p.core.keychain import KeyChain
from moltp2p.core.kinds import CHAIN_KINDS
from moltp2p.core.record import Record
from moltp2p.store import layout
from moltp2p.store.engine import Entry, Hole, Reader, Snapshot

CHUNK_ENTRIES: Final = 256
"""Read at a time: at most 16 MiB of records."""


class ReadingOut:
    """All that is to be copied of a store, in the order in which it can be added.

    Args:
        kept: the store at one moment.
        salvages: whether the copy replaces it: what is lost is then noted, and key
            chains that have lost a record are taken along as they stand.

    Attributes:
        damaged: records that are not as they were written, and are left out.
        has_holes: whether there was something that nobody can tell what it was.
    """

    def __init__(self, kept: Snapshot, *, salvages: bool = False) -> None:
        self.damaged = 0
        self.has_holes = False
        self._kept = kept
        self._salvages = salvages

    def entries(self) -> Iterator[Entry]:
        """Yield entries.

        Raises:
            LocalError: `store-failed`.
        """
        yield from self._scan(layout.DROPPED)
        yield from self._chain_records()
        yield from self._other_records()
        if self._salvages:
            yield from self._lost()
        for table in layout.KEPT:
            yield from self._scan(table)

    def _scan(self, prefix: bytes) -> Iterator[Entry]:
        after: bytes | None = None
        while True:
            chunk = self._kept.read(_chunk(prefix, after))
            entries = [entry for entry in chunk if not isinstance(entry, Hole)]
            self.has_holes |= len(entries) < len(chunk)
            yield from entries
            if not entries:
                return
            after = entries[-1][0]

    def _chain_records(self) -> Iterator[Entry]:
        for key, value in self._scan(layout.KEY_CHAIN):
            chain = self._chain(AgentId(key[1:]), value)
            if chain is None:
                continue
            held = [self._sound(link.record) for link in chain.links]
            if self._salvages and None in held:
                yield key, value
            yield from (entry for entry in held if entry is not None)

    def _other_records(self) -> Iterator[Entry]:
        aside: list[tuple[int, RecordId]] = []
        for key, value in self._scan(layout.RECORD):
            record = self._parse(RecordId(key[1:]), value)
            if record is None:
                self.damaged += 1
            elif record.header.kind not in CHAIN_KINDS:
                yield key, value
            elif not self._is_linked(record):
                aside.append((record.header.seq, record.id))
        found = (self._sound(record) for _, record in sorted(aside))
        yield from (entry for entry in found if entry is not None)

    def _lost(self) -> Iterator[Entry]:
        """Note what was held: an index names it, or a key chain, and it is not."""
        for key, _ in self._scan(layout.BY_AGENT):
            if self._sound(layout.indexed_record(key)) is None:
                yield layout.LOST + key[1:], b""
        for key, value in self._scan(layout.KEY_CHAIN):
            agent = AgentId(key[1:])
            chain = self._chain(agent, value)
            for link in () if chain is None else chain.links:
                if self._sound(link.record) is None:
                    yield layout.lost_key(agent, link.since_seq, link.record), b""

    def _is_linked(self, record: Record) -> bool:
        agent = record.header.agent
        value = self._get(layout.key_chain_key(agent))
        chain = None if value is None else self._chain(agent, value)
        return chain is not None and any(
            link.record == record.id for link in chain.links
        )

    def _chain(self, agent: AgentId, value: bytes) -> KeyChain | None:
        try:
            return layout.unpack_key_chain(agent, value)
        except LocalError:
            return None

    def _sound(self, record: RecordId) -> Entry | None:
        """Return a record's entry, unless it is not as it was written."""
        key = layout.record_key(record)
        value = self._get(key)
        if value is None or self._parse(record, value) is None:
            return None
        return key, value

    def _get(self, key: bytes) -> bytes | None:
        try:
            return self._kept.read(lambda view: view.get(key))
        except LocalError as error:
            if error.code not in layout.DAMAGE:
                raise
            return None

    def _parse(self, record: RecordId, value: bytes) -> Record | None:
        try:
            parsed, _ = layout.unpack_record(record, value)
        except LocalError:
            return None
        return parsed if not self._salvages or parsed.is_signed() else None


def _chunk(
    prefix: bytes, after: bytes | None
) -> Callable[[Reader], list[Entry | Hole]]:
    return lambda view: list(islice(view.scan(prefix, after), CHUNK_ENTRIES))

"""Tombstones: which records their authors deleted, and by which deletion.

Of several deletions of one record, the first by `seq` stands on its tombstone (table
D), and all of them in table B, so that another can take its place.
"""

from __future__ import annotations

from moltp2p.core.kinds import can_be_deleted
from moltp2p.core.record import Record
from moltp2p.store import layout, shelf_layout
from moltp2p.store.pending import Pending


class Graves:
    """The tombstones that one batch touches.

    Args:
        pending: what is on disk, and what the batch changed.
    """

    def __init__(self, pending: Pending) -> None:
        self._pending = pending
        self._buried: dict[bytes, set[bytes]] = {}

    def has(self, record: Record) -> bool:
        """Tell whether its author deleted a record, and could."""
        header = record.header
        if not can_be_deleted(header):
            return False
        key = layout.tombstone_key(record.id, header.agent)
        return self._pending.get(key) is not None

    def put(self, deletion: Record) -> bool:
        """Take a deletion; tell whether its target had none before."""
        key, mine = _tombstone(deletion), layout.pack_tombstone(deletion)
        other = self._pending.get(key)
        self._pending.put(shelf_layout.deletion_key(deletion), b"")
        self._buried.setdefault(key, set()).add(mine)
        if other is None or mine < other:
            self._pending.put(key, mine)
        return other is None

    def take(self, deletion: Record) -> bool:
        """Take a deletion back; tell whether its target has none any more.

        If another stands, that takes its place.
        """
        key, mine = _tombstone(deletion), layout.pack_tombstone(deletion)
        self._pending.delete(shelf_layout.deletion_key(deletion))
        self._buried.get(key, set()).discard(mine)
        if self._pending.get(key) != mine:
            return False
        other = self._next(deletion)
        if other is None:
            self._pending.delete(key)
            return True
        self._pending.put(key, other)
        return False

    def _next(self, deletion: Record) -> bytes | None:
        """Return the tombstone of the first deletion of the same after this one."""
        target, agent = deletion.header.refs["target"], deletion.header.agent
        prefix = shelf_layout.deletion_prefix(target, agent)
        after = shelf_layout.deletion_key(deletion)
        others = set(self._buried.get(_tombstone(deletion), ()))
        if on_disk := self._pending.first_on_disk(prefix, after):
            others.add(on_disk[len(prefix) :])
        return min(others, default=None)


def _tombstone(deletion: Record) -> bytes:
    return layout.tombstone_key(deletion.header.refs["target"], deletion.header.agent)

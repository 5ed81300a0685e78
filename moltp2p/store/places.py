"""What stands at the places in sequences where a batch's records belong.

Two records at one place are the branches of a fork: the one that finds the other there
is late. The entries also tell whether a record that cannot be read was counted before.
"""

from __future__ import annotations

from collections.abc import Iterable

from moltp2p.core.ids import RecordId
from moltp2p.core.record import Header, Record
from moltp2p.store import layout
from moltp2p.store.engine import Hole, Reader
from moltp2p.store.pending import Pending


class Places:
    """The places that one batch touches: on disk, and as it has changed them.

    Args:
        held: what is on disk.
        pending: what the batch changed.

    Attributes:
        late: what found another record at its place.
    """

    def __init__(self, held: Reader, pending: Pending) -> None:
        self.late: set[RecordId] = set()
        self._held = held
        self._pending = pending
        self._entries: dict[bytes, list[bytes]] = {}

    def look_ahead(self, records: Iterable[Record]) -> None:
        """Read the places of these records, all in one go.

        Raises:
            LocalError: `store-failed`.
        """
        places = sorted({layout.place_prefix(record.header) for record in records})
        for place, found in zip(places, self._held.scan_each(places), strict=True):
            entries = [each[0] for each in found if not isinstance(each, Hole)]
            # Where one cannot be read, `_at` finds out, if it is needed.
            if len(entries) == len(found):
                self._entries[place] = entries

    def put(self, record: Record) -> bool:
        """Put a record at its place; tell whether it was not there before.

        Raises:
            LocalError: `store-damaged`, `store-failed`.
        """
        entries = self._at(record.header)
        mine = layout.agent_key(record.id, record.header)
        if mine in entries:
            return False
        if entries:
            self.late.add(record.id)
        entries.append(mine)
        return True

    def take(self, record: Record) -> None:
        """Take a record away."""
        entries = self._entries.get(layout.place_prefix(record.header), [])
        mine = layout.agent_key(record.id, record.header)
        entries[:] = [each for each in entries if each != mine]

    def _at(self, header: Header) -> list[bytes]:
        place = layout.place_prefix(header)
        if place not in self._entries:
            found = []
            for entry in self._held.scan(place):
                if isinstance(entry, Hole):
                    raise layout.store_damaged(entry.message)
                if not self._pending.is_gone(entry[0]):
                    found.append(entry[0])
            self._entries[place] = found
        return self._entries[place]

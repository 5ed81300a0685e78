"""What is on disk, and on top of it what a batch has changed so far."""

from __future__ import annotations

from typing import Final

from moltp2p.core.errors import LocalError
from moltp2p.core.ids import RecordId
from moltp2p.core.record import Record
from moltp2p.store import layout
from moltp2p.store.engine import Change, Delete, Hole, Put, Reader

UNREADABLE: Final = -1
"""How long a value is that cannot be read."""


class Pending:
    """Changes that were not made yet.

    Args:
        held: what is on disk.

    Attributes:
        records: how many records come, less those that go.
    """

    def __init__(self, held: Reader) -> None:
        self.records = 0
        self._held = held
        self._values: dict[bytes, bytes | None] = {}
        self._old_bytes: dict[bytes, int] = {}

    def get(self, key: bytes) -> bytes | None:
        """Return the value at `key` after the changes, or None."""
        return self._values[key] if key in self._values else self._held.get(key)

    def put(self, key: bytes, value: bytes) -> None:
        """Write this value at this key."""
        self._values[key] = value

    def delete(self, key: bytes) -> None:
        """Leave nothing at this key."""
        self._values[key] = None

    def is_gone(self, key: bytes) -> bool:
        """Tell whether what stood at `key` is deleted by the changes."""
        return self._values.get(key, b"") is None

    def first_on_disk(self, prefix: bytes, after: bytes) -> bytes | None:
        """Return the first key after this one that was there before and stays.

        Raises:
            LocalError: `store-damaged`, `store-failed`.
        """
        for entry in self._held.scan(prefix, after):
            if isinstance(entry, Hole):
                raise layout.store_damaged(entry.message)
            if self._values.get(entry[0], b"") is not None:
                return entry[0]
        return None

    def find(self, record: RecordId) -> tuple[Record, int] | None:
        """Return a record that is held whole and when it came, or None.

        A damaged one is not held: it is written again when it comes.
        """
        key = layout.record_key(record)
        try:
            value = self.get(key)
            if key not in self._values:
                self._old_bytes[key] = len(value or b"")
            return None if value is None else layout.unpack_record(record, value)
        except LocalError as error:
            if error.code not in layout.DAMAGE:
                raise
            # What stood there and cannot be read was as long as what comes, since it
            # is mostly the same.
            self._old_bytes.setdefault(key, UNREADABLE)
            return None

    def changes(self) -> list[Change]:
        """Return what was changed, and with it how many records and bytes there are."""
        self._add(layout.COUNT_KEY, self.records)
        self._add(layout.BYTES_KEY, self._more_bytes())
        return [
            Delete(key) if value is None else Put(key, value)
            for key, value in self._values.items()
        ]

    def _more_bytes(self) -> int:
        more = 0
        for key, value in self._values.items():
            if key.startswith(layout.RECORD):
                new, old = len(value or b""), self._old_bytes.get(key, 0)
                more += 0 if old == UNREADABLE else new - old
        return more

    def _add(self, key: bytes, more: int) -> None:
        if more:
            total = int.from_bytes(self.get(key) or b"", "big") + more
            self._values[key] = layout.number(max(total, 0))

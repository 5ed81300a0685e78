"""Taking in what another store held: a backup, or what a damaged one can still read.

Each record is verified, and added as if it had just been judged, by the one code that
always computes what follows from it, in the schema of this version.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from moltp2p.core.errors import LocalError
from moltp2p.core.ids import RecordId
from moltp2p.core.record import Record
from moltp2p.store import layout
from moltp2p.store.engine import Entry, Put
from moltp2p.store.records import RecordStore

FILL_RECORDS: Final = 4_096
FILL_BYTES: Final = 16 * 2**20
"""To one synced batch, and a record more."""
VERIFIERS: Final = 2
"""Threads that verify; with more, they wait for each other."""


class Filling:
    """A new store that takes in what another held.

    Args:
        store: has nothing yet.
        trusts: whether the entries come from a store of this machine; key chains
            are else computed, and never taken along.

    Attributes:
        records: how many it holds of those that came.
        left_out: how many a key chain did not let pass.
    """

    def __init__(self, store: RecordStore, *, trusts: bool = False) -> None:
        self.records = 0
        self.left_out = 0
        self._store = store
        self._tables = {
            *layout.KEPT,
            layout.DROPPED,
            *((layout.KEY_CHAIN,) if trusts else ()),
        }
        self._raw: list[Put] = []
        self._waiting: list[tuple[Record, int]] = []
        self._bytes = 0

    def put(self, entry: Entry) -> None:
        """Take in one entry.

        Raises:
            LocalError: `damaged-record`, `bad-backup`, `disk-full`, `store-failed`.
        """
        key, value = entry
        if key[:1] in self._tables:
            if self._waiting:
                self.flush()
            self._raw.append(Put(key, value))
        elif key[:1] == layout.RECORD:
            self._put_record(key, value)
        else:
            raise LocalError("bad-backup", f"it has a key of table {key[:1]!r}")
        full = len(self._raw) + len(self._waiting) >= FILL_RECORDS
        if full or self._bytes >= FILL_BYTES:
            self.flush()

    def _put_record(self, key: bytes, value: bytes) -> None:
        if self._raw:
            self.flush()  # a key chain, before the records that it lets pass
        record, received_at_ms = layout.unpack_record(RecordId(key[1:]), value)
        self._waiting.append((record, received_at_ms))
        self._bytes += len(value)

    def flush(self) -> None:
        """Write what waits, synced, once its signatures are verified.

        Raises:
            LocalError: `damaged-record`, `disk-full`, `store-failed`.
        """
        if self._raw:
            self._store.put_raw(self._raw)
        if self._waiting:
            records, times = zip(*self._waiting, strict=True)
            _verify(records)
            new = self._store.put_back(records, times)
            self.records += sum(new)
            self.left_out += len(new) - sum(new)
        self._raw, self._waiting, self._bytes = [], [], 0


def _verify(records: Sequence[Record]) -> None:
    """Verify signatures, in threads: libsodium lets go of the interpreter's lock."""
    size = -(-len(records) // VERIFIERS)
    parts = [records[at : at + size] for at in range(0, len(records), size)]
    with ThreadPoolExecutor(VERIFIERS) as threads:
        for unsigned in threads.map(_first_unsigned, parts):
            if unsigned is not None:
                raise layout.damaged(unsigned.id, "not signed by the key it names")


def _first_unsigned(records: Sequence[Record]) -> Record | None:
    return next((each for each in records if not each.is_signed()), None)

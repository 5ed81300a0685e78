"""Archives: signed records in one file, to be kept, copied and read anywhere (spec 10).

An archive is a CBOR sequence of sections:

    head      { "moltar": 1, "net": …, "time": … }     what is in it
    record…   the record's wire bytes, as they travel
    end       { "records": count, "sha256": … }        of all before it in the section

A section without an end was cut short; what it holds is as good as the rest. Whoever
could not write on says why, in the place of the end: { "code": …, "message": … }.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from moltp2p.core import codec
from moltp2p.core.errors import LocalError, MoltError, PeerError, UsageError
from moltp2p.core.record import Record
from moltp2p.core.selection import Selection
from moltp2p.core.sequence import SequenceDecoder

VERSION: Final = 1  # SPEC 10: "`moltar` is 1"


@dataclass(frozen=True, slots=True)
class Head:
    """What a section says of itself; nobody checks it but for version and network.

    Attributes:
        network: whose records they are.
        time_ms: when it was begun, milliseconds since 1970 UTC.
        selection: which records were asked for.
    """

    network: str
    time_ms: int
    selection: Selection = field(default_factory=Selection)

    def encode(self) -> bytes:
        """Return the item that begins the section."""
        wanted = self.selection
        fields = {
            "moltar": VERSION,
            "net": self.network,
            "time": self.time_ms,
            "community": wanted.community,
            "agent": wanted.agent,
            "kinds": None if wanted.kinds is None else sorted(wanted.kinds),
            "since": wanted.since_ms or None,
            "until": wanted.until_ms,
        }
        return codec.encode({k: v for k, v in fields.items() if v is not None})


class SectionWriter:
    """Writes one section.

    Args:
        head: how it begins.
    """

    def __init__(self, head: Head) -> None:
        self._head = head
        self._hash = hashlib.sha256()
        self._records = 0

    def begin(self) -> bytes:
        """Return the first bytes."""
        return self._written(self._head.encode())

    def add(self, record: Record) -> bytes:
        """Return the bytes of a record."""
        self._records += 1
        return self._written(record.wire())

    def end(self) -> bytes:
        """Return the last bytes."""
        fields = {"records": self._records, "sha256": self._hash.digest()}
        return codec.encode(fields)

    @staticmethod
    def trouble(error: MoltError) -> bytes:
        """Return the last bytes of a section that could not be written on."""
        return codec.encode({"code": error.code, "message": error.message})

    def _written(self, item: bytes) -> bytes:
        self._hash.update(item)
        return item


class ArchiveReader:
    """Reads an archive as it comes, and says where it is not what was written.

    Args:
        network: the only one whose sections are welcome; None for any.

    Attributes:
        records: how many were given out.
        is_whole: whether every section that began has ended, so far.
    """

    def __init__(self, network: str | None = None) -> None:
        self.records = 0
        self.is_whole = True
        self._network = network
        self._items = SequenceDecoder()
        self._hash = hashlib.sha256()
        self._in_section = 0

    @property
    def offset(self) -> int:
        """Return where the item begins that comes next, in bytes."""
        return self._items.offset

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the records that end in `data`, as wire bytes to be judged.

        Raises:
            UsageError: `bad-archive`, naming the byte, and `wrong-network`; the
                records before it were given out.
            LocalError: with the code of whoever could not write on.
        """
        self._items.feed(data)
        while (item := self._next()) is not None:
            if item[0] >> 5 == _MAP:
                self._note(item)
                continue
            self._hash.update(item)
            self._in_section += 1
            self.records += 1
            yield item

    def end(self) -> None:
        """Take the end of the bytes.

        Raises:
            UsageError: `bad-archive` when it cuts an item short.
        """
        try:
            self._items.end()
        except PeerError as error:
            raise self._bad(error.message) from None

    def _next(self) -> bytes | None:
        try:
            return self._items.next_item()
        except PeerError as error:
            raise self._bad(error.message) from None

    def _note(self, item: bytes) -> None:
        try:
            fields = codec.decode(item)
        except PeerError as error:
            raise self._bad(error.message) from None
        match fields:
            case {"moltar": version, "net": network}:
                self._begin(version, network)
                self._hash.update(item)
            case {"records": int(count), "sha256": bytes(digest)}:
                self._finish(count, digest)
            case {"code": str(code), "message": str(message)}:
                raise LocalError(code, f"whoever wrote this could not go on: {message}")
            case _:
                self._hash.update(item)

    def _begin(self, version: codec.Value, network: codec.Value) -> None:
        if version != VERSION:
            raise self._bad(f"a section of version {version!r}"[:60])
        if self._network not in (None, network):
            raise UsageError(
                "wrong-network",
                f"an archive of network {network!r}, not {self._network!r}"[:160],
                "import it into a home of that network",
            )
        self.is_whole = False
        self._hash = hashlib.sha256()
        self._in_section = 0

    def _finish(self, count: int, digest: bytes) -> None:
        if (count, digest) != (self._in_section, self._hash.digest()):
            raise self._bad("a section is not what was written")
        self.is_whole = True

    def _bad(self, why: str) -> UsageError:
        return UsageError(
            "bad-archive",
            f"not an archive from byte {self.offset:,} on: {why}",
            f"the {self.records:,} records before it were read; copy the file again "
            "from where it came, and import it once more",
        )


_MAP: Final = 5
"""The major type of a map: heads and ends; every other item is given out."""

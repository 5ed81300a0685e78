"""The address book as a file: JSON lines, each read on its own.

The first line has the book's secret, and every other one an address. A line that
is damaged costs that address. Times are kept as ages, since a node's own clock
(`now`) begins anew with each start.
"""

from __future__ import annotations

import json
from typing import Any, Final

from moltp2p.core.errors import UsageError
from moltp2p.proto.address import parse_address
from moltp2p.proto.peers.address_book import AddressBook
from moltp2p.proto.peers.dial_plan import DialPlan
from moltp2p.proto.peers.entry import Entry
from moltp2p.proto.peers.tables import SECRET_BYTES

FORMAT: Final = "moltp2p-peers/1"
MAX_BOOK_BYTES: Final = 2**20
"""Some 2,560 addresses of 400 bytes at most."""

MAX_WORD_CHARS: Final = 64


def encode_book(book: AddressBook, plan: DialPlan, now: float, wall_s: int) -> bytes:
    """Return the book as it is to be read back by `restore_book`."""
    head = {"format": FORMAT, "saved": wall_s, "secret": book.tables.secret.hex()}
    anchors = {id(each) for each in plan.anchors(now)}
    lines = [head]
    for entry in book.tables:
        line = _line(entry, now)
        lines.append(line | {"anchor": True} if id(entry) in anchors else line)
    return b"".join(json.dumps(each).encode() + b"\n" for each in lines)


def _line(entry: Entry, now: float) -> dict[str, Any]:
    line: dict[str, Any] = {"address": str(entry.address), "from": entry.source}
    if entry.seq:
        line["seq"] = entry.seq
    if entry.failures:
        line["failures"] = entry.failures
    if entry.succeeded_at is not None:
        line["age"] = round(now - entry.succeeded_at)
    return line | ({"tried": True} if entry.tried else {})


def read_secret(data: bytes) -> bytes | None:
    """Return the secret of a saved book; None when there is no whole first line."""
    head = _object(data.partition(b"\n")[0])
    try:
        secret = bytes.fromhex(head.get("secret", ""))
    except (TypeError, ValueError):
        return None
    whole = head.get("format") == FORMAT and len(secret) == SECRET_BYTES
    return secret if whole else None


def restore_book(book: AddressBook, data: bytes, now: float, wall_s: int) -> int:
    """Put saved addresses into a new book.

    Returns:
        How many lines were damaged, and passed over.
    """
    first, _, rest = data[:MAX_BOOK_BYTES].partition(b"\n")
    saved = _object(first).get("saved")
    away_s = max(0, wall_s - saved) if type(saved) is int else 0
    damaged = 0
    for line in rest.splitlines():
        entry = _entry(_object(line), now - away_s)
        if entry is None:
            damaged += 1
        else:
            book.restore(entry, now)
    return damaged


def _entry(fields: dict[str, Any], saved_at: float) -> Entry | None:
    source, seq = fields.get("from"), fields.get("seq", 0)
    failures, age = fields.get("failures", 0), fields.get("age")
    numbers = [seq, failures, 0 if age is None else age]
    # JSON may hold half a character, which no address does and no hash takes.
    if not isinstance(source, str) or not source.isascii():
        return None
    if len(source) > MAX_WORD_CHARS:
        return None
    if not all(type(each) is int and 0 <= each < 2**63 for each in numbers):
        return None
    try:
        address = parse_address(fields.get("address", ""))
    except (UsageError, TypeError, AttributeError):
        return None
    return Entry(
        address,
        source,
        seq=seq,
        tried=fields.get("tried") is True,
        is_anchor=fields.get("anchor") is True,
        failures=failures,
        succeeded_at=None if age is None else saved_at - age,
    )


def _object(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}

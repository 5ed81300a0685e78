"""A store as the first version wrote it: its layout, frozen here.

Nothing of this follows `moltp2p.store.layout`, which has gone on since.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

import plyvel

from moltp2p.core import codec, keychain
from moltp2p.core.ids import AgentId
from moltp2p.core.keychain import KeyChain
from moltp2p.core.kinds import CHAIN_KINDS, Kind
from moltp2p.core.record import Record

RECEIVED_MS = 1_760_000_100_000


def write_store(folder: Path, network: str, records: Sequence[Record]) -> None:
    """Write a store with these records; each agent's in its order, none superseded."""
    entries = {
        b"Mschema": _number(1),
        b"Mnetwork": network.encode(),
        b"Mcount": _number(len(records)),
    }
    chains: dict[AgentId, KeyChain | None] = {}
    for record in records:
        header = record.header
        if header.kind == Kind.DELETE:
            target = header.refs["target"]
            entries[b"D" + target + header.agent] = _number(header.seq) + record.id
        if header.kind in CHAIN_KINDS:
            chain = keychain.advance(chains.get(header.agent), record)
            assert chain is not None
            chains[header.agent] = chain
            value = codec.encode(chain.to_value())
            entries[b"K" + header.agent] = _checked(header.agent, value)
    for record in records:
        entries |= _entries(record, is_deleted=_grave(record) in entries)
    folder.mkdir(parents=True)
    with plyvel.DB(str(folder), create_if_missing=True) as db:
        for key, entry in entries.items():
            db.put(key, entry)


def _entries(record: Record, *, is_deleted: bool) -> dict[bytes, bytes]:
    header, is_deleted = record.header, is_deleted and record.body is not None
    body = None if is_deleted else record.body
    wire = _number(RECEIVED_MS) + codec.encode([record.sign1, body])
    mark = bytes((is_deleted,)) + _number(header.kind)
    timed = _number(header.time_ms) + record.id
    entries = {
        b"R" + record.id: _checked(record.id, wire),
        b"T" + timed: mark,
        b"A" + header.agent + _number(header.seq) + record.id: mark,
    }
    if header.community is not None:
        entries[b"C" + header.community.encode() + b"\0" + timed] = mark
    if "parent" in header.refs:
        entries[b"P" + header.refs["parent"] + timed] = mark
    return entries


def _grave(record: Record) -> bytes:
    return b"D" + record.id + record.header.agent


def _checked(name: bytes, value: bytes) -> bytes:
    return zlib.crc32(value, zlib.crc32(name)).to_bytes(4, "big") + value


def _number(value: int) -> bytes:
    return value.to_bytes(8, "big")

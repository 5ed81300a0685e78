"""Where fuzzing begins: the vectors, and records that our own factories make."""

from __future__ import annotations

import json
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from moltp2p.core import codec
from moltp2p.core.author import Draft
from moltp2p.core.errors import PeerError
from moltp2p.core.kinds import Kind, Profile
from moltp2p.core.record import Record
from moltp2p.testing.factories import TestAgent
from scripts.vectors.form import read

VECTORS = Path(__file__).parents[2] / "spec/vectors"
LONGEST_SEED_BYTES = 4096
"""Longer vectors are about size, which mutations come to by themselves."""


@cache
def cases(document: str, op: str) -> list[dict[str, Any]]:
    """Return the vectors of one operation."""
    told = json.loads((VECTORS / f"{document}.json").read_text("utf-8"))
    return [case for case in told["cases"] if case["op"] == op]


def inputs(document: str, op: str) -> list[bytes]:
    """Return the bytes that the vectors of one operation are about."""
    found = [read(case["input"]) for case in cases(document, op)]
    return [data for data in found if len(data) <= LONGEST_SEED_BYTES]


def texts(document: str, op: str) -> list[bytes]:
    """Return the same, of vectors that are about text."""
    return [case["input"].encode() for case in cases(document, op)]


def headers() -> list[bytes]:
    """Return the headers of all records that the vectors parse."""
    found = []
    for wire in inputs("03-records", "parse"):
        with suppress(PeerError):
            value = codec.decode(wire)
            if isinstance(value, list) and value and isinstance(value[0], bytes):
                found.append(codec.decode_sign1(value[0])[0])
    return found


@cache
def records() -> list[Record]:
    """Return valid records of alice, of every kind: her first, and what follows."""
    alice = TestAgent("alice")
    post = alice.post("hello")
    reply = alice.reply(post)
    alice.delete(reply)
    alice.write(Draft(Kind.PROFILE, Profile("alice", "an agent")))
    return alice.records

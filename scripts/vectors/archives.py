"""Vectors of spec 10: archives.

| op | input → output |
|---|---|
| `archive` | the network, a whole archive → the wire bytes of its records |
"""

from __future__ import annotations

from typing import Final

from moltp2p.core import codec
from moltp2p.core.record import Record
from moltp2p.core.selection import Selection
from moltp2p.proto.archive import Head, SectionWriter
from moltp2p.testing.factories import EPOCH_MS, TestAgent
from scripts.vectors.form import Case, spell

NETWORK: Final = "test-net"


def records() -> list[Record]:
    """Return an inception and a post."""
    alice = TestAgent("alice")
    return [alice.incept(), alice.post("hello")]


def section(*held: Record, network: str = NETWORK) -> bytes:
    """Return a whole section."""
    return cut_section(*held, network=network)[0]


def cut_section(*held: Record, network: str = NETWORK) -> tuple[bytes, bytes]:
    """Return a whole section, and the same without its end."""
    writer = SectionWriter(Head(network, EPOCH_MS))
    cut = writer.begin() + b"".join(map(writer.add, held))
    return cut + writer.end(), cut


def cases() -> list[Case]:
    """Return all vectors of the document."""
    return [*_good(), *_bad()]


def _good() -> list[Case]:
    held = records()
    inception, post = held
    whole, cut = cut_section(*held)
    wanted = Selection(
        community="general", kinds=frozenset({3}), since_ms=1, until_ms=EPOCH_MS
    )
    head = Head(NETWORK, EPOCH_MS, wanted).encode()
    unknown = codec.encode({"compressed": True})
    return [
        _case("archive", whole, held),
        _case("archive-of-none", section(), []),
        _case("archive-of-two", section(inception) + section(post), held, "cat a b"),
        _case("archive-with-selection", head + post.wire(), [post]),
        _case("archive-unknown-map", unknown + whole, held),
        _case("archive-without-end", cut, held),
        _case("archive-resumed", cut + section(), held),
        _case("archive-without-head", b"".join(each.wire() for each in held), held),
    ]


def _bad() -> list[Case]:
    held = records()
    whole, cut = cut_section(*held)
    changed = whole.replace(b"hello", b"jello")
    huge = cut + b"\x82\x5a\xff\xff\xff\xff"
    trouble = codec.encode({"code": "store-failed", "message": "no more"})
    version_2 = codec.encode({"moltar": 2, "net": NETWORK, "time": EPOCH_MS})
    other = section(*held, network="elsewhere")
    return [
        _refused("archive-cut", whole[:-1], "bad-archive"),
        _refused("archive-cut-record", cut[:-1], "bad-archive"),
        _refused("archive-garbage", cut + b"\xff" + cut, "bad-archive"),
        _refused("archive-huge-item", huge, "bad-archive"),
        _refused("archive-changed", changed, "bad-archive"),
        _refused("archive-version-2", version_2, "bad-archive"),
        _refused("archive-other-network", other, "wrong-network"),
        _refused("archive-with-trouble", cut + trouble, "store-failed"),
    ]


def _input(data: bytes) -> dict[str, object]:
    return {"network": NETWORK, "bytes": spell(data)}


def _case(name: str, data: bytes, held: list[Record], note: str = "") -> Case:
    return {
        "name": name,
        "op": "archive",
        "input": _input(data),
        "output": [spell(each.wire()) for each in held],
        "note": note,
    }


def _refused(name: str, data: bytes, code: str) -> Case:
    return {"name": name, "op": "archive", "input": _input(data), "error": code}

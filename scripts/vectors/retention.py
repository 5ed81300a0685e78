"""Vectors of spec 11: shelves, what stays on them, and proofs of forks.

shelf   a record -> the number of its shelf, null for none, and its units
kept    a limit, and records by seq, id and units -> the ids kept, newest first
judge   as in 03
"""

from __future__ import annotations

import hashlib
from typing import Final

from moltp2p.core import codec
from moltp2p.core.author import Draft
from moltp2p.core.forks import Fork, prove
from moltp2p.core.ids import RecordId
from moltp2p.core.kinds import Kind, Profile
from moltp2p.core.record import Record, parse
from moltp2p.proto.quota import Volume, kept, shelf_of, volume_of
from moltp2p.testing.factories import EPOCH_MS, TestAgent, signer
from scripts.vectors import forge
from scripts.vectors.forge import ALICE, NETWORK, OTHER, bare, fields, wire
from scripts.vectors.form import Case, spell
from scripts.vectors.judgement_form import Bench, accept, reject

LIMIT: Final = 8


def cases() -> list[Case]:
    """Return the cases of spec 11."""
    return [*_shelves(), *_keeping(), *_forks(), *_false_forks(), *_bad_bodies()]


def _shelves() -> list[Case]:
    agent = TestAgent("alice")
    inception = agent.incept()
    profile = agent.write(Draft(Kind.PROFILE, Profile("Alice")))
    post, long_post = agent.post(), agent.post("a" * 1024)
    unknown = parse(wire(bare(1_000), None))
    of_community = parse(wire(fields(kind=1_000)))
    records = {
        "shelf-of-an-inception": inception,
        "shelf-of-a-profile": profile,
        "shelf-of-a-post": post,
        "shelf-of-a-long-post": long_post,
        "shelf-without-a-body": long_post.without_body(),
        "shelf-of-another-community": agent.post(community="science"),
        "shelf-of-a-deletion": agent.delete(post),
        "shelf-of-a-deletion-of-a-profile": agent.delete(profile),
        "shelf-of-a-rotation": agent.rotate(),
        "shelf-of-an-unknown-kind": unknown,
        "shelf-of-an-unknown-kind-in-a-community": of_community,
    }
    return [
        {
            "name": name,
            "op": "shelf",
            "note": "",
            "input": {"record": spell(record.wire()), "shards": NETWORK.shards},
            "output": {
                "shelf": shelf_of(record.header, NETWORK),
                "units": volume_of(record).units,
            },
        }
        for name, record in records.items()
    ]


def _keeping() -> list[Case]:
    shelves: dict[str, list[tuple[int, int]]] = {
        "kept-nothing": [],
        "kept-up-to-the-limit": [(1, 4), (2, 4)],
        "kept-one-beyond": [(1, 1), (2, 3), (3, 4), (4, 1)],
        "kept-across-the-limit": [(1, 1), (2, 64), (3, 7)],
        "kept-branches-of-a-fork": [(1, 4), (1, 4), (1, 4), (2, 4)],
    }
    return [_kept(name, shelf) for name, shelf in shelves.items()]


def _kept(name: str, shelf: list[tuple[int, int]]) -> Case:
    volumes = [
        Volume(seq, RecordId(hashlib.sha256(bytes((place,))).digest()), cost)
        for place, (seq, cost) in enumerate(shelf)
    ]
    records = [
        {"seq": each.seq, "id": each.record.hex(), "units": each.units}
        for each in volumes
    ]
    return {
        "name": name,
        "op": "kept",
        "note": "",
        "input": {"limit": LIMIT, "records": records},
        "output": [each.record.hex() for each in kept(volumes, LIMIT)],
    }


def _twins(name: str, time_ms: int = EPOCH_MS) -> tuple[TestAgent, TestAgent]:
    """Return two agents that are one, a second apart."""
    return TestAgent(name, time_ms=time_ms), TestAgent(name, time_ms=time_ms + 1)


def _fork_record(fork: Fork, network: str = NETWORK.id) -> bytes:
    """Return carol's record of a fork."""
    author = TestAgent("carol", network)
    return author.write(Draft(Kind.FORK, fork)).wire()


def _proof(one: Record, other: Record, *chain: Record) -> Fork:
    fork = prove(one, other, chain)
    if fork is None:
        raise ValueError("these are no branches")
    return fork


def _forks() -> list[Case]:
    now = Bench(now_ms=EPOCH_MS + 60_000)
    left, right = _twins("alice")
    first, second = left.incept(), right.incept()
    posts = left.post("one"), right.post("two")
    rotations = right.rotate(), _rotated_early(left)
    left.rotate()
    later = left.post("three"), right.post("four")
    proven = {
        "fork-proven": _proof(*posts),
        "fork-of-inceptions": _proof(first, second),
        "fork-after-a-rotation": _proof(*later, first),
        "fork-of-rotations": _proof(*rotations, first),
    }
    header_only = parse(_fork_record(proven["fork-proven"])).without_body().wire()
    return [
        *(accept(name, _fork_record(fork), now) for name, fork in proven.items()),
        accept("fork-without-its-body", header_only, now, keep="header"),
    ]


def _rotated_early(agent: TestAgent) -> Record:
    """Return the rotation that an agent would have written after its inception."""
    other = TestAgent(agent.name, records=agent.records[:1])
    return other.rotate()


def _post(by: str = "alice", **changes: codec.Value) -> bytes:
    """Return the sign1 of a post by one of the test's keys."""
    made = fields() | {"agent": bytes(signer(by).public)} | changes
    return forge.sign(made, signer(by))


def _sorted(*sign1s: bytes) -> tuple[bytes, bytes]:
    def by_id(sign1: bytes) -> bytes:
        return parse(codec.encode([sign1, None])).id

    first, second = sorted(sign1s, key=by_id)
    return first, second


def _false_forks() -> list[Case]:
    one, two = _post(time=1), _post(time=2)
    pair = _sorted(one, two)
    key = bytes(signer("alice", 1).public)
    later = [
        forge.sign(fields(key=key, time=time), signer("alice", 1)) for time in (1, 2)
    ]
    inception = TestAgent("alice").incept().sign1
    stranger = TestAgent("bob").incept().sign1
    other_key = forge.sign(fields(key=key, time=2), signer("alice", 1))
    forged = one[:-1] + bytes((one[-1] ^ 1,))
    foreign = _sorted(_post(net="other-net", time=1), _post(net="other-net", time=2))
    kinds = _sorted(one, forge.sign(fields(seq=2)))
    forks = {
        "fork-of-one-record": Fork((one, one)),
        "fork-unsorted": Fork((pair[1], pair[0])),
        "fork-of-two-agents": Fork(_sorted(one, _post("bob"))),
        "fork-by-two-keys": Fork(_sorted(one, other_key)),
        "fork-of-two-places": Fork(kinds),
        "fork-forged": Fork(_sorted(forged, two)),
        "fork-of-another-network": Fork(foreign),
        "fork-without-its-chain": Fork(_sorted(*later)),
        "fork-by-a-broken-chain": Fork(_sorted(*later), (inception, inception)),
        "fork-by-anothers-chain": Fork(_sorted(*later), (stranger,)),
        "fork-with-a-needless-chain": Fork(pair, (inception,)),
        "fork-of-no-records": Fork((b"", b"no record")),
    }
    return [
        reject(name, _fork_record(fork), "false-fork", Bench(now_ms=EPOCH_MS + 60_000))
        for name, fork in forks.items()
    ]


def _bad_bodies() -> list[Case]:
    one, two = _sorted(_post(time=1), _post(time=2))
    bodies: dict[str, codec.Value] = {
        "fork-without-branches": {},
        "fork-of-one-branch": {"branches": [one]},
        "fork-of-texts": {"branches": ["one", "two"]},
        "fork-with-an-empty-chain": {"branches": [one, two], "chain": []},
        "fork-is-an-array": [one, two],
    }
    cases = [
        reject(name, _of_kind_5(codec.encode(body)), "bad-body", Bench())
        for name, body in bodies.items()
    ]
    whole = codec.encode({"branches": [one, two]})
    wrong = {
        "fork-in-a-community": wire(fields(whole, kind=int(Kind.FORK)), whole),
        "fork-without-a-body": wire(bare(Kind.FORK), None),
        "fork-with-a-reference": _of_kind_5(whole, refs={"target": OTHER}),
    }
    return cases + [
        reject(name, record, "bad-header", Bench()) for name, record in wrong.items()
    ]


def _of_kind_5(body: bytes, **changes: codec.Value) -> bytes:
    made = forge.without(fields(body, kind=int(Kind.FORK), **changes), "community")
    return wire(made, body, ALICE)

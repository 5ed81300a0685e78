"""Vectors of spec 03, second part: what a node rules on a record, and why."""

from __future__ import annotations

from typing import Final

from moltp2p.core import codec
from moltp2p.core.author import Draft
from moltp2p.core.kinds import Kind, Profile
from moltp2p.core.limits import MAX_HEADER_BYTES, MAX_RECORD_BYTES
from moltp2p.core.record import parse
from moltp2p.core.topics import agents_topic, topic_of
from moltp2p.testing.factories import EPOCH_MS, TestAgent, signer
from scripts.vectors import forge
from scripts.vectors.forge import (
    ALICE,
    NETWORK,
    OTHER,
    POST,
    bare,
    fields,
    post,
    sign,
    wire,
    without,
)
from scripts.vectors.form import Case
from scripts.vectors.judgement_form import Admission, Bench, accept, ignore, reject

HOUR_MS: Final = 3_600_000
MINUTE_MS: Final = 60_000


def cases() -> list[Case]:
    """Return the cases of section 5 of spec 03, and of the kinds and bodies."""
    return [
        *_shapes(),
        *_bodies(),
        *_welcome(),
        *_roads(),
        *_clocks(),
        *_held(),
        *_deletions(),
        *_horizons(),
        *_admissions(),
    ]


def _shapes() -> list[Case]:
    key = bytes(signer("alice", 1).public)
    roots: forge.Fields = {"parent": OTHER, "root": OTHER}
    target: forge.Fields = {"target": OTHER}
    post_fields = fields()
    wrong: dict[str, tuple[forge.Fields, bytes | None]] = {
        "inception-at-1": (bare(Kind.INCEPTION, next=OTHER), None),
        "post-at-0": (without(fields(seq=0), "prev"), POST),
        "unknown-kind-at-0": (without(bare(1_000, seq=0), "prev"), None),
        "inception-without-next": (without(bare(0, seq=0), "prev"), None),
        "rotate-without-key": (bare(Kind.ROTATE, next=OTHER), None),
        "rotate-without-next": (bare(Kind.ROTATE, key=key), None),
        "profile-in-community": (fields(kind=int(Kind.PROFILE)), POST),
        "profile-without-body": (bare(Kind.PROFILE), None),
        "post-without-community": (without(post_fields, "community"), POST),
        "post-without-body": (fields(None), None),
        "post-with-next": (fields(next=OTHER), POST),
        "parent-without-root": (fields(refs={"parent": OTHER}), POST),
        "other-role": (fields(refs=roots | {"target": OTHER}), POST),
        "delete-without-target": (bare(Kind.DELETE), None),
        "delete-with-body": (fields(kind=int(Kind.DELETE), refs=target), POST),
    }
    by = {"rotate-without-next": signer("alice", 1)}
    return [
        reject(
            name,
            wire(header, body, by.get(name, ALICE)),
            "bad-header",
            Bench(),
        )
        for name, (header, body) in wrong.items()
    ]


def _bodies() -> list[Case]:
    posts: dict[str, forge.Fields | bytes] = {
        "no-text": {"title": "hello"},
        "text-empty": {"text": ""},
        "text-40001": {"text": "a" * 40_001},
        "text-is-bytes": {"text": b"hello"},
        "title-is-bytes": {"text": "hello", "title": b"hello"},
        "title-null": {"text": "hello", "title": None},
        "title-301": {"text": "hello", "title": "a" * 301},
        "language-made-up": {"text": "hello", "lang": "English"},
        "language-newline": {"text": "hello", "lang": "en\n"},
        "body-is-text": b"\x64text",
        "body-is-array": b"\x81\x64text",
    }
    profiles: dict[str, forge.Fields] = {
        "no-name": {"about": "a test"},
        "name-empty": {"name": ""},
        "name-65": {"name": "a" * 65},
        "about-2001": {"name": "Alice", "about": "a" * 2_001},
    }
    bad = [
        reject(name, post(body), "bad-body", Bench()) for name, body in posts.items()
    ]
    bad += [
        reject(name, _profile(body), "bad-body", Bench())
        for name, body in profiles.items()
    ]
    unsorted = b"\xa2\x64text\x61a\x61x\x00"
    return [
        *bad,
        reject("body-unsorted", post(unsorted), "not-canonical", Bench()),
        reject("body-with-float", post(b"\xa1\x61x\xf9\0\0"), "malformed", Bench()),
        reject("body-is-no-cbor", post(b"hello"), "malformed", Bench()),
        accept("name-1", _profile({"name": "A"}), Bench()),
        accept("name-64", _profile({"name": "a" * 64}), Bench()),
        accept("about-2000", _profile({"name": "A", "about": "a" * 2_000}), Bench()),
        accept("text-40000", post({"text": "a" * 40_000}), Bench()),
        accept(
            "title-300",
            post({"text": "a", "title": "\N{SLIGHTLY SMILING FACE}" * 300}),
            Bench(),
            "characters, not bytes",
        ),
        accept("language", post({"text": "a", "lang": "zh-Hant-TW"}), Bench()),
        accept("unknown-body-field", post({"text": "a", "mood": [1]}), Bench()),
    ]


def _profile(body: forge.Fields) -> bytes:
    raw = codec.encode(body)
    return wire(without(fields(raw, kind=int(Kind.PROFILE)), "community"), raw)


def _welcome() -> list[Case]:
    agent = TestAgent("alice")
    first = agent.incept()
    hello = agent.post()
    reply = agent.reply(hello)
    profile = agent.write(Draft(Kind.PROFILE, Profile("Alice")))
    delete = agent.delete(reply)
    rotation = agent.rotate()
    shard, agents = topic_of(NETWORK, "general"), agents_topic(NETWORK)
    told = {
        "inception": (first, agents),
        "post": (hello, shard),
        "reply": (reply, shard),
        "profile": (profile, agents),
        "delete": (delete, shard),
    }
    later = EPOCH_MS + MINUTE_MS
    late = Bench("gossip", agents, later, held=(first,))
    alone = Bench("gossip", shard)
    strange = bare(1_000, refs={"mood": OTHER}, community="general")
    mixed = fields(origin={"trigger": "reply", "mood": "calm"})
    return [
        *(
            accept(name, record.wire(), Bench("gossip", topic, later))
            for name, (record, topic) in told.items()
        ),
        accept("rotate", rotation.wire(), late),
        accept("unknown-kind", wire(strange, None), alone),
        accept("unknown-kind-with-body", _unknown_kind(b"not even CBOR"), alone),
        accept("unknown-header-field", wire(fields(x=[{"y": b"z"}])), alone),
        accept("unknown-origin-field", wire(mixed), alone),
        accept("eight-references", wire(_referring(8), None), alone),
        accept("labels-of-1-and-64", wire(_labelled()), alone),
        accept("body-of-no-bytes", _unknown_kind(b""), alone),
        accept(
            "size-65536",
            wire(fields(size=MAX_RECORD_BYTES), None),
            Bench(),
            "the most that a header may announce",
            keep="header",
        ),
        accept("gap-in-seq", wire(fields(seq=1_000_000)), alone),
        accept("fork", post({"text": "other"}), Bench(held=(parse(wire(fields())),))),
        accept("record-65536", forge.of_size(MAX_RECORD_BYTES), alone),
        accept("header-2048", forge.with_header_of(MAX_HEADER_BYTES), alone),
    ]


def _referring(count: int) -> forge.Fields:
    refs: forge.Fields = {f"role-{number}": OTHER for number in range(count)}
    return bare(1_000, refs=refs, community="general")


def _labelled() -> forge.Fields:
    return fields(origin={"framework": "f", "model": "m" * 64})


def _unknown_kind(body: bytes) -> bytes:
    return wire(fields(body, kind=1_000), body)


def _roads() -> list[Case]:
    good = wire(fields())
    header_only = wire(fields(), None)
    shard = topic_of(NETWORK, "general")
    other_shard = topic_of(NETWORK, "science")
    gossip = Bench("gossip", shard)
    foreign = wire(fields(net="other-net"))
    other_aad = sign(fields(), external_aad=b"moltp2p/verify/1")
    elsewhere = Bench("gossip", agents_topic(NETWORK))
    return [
        reject("wrong-network", foreign, "wrong-network", Bench()),
        reject(
            "wrong-topic", good, "wrong-topic", Bench("gossip", other_shard), "a shard"
        ),
        reject("wrong-topic-agents", good, "wrong-topic", elsewhere),
        reject("bad-signature", _flipped(good), "bad-signature", gossip),
        reject(
            "wrong-signer", wire(fields(), by=signer("bob")), "bad-signature", gossip
        ),
        reject(
            "other-purpose",
            codec.encode([other_aad, POST]),
            "bad-signature",
            gossip,
            "signed with another external_aad",
        ),
        ignore("body-missing", header_only, "body-missing", gossip),
        ignore("body-missing-local", header_only, "body-missing", Bench("local")),
        accept("header-by-reconciliation", header_only, Bench("sync"), keep="header"),
        accept("header-by-import", header_only, Bench("import"), keep="header"),
    ]


def _flipped(record: bytes) -> bytes:
    """Return a record with one bit of its signature flipped."""
    good = parse(record)
    flipped = good.sign1[:-1] + bytes((good.sign1[-1] ^ 1,))
    return codec.encode([flipped, good.body])


def _clocks() -> list[Case]:
    good = wire(fields())
    shard = topic_of(NETWORK, "general")
    inception = TestAgent("alice").incept().wire()

    def at(now_ms: int, road: str = "gossip", topic: str | None = shard) -> Bench:
        return Bench(road, topic, now_ms)

    oldest, ahead = EPOCH_MS + HOUR_MS, EPOCH_MS - 10 * MINUTE_MS
    agents = agents_topic(NETWORK)
    return [
        accept("600-seconds-ahead", good, at(ahead)),
        ignore("601-seconds-ahead", good, "from-the-future", at(ahead - 1_000)),
        ignore(
            "1-ms-too-far-ahead", good, "from-the-future", at(ahead - 1, "local", None)
        ),
        accept("3600-seconds-old", good, at(oldest)),
        ignore("too-old", good, "too-old", at(oldest + 1)),
        accept("old-by-reconciliation", good, at(oldest + 1, "sync", None)),
        accept("old-inception", inception, at(oldest + 1, topic=agents)),
    ]


def _held() -> list[Case]:
    good = wire(fields())
    held = Bench("gossip", topic_of(NETWORK, "general"), held=(parse(good),))
    header_only = wire(fields(), None)
    return [
        ignore("duplicate", good, "duplicate", held),
        ignore("duplicate-without-body", header_only, "duplicate", held),
        ignore(
            "duplicate-with-a-bad-signature",
            _flipped(good),
            "duplicate",
            held,
            "the look-up comes before the signature",
        ),
    ]


def _deletions() -> list[Case]:
    agent = TestAgent("alice")
    first, hello = agent.incept(), agent.post()
    deletion = agent.delete(hello)
    undo = agent.delete(deletion)
    by_bob = TestAgent("bob").delete(hello)
    rotation = agent.rotate()
    in_new_reign = agent.delete(hello)
    now_ms = EPOCH_MS + MINUTE_MS
    deleted = Bench("sync", None, now_ms, held=(first, deletion))
    testimony = codec.encode({"x": "I saw it"})
    told = parse(wire(without(fields(testimony, kind=1_000), "community"), testimony))
    taken_back = agent.delete(told)
    renewed = Bench("sync", None, now_ms, held=(first, rotation, in_new_reign))
    return [
        ignore("deleted", hello.wire(), "deleted", deleted) | {"keep": "header"},
        ignore("deleted-in-a-new-reign", hello.wire(), "deleted", renewed)
        | {"keep": "header"},
        ignore("deleted-header", hello.without_body().wire(), "deleted", deleted)
        | {"keep": "header"},
        accept(
            "deleted-by-another",
            hello.wire(),
            Bench("sync", None, now_ms, held=(by_bob,)),
            "no effect",
        ),
        accept(
            "delete-of-a-delete",
            deletion.wire(),
            Bench("sync", None, now_ms, held=(first, undo)),
            "no effect",
        ),
        accept(
            "delete-of-testimony",
            told.wire(),
            Bench("sync", None, now_ms, held=(first, taken_back)),
            "no effect",
        ),
    ]


def _horizons() -> list[Case]:
    post = wire(fields())
    horizon = Bench(horizon_ms=EPOCH_MS)
    after = Bench(horizon_ms=EPOCH_MS + 1)
    return [
        accept("at-the-horizon", post, horizon),
        ignore("below-the-horizon", post, "below-horizon", after),
        accept("profile-below-the-horizon", _profile({"name": "Alice"}), after),
    ]


def _admissions() -> list[Case]:
    post, profile = wire(fields()), _profile({"name": "Alice"})
    first = TestAgent("alice").incept().wire()
    revocation = wire(bare(Kind.REVOCATION), None)
    stranger = Bench(admission=Admission(None))
    crowded = Bench(admission=Admission(None, has_room=False))
    expired = Bench(admission=Admission(EPOCH_MS))
    expiring = Bench(admission=Admission(EPOCH_MS + 1))
    known = Bench(admission=Admission(EPOCH_MS + 1, has_room=False))
    unknown = wire(bare(1_000), None)
    return [
        ignore("post-by-a-stranger", post, "unverified", stranger),
        ignore("profile-by-a-stranger", profile, "unverified", stranger),
        ignore("unknown-kind-by-a-stranger", unknown, "unverified", stranger),
        accept("inception-by-a-stranger", first, stranger),
        accept("revocation-by-a-stranger", revocation, stranger),
        ignore("inception-without-room", first, "unverified", crowded),
        ignore("revocation-without-room", revocation, "unverified", crowded),
        accept("revocation-of-one-who-counted", revocation, known),
        accept("post-within-a-proof", post, expiring),
        ignore("post-after-a-proof", post, "proof-expired", expired),
        accept("revocation-after-a-proof", revocation, expired),
    ]

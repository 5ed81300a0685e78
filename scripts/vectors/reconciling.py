"""Vectors of spec 06, sections 1 to 3: sets, ranges, and whole sessions.

Sets are told as `scripts/vectors/reconciling_form.py` says. How a writer splits ranges
is its own affair: the messages here are ours, and what another finds must be the same.

| op | input → output |
|---|---|
| `fingerprint` | ids, or a set → the fingerprint |
| `ranges` | message → its ranges: time (null after everything), prefix, and what is told |
| `negentropy` | two sets, the longest message → all messages by turns, and what the initiator needs and has |
| `reconcile-message` | frame → the message in it |
| `reconcile` | what two nodes hold by topics, the window, what the responder keeps → all frames by turns, what is needed, and the end |
| `reconcile-ask` | what a responder holds and keeps, frames sent to it → its last answer |
| `reconcile-hear` | what an initiator holds, its window, frames sent to it → the end |
"""  # noqa: E501 - a table's row

from __future__ import annotations

import hashlib
from typing import Final

from moltp2p.core.codec import MAX_INT, Value, encode
from moltp2p.core.ids import RecordId
from moltp2p.proto.sync.messages import decode_message
from moltp2p.proto.sync.ranges import MAX_RANGES, read_ranges
from moltp2p.proto.sync.reconcile import SetSum
from scripts.vectors.form import MAX_JSON_INT, Case, spell
from scripts.vectors.reconciling_form import (
    Stretches,
    Told,
    ask,
    hear,
    record_id,
    run,
    spell_message,
    spell_range,
    talk,
)

FINGERPRINTS: Final[dict[str, tuple[Told, str]]] = {
    "fingerprint-none": ({"ids": []}, ""),
    "fingerprint-one": ({"ids": [bytes([1, *bytes(31)]).hex()]}, "the number 1"),
    "fingerprint-wraps": (
        {"ids": ["ff" * 32, bytes([2, *bytes(31)]).hex()]},
        "2^256 - 1 and 2: the sum is 1, the count 2",
    ),
    "fingerprint-300": ({"numbers": [[0, 300]]}, "a count of two digits"),
}

ZERO: Final = hashlib.sha256(bytes(33)).hexdigest()[:32]

RANGES: Final = {
    "ranges-nothing-more": ("61", "everything is skipped"),
    "ranges-three-modes": (
        f"61 8301 00 00 81 00 02 abcd 01 {ZERO} 00 00 02 01 {'07' * 32}",
        "skip to 384, a fingerprint to 511 and abcd, and one id to the end",
    ),
    "ranges-empty": (
        f"61 06 01 80 01 {ZERO} 01 01 80 01 {ZERO}",
        "two equal bounds",
    ),
    "ranges-zeros": (f"61 06 03 800000 01 {ZERO} 01 01 80 01 {ZERO}", "equal as well"),
    "ranges-end-prefix": ("61 00 02 abcd 02 00", "after everything, whatever the id"),
    "ranges-last-time": ("61 81ffffffffffffffff7f 00 02 00", "2^64 - 2"),
}

BAD_RANGES: Final = {
    "ranges-none": ("", "no version"),
    "ranges-version-2": ("62", ""),
    "ranges-cut": (f"61 00 00 01 {ZERO[:-2]}", "15 bytes of a fingerprint"),
    "ranges-cut-bound": ("61 06 02 80", ""),
    "ranges-cut-ids": (f"61 00 00 02 02 {'07' * 32}", "two ids, one there"),
    "ranges-many-ids": ("61 00 00 02 81ffffffffffffffff7f", "2^64 - 1 of them"),
    "ranges-mode-3": ("61 00 00 03", ""),
    "ranges-padded": ("61 8006 00 00", "5 in two digits"),
    "ranges-endless": ("61 ffffffffffffffffffffff", "a number of eleven digits"),
    "ranges-prefix-33": (f"61 06 21 {'07' * 33} 00", ""),
    "ranges-time-overflow": ("61 8280808080808080808000 00 00", "2^64 - 1"),
    "ranges-time-overflow-sum": ("61 81ffffffffffffffff7f 00 00 02 00 00", ""),
    "ranges-after-the-end": ("61 00 00 00 01 00 00", "a time after everything"),
    "ranges-backwards-prefix": ("61 06 01 81 00 01 01 80 00", "81, then 80"),
    "ranges-backwards": ("61 06 01 80 00 01 00 00", "a shorter prefix is earlier"),
}

TALKS: Final[dict[str, tuple[int, Stretches, Stretches, int]]] = {
    "both-the-same": (1000, [[0, 40]], [[0, 40]], 4096),
    "nothing-against-three": (1000, [], [[0, 3]], 4096),
    "three-against-nothing": (1000, [[0, 3]], [], 4096),
    "one-each-way": (1000, [[0, 9]], [[1, 10]], 4096),
    "all-of-one-time": (0, [[0, 20]], [[2, 20]], 4096),
    "forty-against-thirty-nine": (1000, [[0, 39]], [[0, 40]], 4096),
    "a-thousand-less-two": (1000, [[0, 71], [72, 900], [901, 1000]], [[0, 1000]], 4096),
    "breaking-off": (1000, [[0, 5]], [[3, 70]], 1024),
}

EVERYTHING: Final = [0, MAX_JSON_INT]
ONE_TOPIC: Final[Told] = {
    "apart": 1000,
    "initiator": {"0": [[0, 9]]},
    "responder": {"0": [[0, 10]]},
    "window": [[0], *EVERYTHING],
}
TWO_TOPICS: Final[Told] = {
    "apart": 1000,
    "initiator": {"0": [[0, 30]], "5": [[100, 103], [104, 140]], "7": [[200, 203]]},
    "responder": {"0": [[0, 30]], "5": [[101, 140]], "7": [[202, 204]]},
    "window": [[0, 5, 7], *EVERYTHING],
}

SESSIONS: Final[dict[str, tuple[Told, str]]] = {
    "session-same": (ONE_TOPIC | {"responder": {"0": [[0, 9]]}}, "one round trip"),
    "session-same-window": (
        ONE_TOPIC | {"window": [[0], 0, 9000]},
        "what differs lies just after the window",
    ),
    "session-differs": (ONE_TOPIC, ""),
    "session-two-topics": (TWO_TOPICS, "of three, two differ"),
    "session-holds-nothing": (
        ONE_TOPIC | {"responder": {}},
        "there is nothing to ask for",
    ),
    "session-narrower": (
        TWO_TOPICS | {"keeps": {"topics": [0, 7], "since": 5000}},
        "one topic less, and a horizon",
    ),
    "session-nothing-kept": (
        ONE_TOPIC | {"keeps": {"topics": []}},
        "narrower than anything",
    ),
    "session-too-big": (
        ONE_TOPIC | {"keeps": {"records": 4}, "window": [[0], 0, 16000]},
        "the newest of them first",
    ),
    "session-too-big-to-split": (
        ONE_TOPIC | {"apart": 0, "keeps": {"records": 4}, "window": [[0], 0, 1]},
        "all of one millisecond",
    ),
}

OPEN: Final[dict[str, Value]] = {
    "topics": [0],
    "since": 0,
    "until": MAX_JSON_INT,
    "sum": bytes(16),
}
SUMS: Final[dict[str, Value]] = {"counts": [1], "sums": bytes(16)}
ROUND: Final[dict[str, Value]] = {"sets": [[0, b"\x61"]]}

MESSAGES: Final[dict[str, tuple[Value, str]]] = {
    "open-unknown-field": (OPEN | {"pad": b""}, ""),
    "open-to-the-end": (OPEN | {"until": MAX_INT}, ""),
    "open-all-topics": (OPEN | {"topics": list(range(257))}, ""),
    "refusal": ({"code": "too-busy"}, ""),
    "round-empty-message": ({"sets": [[0, b""]]}, "bad-ranges, when it is looked at"),
}

BAD_MESSAGES: Final[dict[str, tuple[Value, str]]] = {
    "message-empty": ({}, ""),
    "message-list": ([], ""),
    "same-false": ({"same": False}, ""),
    "open-without-topics": (OPEN | {"topics": []}, ""),
    "open-topics-unordered": (OPEN | {"topics": [1, 0]}, ""),
    "open-topic-twice": (OPEN | {"topics": [1, 1]}, ""),
    "open-topic-257": (OPEN | {"topics": [257]}, ""),
    "open-topic-true": (OPEN | {"topics": [True]}, "true is no integer"),
    "open-empty-window": (OPEN | {"since": 7, "until": 7}, ""),
    "open-negative": (OPEN | {"since": -1}, ""),
    "open-short-sum": (OPEN | {"sum": bytes(15)}, ""),
    "open-without-sum": ({"topics": [0], "since": 0, "until": 1}, ""),
    "sums-uneven": (SUMS | {"sums": bytes(17)}, ""),
    "sums-negative": (SUMS | {"counts": [-1]}, ""),
    "code-empty": ({"code": ""}, ""),
    "code-long": ({"code": "x" * 65}, ""),
    "code-without-topics": ({"code": "too-big", "since": 1}, ""),
    "round-empty": ({"sets": []}, ""),
    "round-topic-twice": ({"sets": [[0, b"\x61"], [0, b"\x61"]]}, ""),
    "round-text": ({"sets": [[0, "a"]]}, ""),
}

FINGERPRINT_OF_ALL: Final = b"\x61\x00\x00\x01" + bytes(16)
"""One range, whose fingerprint is nobody's."""
SAME: Final[Value] = {"same": True}
OTHER_TOPIC: Final[Value] = {"sets": [[1, b"\x61"]]}

TO_RESPONDER: Final[dict[str, tuple[list[Value], str]]] = {
    "session-fingerprint-of-all": (
        [OPEN, {"sets": [[0, FINGERPRINT_OF_ALL]]}],
        "answered by ids",
    ),
    "session-nothing-asked": ([OPEN, ROUND], "answered as it was asked"),
}

TO_BAD_RESPONDER: Final[dict[str, tuple[list[Value], str, str]]] = {
    "session-open-twice": ([OPEN, OPEN], "bad-session", ""),
    "session-round-first": ([ROUND], "bad-session", ""),
    "session-answers-asked": ([SUMS], "bad-session", "an answer where an ask is due"),
    "session-topic-not-opened": ([OPEN, OTHER_TOPIC], "bad-session", ""),
    "session-bad-ranges": ([OPEN, {"sets": [[0, b"\x62"]]}], "bad-ranges", ""),
    "session-33-rounds": ([OPEN, *[ROUND] * 33], "too-many-rounds", ""),
    "session-16385-ranges": (
        [OPEN, {"sets": [[0, b"\x61" + bytes(3) * (MAX_RANGES + 1)]]}],
        "bad-ranges",
        "one more than a frame may have",
    ),
}

LATER: Final[dict[str, Value]] = {"code": "too-big", "since": 1, "topics": [0]}

TO_INITIATOR: Final[dict[str, tuple[list[Value], str]]] = {
    "session-refused": ([{"code": "too-busy"}], ""),
    "session-refused-later": ([SUMS, {"code": "too-busy"}], "between two rounds"),
    "session-later": ([LATER], ""),
    "session-nothing-left": ([LATER | {"topics": []}], ""),
    "session-goes-on": ([SUMS], "the initiator asks"),
    "session-id-claimed": (
        [SUMS, {"sets": [[0, b"\x61\x00\x00\x02\x01" + bytes(32)]]}],
        "one more than it said: an id is needed until it is fetched",
    ),
}

TO_BAD_INITIATOR: Final[dict[str, tuple[list[Value], str, str]]] = {
    "session-same-twice": ([SAME, SAME], "bad-session", ""),
    "session-after-the-end": ([SAME, ROUND], "bad-session", ""),
    "session-round-too-soon": ([ROUND], "bad-session", ""),
    "session-same-too-late": ([SUMS, SAME], "bad-session", ""),
    "session-sums-for-two": (
        [{"counts": [1, 1], "sums": bytes(32)}],
        "bad-session",
        "",
    ),
    "session-other-topic": ([SUMS, OTHER_TOPIC], "bad-session", ""),
    "session-opened-back": ([OPEN], "bad-session", "an ask where an answer is due"),
    "session-not-narrower": ([LATER | {"since": 0}], "bad-session", "all of it again"),
    "session-elsewhere": ([LATER | {"topics": [1]}], "bad-session", ""),
}


def cases() -> list[Case]:
    """Return the vectors of sections 1 to 3."""
    return [
        *(
            _case(name, "fingerprint", given, note, output=fingerprint(given))
            for name, (given, note) in FINGERPRINTS.items()
        ),
        *(
            _case(name, "ranges", _bare(data), note, output=ranges(_bare(data)))
            for name, (data, note) in RANGES.items()
        ),
        *(
            _case(name, "ranges", _bare(data), note, error="bad-ranges")
            for name, (data, note) in BAD_RANGES.items()
        ),
        *_talks(),
        *_sessions(),
    ]


def fingerprint(given: Told) -> str:
    """Return the fingerprint of ids, or of numbers."""
    ids = [RecordId(bytes.fromhex(each)) for each in given.get("ids", [])]
    for first, end in given.get("numbers", []):
        ids += map(record_id, range(first, end))
    return SetSum.of(ids).fingerprint().hex()


def ranges(data: str) -> list[Told]:
    """Return the ranges of a message."""
    return list(map(spell_range, read_ranges(bytes.fromhex(data), MAX_RANGES)))


def _bare(data: str) -> str:
    return data.replace(" ", "")


def _talks() -> list[Case]:
    told = []
    for name, (apart, ours, theirs, max_bytes) in TALKS.items():
        sides = {"initiator": ours, "responder": theirs}
        given = {"apart": apart, **sides, "max_bytes": max_bytes}
        told.append(_case(name, "negentropy", given, output=talk(given)))
    return told


def _sessions() -> list[Case]:
    return [
        *(
            _case(name, "reconcile", given, note, output=run(given))
            for name, (given, note) in SESSIONS.items()
        ),
        *(
            _case(name, "reconcile-message", spell(encode(value)), note)
            | {"output": spell_message(decode_message(encode(value)))}
            for name, (value, note) in MESSAGES.items()
        ),
        *(
            _case(name, "reconcile-message", spell(encode(value)), note)
            | {"error": "bad-session"}
            for name, (value, note) in BAD_MESSAGES.items()
        ),
        *(
            _sent(name, "reconcile-ask", values, note)
            for name, (values, note) in TO_RESPONDER.items()
        ),
        *(
            _sent(name, "reconcile-ask", values, note, code)
            for name, (values, code, note) in TO_BAD_RESPONDER.items()
        ),
        *(
            _sent(name, "reconcile-hear", values, note)
            for name, (values, note) in TO_INITIATOR.items()
        ),
        *(
            _sent(name, "reconcile-hear", values, note, code)
            for name, (values, code, note) in TO_BAD_INITIATOR.items()
        ),
    ]


def _sent(
    name: str, op: str, values: list[Value], note: str, code: str | None = None
) -> Case:
    """Return a case of frames sent to one end, and what must come of them."""
    side = "responder" if op == "reconcile-ask" else "initiator"
    given = {"apart": 1000, side: {"0": [[0, 3]]}}
    if side == "initiator":
        given["window"] = [[0], *EVERYTHING]
    given["frames"] = [spell(encode(value)) for value in values]
    if code is not None:
        return _case(name, op, given, note, error=code)
    machine = ask if side == "responder" else hear
    return _case(name, op, given, note, output=machine(given))


def _case(name: str, op: str, given: object, note: str = "", **result: object) -> Case:
    return {"name": name, "note": note, "op": op, "input": given, **result}

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moltp2p.api import schemas
from moltp2p.api.views import (
    arrival_view,
    line,
    page_view,
    record_view,
    rfc3339,
    ruling_view,
    written_view,
)
from moltp2p.core.author import Draft
from moltp2p.core.forks import prove
from moltp2p.core.ids import PeerId, agent_text, record_text
from moltp2p.core.kinds import Kind, Post, Profile
from moltp2p.core.record import Origin, Record
from moltp2p.core.validate import Road, Ruling
from moltp2p.core.verdict import Verdict
from moltp2p.node.events import Arrival
from moltp2p.store.base import Page, Stored
from moltp2p.testing.factories import EPOCH_MS, TestAgent


def stored(record: Record) -> Stored:
    return Stored(record, EPOCH_MS + 5, deleted=False)


def test_a_post_shows_all_its_fields() -> None:
    alice = TestAgent("alice")
    origin = Origin("scheduled", "crewai", "some-model")
    body = Post("What I measured.", "Measured", "en")
    draft = Draft(Kind.POST, body, "science", ai_generated=True, origin=origin)
    record = alice.write(draft)

    assert record_view(stored(record)) == {
        "id": record_text(record.id),
        "agent": agent_text(alice.id),
        "kind": "post",
        "seq": 1,
        "time": "2025-10-09T08:53:21.000Z",
        "time_ms": EPOCH_MS + 1000,
        "community": "science",
        "parent": None,
        "root": None,
        "target": None,
        "title": "Measured",
        "text": "What I measured.",
        "language": "en",
        "name": None,
        "about": None,
        "fork": None,
        "ai_generated": True,
        "origin": {
            "trigger": "scheduled",
            "framework": "crewai",
            "model": "some-model",
        },
        "deleted": False,
        "dropped": False,
        "forked": False,
        "received_at_ms": EPOCH_MS + 5,
    }


def test_a_reply_names_its_parent_and_its_root() -> None:
    alice = TestAgent("alice")
    post = alice.post()
    reply = alice.reply(alice.reply(post))

    view = record_view(stored(reply))

    assert view["root"] == record_text(post.id)
    assert view["parent"] not in (None, view["root"])


def test_a_fork_record_names_whom_it_is_about() -> None:
    one, other = TestAgent("alice"), TestAgent("alice", time_ms=EPOCH_MS + 1)
    proof = prove(one.post(), other.post(), [])
    record = TestAgent("bob").write(Draft(Kind.FORK, proof))

    view = record_view(stored(record))

    assert view["kind"] == "fork"
    assert view["fork"] == {"agent": agent_text(one.id), "seq": 1}


def test_a_deletion_names_its_target() -> None:
    alice = TestAgent("alice")
    post = alice.post()

    view = record_view(stored(alice.delete(post)))

    assert (view["kind"], view["target"]) == ("delete", record_text(post.id))


def test_a_profile_shows_a_name() -> None:
    profile = TestAgent("alice").write(Draft(Kind.PROFILE, Profile("Ada", "counts")))

    view = record_view(stored(profile))

    assert (view["kind"], view["name"], view["about"]) == ("profile", "Ada", "counts")


def test_a_body_that_was_dropped_is_null() -> None:
    bare = TestAgent("alice").post().without_body()

    view = record_view(Stored(bare, EPOCH_MS, deleted=True))

    assert (view["text"], view["deleted"]) == (None, True)


def test_a_kind_that_nobody_knows_is_a_number() -> None:
    record = TestAgent("alice").write(Draft(70_000, community="general"))

    assert record_view(stored(record))["kind"] == 70_000


def test_views_are_as_the_schema_says() -> None:
    alice = TestAgent("alice")
    records = [
        alice.incept(),
        alice.post(),
        alice.rotate(),
        alice.write(Draft(Kind.POST, Post("x"), "general", origin=Origin(model="m"))),
        alice.write(Draft(70_000)),
    ]
    held = [stored(record) for record in records]
    arrival = Arrival(held[1], Road.GOSSIP, PeerId("12D3Koo"), missed=2)

    page = page_view(Page(held, "abc", more=True))
    schemas.PageOut.model_validate(page, strict=True, extra="forbid")
    seen = arrival_view(arrival)
    schemas.ArrivalOut.model_validate(seen, strict=True, extra="forbid")
    ruling = {"line": 1} | ruling_view(Ruling(Verdict.REJECT, "malformed"))
    schemas.RulingOut.model_validate(ruling, strict=True, extra="forbid")


def test_what_was_written_here_was_received_when_it_was_written() -> None:
    view = written_view(TestAgent("alice").post())

    assert view["received_at_ms"] == view["time_ms"]


@pytest.mark.parametrize(
    ("time_ms", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_760_000_000_007, "2025-10-09T08:53:20.007Z"),
        (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        (253_402_300_800_000, None),
        (2**63 - 1, None),
    ],
)
def test_times_are_rfc_3339_as_far_as_that_goes(time_ms: int, text: str | None) -> None:
    assert rfc3339(time_ms) == text


@given(st.text())
def test_a_strangers_text_leaves_as_one_line_of_printable_ascii(text: str) -> None:
    shown = line({"text": text})

    assert re.fullmatch(rb"[ -~\x7f]*\n", shown)
    assert json.loads(shown) == {"text": text}

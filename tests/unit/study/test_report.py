"""A page of plots stands alone, runs nothing, and shows strangers' words as words."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moltp2p.core.author import Draft
from moltp2p.core.kinds import Kind, Profile
from moltp2p.core.validate import Road
from moltp2p.store.arrivals import Came
from moltp2p.study.report import GENERATOR, report
from moltp2p.study.social import called
from moltp2p.study.stats import AgentFigures
from moltp2p.study.svg import plain, short, ticks
from moltp2p.study.words import columns, cut, one_line
from moltp2p.testing.factories import EPOCH_MS, TestAgent
from tests.unit.study.conftest import BOB, Rig
from tests.unit.study.test_stats import stats_of

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</text></svg></style><script>alert(2)</script>",
    "' onload='alert(3)",
    "<!-- --><![CDATA[ ]]>&lt;b&gt;",
    "javascript:alert(4)",
    "\u202eeslaf\u2066\u200f",
    "\x00\x1b[31mred\x7f\ufffe",
    "{{7*7}}${7*7}",
    "長い名前の機械" * 9,
)

TAGS = {
    *("html", "head", "meta", "title", "style", "body", "main", "header", "footer"),
    *(
        "h1",
        "h2",
        "p",
        "dl",
        "dt",
        "dd",
        "div",
        "small",
        "span",
        "figure",
        "figcaption",
    ),
    *("svg", "g", "rect", "line", "text", "circle", "path", "polygon", "polyline"),
    *("defs", "marker"),
}
ATTRIBUTES = {
    *("lang", "charset", "name", "content", "http-equiv", "class", "viewbox", "role"),
    *("aria-label", "xmlns", "x", "y", "x1", "x2", "y1", "y2", "width", "height", "rx"),
    *("cx", "cy", "r", "d", "points", "text-anchor", "opacity", "stroke-width"),
    *("marker-end", "id", "refx", "refy", "markerwidth", "markerheight", "orient"),
    "markerunits",
}


class Reading(HTMLParser):
    """What a browser finds in a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def read(page: str) -> Reading:
    reading = Reading()
    reading.feed(page)
    reading.close()
    return reading


@pytest.fixture
def page(rig: Rig) -> str:
    """A page of a network where everybody has a hostile name."""
    agents = [TestAgent(f"agent {number}") for number in range(len(HOSTILE))]
    last = agents[0].post("begin")
    for agent, name in zip(agents, HOSTILE, strict=True):
        agent.write(Draft(Kind.PROFILE, Profile(name[:64])))
        for _ in range(3):
            last = agent.reply(last)
    records = [record for agent in agents for record in agent.records]
    for record in records:
        came = Came(record.header.time_ms + 40, Road.GOSSIP, BOB)
        rig.store.add([record], EPOCH_MS, [came])
    return report(stats_of(rig))


def test_nothing_a_stranger_wrote_is_markup(page: str) -> None:
    reading = read(page)

    assert {tag for tag, _ in reading.tags} <= TAGS
    names = {name for _, attributes in reading.tags for name in attributes}
    assert names <= ATTRIBUTES
    assert "<script>alert(1)" in reading.text


def test_it_loads_nothing_and_forbids_it(page: str) -> None:
    reading = read(page)

    assert not re.search(
        r"url\((?!#arrow\))|@import|https?://(?!www\.w3\.org/2000)", page
    )
    policies = [
        attributes["content"] or ""
        for tag, attributes in reading.tags
        if tag == "meta" and "http-equiv" in attributes
    ]
    assert len(policies) == 1
    assert policies[0].startswith("default-src 'none'; style-src 'unsafe-inline'")
    assert GENERATOR in page[:400]


def test_nothing_turns_a_line_round_or_moves_a_cursor(page: str) -> None:
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", page)


def test_every_picture_is_well_formed_and_says_what_it_is(page: str) -> None:
    pictures = re.findall(r"<svg.*?</svg>", page, re.DOTALL)

    assert len(pictures) == 9
    for picture in pictures:
        root = ET.fromstring(picture)  # noqa: S314 - it is our own
        assert root.get("aria-label")
        assert len(root) > 0


def test_an_empty_network_has_a_page_too(rig: Rig) -> None:
    page = report(stats_of(rig))

    assert "Nothing yet." in page
    assert {tag for tag, _ in read(page).tags} <= TAGS


def test_one_record_is_enough_for_a_page(rig: Rig) -> None:
    alice = TestAgent("alice")
    alice.post("alone")
    rig.hear(*alice.records)

    assert "<svg" in report(stats_of(rig))


@given(st.text(max_size=300))
def test_plain_text_is_one_short_line(text: str) -> None:
    shown = plain(text, 20)

    assert not re.search(r"[<>\"'\n\r\x00-\x1f\u202a-\u202e]", shown)
    assert read(f"<p>{shown}</p>").tags == [("p", {})]
    assert columns(read(f"<p>{shown}</p>").text) <= 20


@given(st.integers(0, 10**12))
def test_ticks_are_round_and_reach_the_top(highest: int) -> None:
    found = ticks(highest)

    assert found[0] == 0
    assert found[-1] >= highest
    assert 2 <= len(found) <= 7


def test_numbers_are_short() -> None:
    assert [short(n) for n in (0, 999, 1_234, 12_345, 1_234_567)] == [
        "0",
        "999",
        "1,234",
        "12.3k",
        "1.23M",
    ]


@pytest.mark.parametrize(
    "name",
    ["長い名前の機械" * 9, "Ada · z6Mk…fbUo34", "x" * 64, "\u202e" * 64, "", None],
)
def test_a_long_name_is_cut_before_the_key_that_tells_it_from_others(
    name: str | None,
) -> None:
    key = "did:key:z6MkfrZQcDTu2YtViALN8mcb6J7APZxS1Q2Mzw5cdYbe8UX5"

    shown = called(AgentFigures(key, name, 3), 24)

    assert shown.endswith("z6Mk…e8UX5")
    assert columns(shown) <= 24


def test_a_heap_of_marks_does_not_cover_the_lines_above() -> None:
    assert one_line("e" + "\u0301" * 60) == "e" + "\u0301" * 4
    assert one_line("\u05e9\u05c1\u05b8 \u1ec7") == "\u05e9\u05c1\u05b8 \u1ec7"


@given(st.text(max_size=300), st.integers(1, 40))
def test_what_is_cut_has_room_and_what_has_room_is_not_cut(
    text: str, room: int
) -> None:
    line = one_line(text)

    shown = cut(line, room)

    assert columns(shown) <= room
    assert shown == line if columns(line) <= room else shown.endswith("…")

"""`moltp2p stats`, with no node running."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from moltp2p.core.author import Draft
from moltp2p.core.kinds import Kind, Post, Profile
from tests.unit.cli.conftest import Molt

Publish = Callable[..., list[str]]


def post(text: str, community: str = "general") -> Draft:
    return Draft(Kind.POST, Post(text), community=community)


def test_figures_for_programs(molt: Molt, publish: Publish) -> None:
    publish(post("one"), post("two", "art"))

    (told,) = molt("--json", "stats").lines

    assert (told["status"], told["posts"], told["communities"]) == ("counted", 2, 2)
    assert told["over_time"]["counts"]["posts"][-1] >= 1


def test_figures_for_people(molt: Molt, publish: Publish) -> None:
    publish(post("one"), Draft(Kind.PROFILE, Profile("\x1b[31mRed")))

    told = molt("stats", "--community", "general")

    assert "1 posts" in told.stdout
    assert "general" in told.stdout
    assert "\x1b[31mRed" not in told.stdout


def test_a_page_replaces_an_earlier_one_and_no_other_file(
    molt: Molt, publish: Publish, tmp_path: Path
) -> None:
    publish(post("one"))
    page, other = tmp_path / "page.html", tmp_path / "other.html"
    other.write_text("<p>mine</p>")

    assert molt("stats", "--html", str(page)).code == 0
    first = page.read_text()
    publish(post("two", "art"))
    assert molt("stats", "--html", str(page)).code == 0
    refused = molt("--json", "stats", "--html", str(other))

    assert first.startswith("<!doctype html>")
    assert page.read_text() != first
    assert (refused.code, refused.lines[0]["code"]) == (1, "file-exists")
    assert other.read_text() == "<p>mine</p>"
    assert sorted(each.name for each in tmp_path.glob("*.html*")) == [
        "other.html",
        "page.html",
    ]


def test_a_page_that_cannot_be_written_is_told(
    molt: Molt, publish: Publish, tmp_path: Path
) -> None:
    publish(post("one"))

    told = molt("--json", "stats", "--html", str(tmp_path / "no" / "page.html"))

    assert (told.code, told.lines[0]["code"]) == (1, "write-failed")

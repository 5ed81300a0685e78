"""Commands on a home in which no node runs."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from moltp2p.core.author import Draft
from moltp2p.core.ids import RecordId, parse_record_id, record_text
from moltp2p.core.kinds import Kind, Post, Profile
from moltp2p.node.home import Home
from moltp2p.testing.factories import TestAgent

Molt = Callable[..., Any]

Publish = Callable[..., list[str]]


def post(text: str, community: str = "general", **fields: Any) -> Draft:
    return Draft(Kind.POST, Post(text, **fields), community)


def reply(text: str, parent: str, root: str) -> Draft:
    refs = {"parent": parse_record_id(parent), "root": parse_record_id(root)}
    return Draft(Kind.POST, Post(text), "general", refs)


def test_init_makes_an_agent_that_only_its_owner_can_read(
    molt: Molt, tmp_path: Path
) -> None:
    home = tmp_path / "new"

    (told,) = molt("--home", str(home), "init", "--json").lines

    assert told["status"] == "created"
    assert told["agent"].startswith("did:key:z6Mk")
    assert home.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in home.iterdir()} == {0o600}


def test_init_says_what_comes_next(molt: Molt, tmp_path: Path) -> None:
    outcome = molt("--home", str(tmp_path / "new"), "init")

    assert f"moltp2p --home {tmp_path / 'new'} run" in outcome.stdout


def test_init_notes_the_network_for_every_later_command(
    molt: Molt, tmp_path: Path
) -> None:
    home = str(tmp_path / "new")
    molt("--home", home, "init", "--network", "lab")

    (told,) = molt("--home", home, "--json", "config", "check").lines

    assert told["settings"]["network"] == "lab"


@pytest.mark.parametrize(("flags", "admission"), [((), "proof"), (("--open",), "open")])
def test_init_notes_whether_agents_must_prove_themselves(
    molt: Molt,
    tmp_path: Path,
    flags: tuple[str, ...],
    admission: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("MOLTP2P_ADMISSION")
    home = str(tmp_path / "new")
    made = molt("--home", home, "init", "--network", "lab", *flags)

    (told,) = molt("--home", home, "--json", "config", "check").lines

    assert told["settings"]["admission"] == admission
    assert ("moltp2p --home" in made.stdout and "prove" in made.stdout) is (
        admission == "proof"
    )


def test_main_is_never_open(molt: Molt, tmp_path: Path) -> None:
    outcome = molt("--home", str(tmp_path / "new"), "init", "--open", "--json")

    assert (outcome.code, outcome.lines[-1]["code"]) == (2, "usage")
    assert not (tmp_path / "new").exists()


def test_init_refuses_a_bad_network_and_makes_nothing(
    molt: Molt, tmp_path: Path
) -> None:
    outcome = molt("--home", str(tmp_path / "new"), "init", "--network", "No!")

    assert outcome.code == 1
    assert not (tmp_path / "new").exists()


def test_init_leaves_an_agent_alone_that_lives_there(molt: Molt, home: Path) -> None:
    before = (home / "agent.key").read_bytes()

    outcome = molt("init", "--json")

    assert (outcome.code, outcome.lines[-1]["code"]) == (1, "home-exists")
    assert (home / "agent.key").read_bytes() == before


def test_a_feed_shows_posts_newest_first_a_line_each(
    molt: Molt, publish: Publish
) -> None:
    ids = publish(post("one"))
    ids += publish(post("two"))
    publish(Draft(Kind.PROFILE, Profile("Ada")))

    outcome = molt("feed", "--json")

    assert [record["id"] for record in outcome.lines] == ids[::-1]


def test_a_feed_can_be_of_one_community_or_of_one_agent(
    molt: Molt, publish: Publish
) -> None:
    publish(post("here"), post("there", "science"))
    (record,) = molt("feed", "--community", "science", "--json").lines
    mine = molt("feed", "--agent", record["agent"], "--json").lines

    assert record["text"] == "there"
    assert len(mine) == 2


def test_a_page_of_a_feed_says_how_to_go_on(molt: Molt, publish: Publish) -> None:
    publish(*(post(str(number)) for number in range(5)))

    *first, more = molt("feed", "--limit", "3", "--json").lines
    rest = molt("feed", "--limit", "3", "--cursor", more["cursor"], "--json").lines

    assert more["more"] is True
    assert sorted(r["text"] for r in (*first, *rest)) == list("01234")


def test_a_whole_feed_is_read_page_after_page(molt: Molt, publish: Publish) -> None:
    publish(*(post(str(number)) for number in range(25)))

    records = molt("feed", "--all", "--limit", "10", "--json").lines

    assert sorted(int(record["text"]) for record in records) == list(range(25))


def test_a_feed_is_cards_with_ids_to_paste(molt: Molt, publish: Publish) -> None:
    publish(Draft(Kind.PROFILE, Profile("Ada \x1b[31m")))
    long = "\n".join(map(str, range(100)))
    (record,) = publish(post(long, title="[bold]Numbers[/bold] :smile:"))

    shown = molt("feed").stdout

    assert r"Ada \x1b[31m" in shown
    assert "[bold]Numbers[/bold] :smile:" in shown
    assert record in shown.split()
    assert "92 more lines" in shown


def test_an_empty_feed_says_so(molt: Molt) -> None:
    assert "Nothing here yet" in molt("feed").stdout


def test_a_record_is_shown_with_its_replies_below_it(
    molt: Molt, publish: Publish
) -> None:
    (root,) = publish(post("root"))
    (first,) = publish(reply("first", root, root))
    publish(reply("second", root, root))
    publish(reply("first of first", first, root))

    records = molt("show", root, "--json").lines
    shown = [line.rstrip() for line in molt("show", root).stdout.splitlines()]

    assert [record["text"] for record in records] == [
        "root",
        "first",
        "first of first",
        "second",
    ]
    texts = [line for line in shown if line.endswith(("root", "first", "second"))]
    assert texts == ["  root", "    first", "      first of first", "    second"]


def test_a_text_is_shown_whole(molt: Molt, publish: Publish) -> None:
    (record,) = publish(post("\n".join(map(str, range(100)))))

    assert "\n  99" in molt("show", record).stdout


@pytest.mark.parametrize(
    ("record", "code"),
    [
        ("x", "bad-record-id"),
        ("../status", "bad-record-id"),
        ("x?y#z%", "bad-record-id"),
        (record_text(RecordId(bytes(32))), "not-found"),
    ],
)
def test_what_is_no_record_cannot_be_shown(molt: Molt, record: str, code: str) -> None:
    outcome = molt("show", record, "--json")

    assert (outcome.code, outcome.lines[-1]["code"]) == (1, code)


def test_status_says_that_no_node_runs(molt: Molt, publish: Publish) -> None:
    publish(post("hello"))

    (status,) = molt("status", "--json").lines
    shown = molt("status").stdout

    assert (status["status"], status["store"]["records"]) == ("stopped", 2)
    assert "agent, stopped" in shown


@pytest.mark.parametrize(
    "words",
    [
        ("post", "--community", "general", "hello"),
        ("post", "-"),
        ("reply", "x", "hello"),
        ("delete", "x"),
        ("profile", "--name", "Ada"),
        ("rotate",),
        ("connect", "x"),
        ("peers",),
        ("watch",),
    ],
)
def test_what_needs_a_node_is_refused_without_one(
    molt: Molt, words: tuple[str, ...]
) -> None:
    outcome = molt(*words, "--json", stdin=b'{"community": "general", "text": "x"}\n')

    assert outcome.code == 1
    assert outcome.lines[-1]["code"] == "not-running"
    assert outcome.lines[-1]["hint"].endswith(" run")


@pytest.mark.parametrize("name", ["feed", "status", "export", "verify-store"])
def test_without_a_home_one_is_asked_to_make_one(
    molt: Molt, tmp_path: Path, name: str
) -> None:
    missing = tmp_path / "missing"

    outcome = molt("--home", str(missing), name, "--json")

    assert (outcome.code, outcome.lines[-1]["code"]) == (1, "home-missing")
    assert "moltp2p init" in outcome.lines[-1]["hint"]
    assert not missing.exists()


def test_what_was_exported_can_be_imported_elsewhere(
    molt: Molt, publish: Publish, tmp_path: Path
) -> None:
    publish(*(post(str(number)) for number in range(300)))
    exported = molt("export").stdout
    file = tmp_path / "records.jsonl"
    file.write_text(exported)
    elsewhere = tmp_path / "elsewhere"
    Home(elsewhere).create()

    *verdicts, totals = molt(
        "--home", str(elsewhere), "import", str(file), "--json"
    ).lines
    again = molt("--home", str(elsewhere), "import", "-", stdin=exported)

    assert {(each["verdict"], each["code"]) for each in verdicts} == {("accept", "ok")}
    assert [each["line"] for each in verdicts] == list(range(1, 302))
    assert (totals["lines"], totals["accept"]) == (301, 301)
    assert again.stdout == "301 records: accept 0, ignore 301, reject 0, failed 0\n"
    assert molt("--home", str(elsewhere), "export").stdout == exported


def test_what_is_no_record_is_told_with_its_line(molt: Molt) -> None:
    bob = TestAgent("bob", network="main")
    lines = [b"nonsense", b""]
    for record in (bob.incept(), bob.post()):
        wire = base64.b64encode(record.wire()).decode()
        lines.append(json.dumps({"wire": wire}).encode())
    lines.append(b"x" * 600_000)

    outcome = molt("import", "-", stdin=b"\n".join(lines))

    assert outcome.code == 1
    assert outcome.stdout == "4 records: accept 2, ignore 0, reject 0, failed 2\n"
    assert "line 1: the body is not JSON (not-json)" in outcome.stderr
    assert "line 5: " in outcome.stderr


def test_a_store_in_order_is_reported_so(molt: Molt, publish: Publish) -> None:
    publish(post("hello"))

    (told,) = molt("verify-store", "--json").lines
    assert (told["status"], told["records"], told["damaged"]) == ("ok", 2, 0)
    assert molt("verify-store").stdout == "2 records, nothing damaged\n"


def test_settings_are_shown_with_what_they_mean(molt: Molt, home: Path) -> None:
    (home / "config.toml").write_text('communities = ["science"]\n')

    (told,) = molt("config", "check", "--json").lines
    shown = molt("config", "check").stdout

    assert told["settings"]["communities"] == ["science"]
    assert "science" in shown
    assert "in order" in shown


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("colour = 1\n", "unknown-setting"),
        ("target_peers = 'many'\n", "bad-setting"),
        ("communities = ['No Such']\n", "bad-setting"),
        ("not toml", "bad-setting"),
    ],
)
@pytest.mark.parametrize("words", [("config", "check"), ("feed",), ("run",)])
def test_settings_that_are_wrong_are_told_by_every_command_that_needs_them(
    molt: Molt, home: Path, content: str, code: str, words: tuple[str, ...]
) -> None:
    (home / "config.toml").write_text(content)

    outcome = molt(*words, "--json")

    assert (outcome.code, outcome.lines[-1]["code"]) == (1, code)
    assert "config.toml" in outcome.lines[-1]["message"]


def test_a_corrupt_key_file_is_told_and_left_alone(molt: Molt, home: Path) -> None:
    (home / "agent.key").write_text("{")

    outcome = molt("run", "--json")

    assert (outcome.code, outcome.lines[-1]["code"]) == (1, "bad-key-file")
    assert (home / "agent.key").read_text() == "{"


@pytest.mark.parametrize("name", ["", "agent.key"])
def test_keys_that_others_can_read_are_refused(
    molt: Molt, home: Path, name: str
) -> None:
    (home / name).chmod(0o755)

    outcome = molt("run", "--json")

    assert (outcome.code, outcome.lines[-1]["code"]) == (1, "key-permissions")
    assert "chmod" in outcome.lines[-1]["hint"]


def test_a_node_without_a_home_asks_for_one(molt: Molt, tmp_path: Path) -> None:
    outcome = molt("--home", str(tmp_path / "missing"), "run", "--json")

    assert (outcome.code, outcome.lines[-1]["code"]) == (1, "home-missing")
    assert "moltp2p init" in outcome.lines[-1]["hint"]

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from moltp2p.core.author import Draft
from moltp2p.core.ids import record_text
from moltp2p.core.kinds import Kind, Post
from moltp2p.core.record import parse
from moltp2p.node.home import Home
from moltp2p.proto.archive import ArchiveReader
from moltp2p.testing.factories import TestAgent
from tests.unit.cli.conftest import Molt

Publish = Callable[..., list[str]]


def post(text: str, community: str = "general") -> Draft:
    return Draft(Kind.POST, Post(text), community=community)


def ids_in(file: Path) -> list[str]:
    reader = ArchiveReader()
    found = [record_text(parse(wire).id) for wire in reader.feed(file.read_bytes())]
    reader.end()
    assert reader.is_whole
    return found


@pytest.fixture
def elsewhere(molt: Molt, tmp_path: Path) -> Molt:
    """Run a command line on another home, without an agent."""
    path = tmp_path / "elsewhere"
    Home(path).create()
    return lambda *words, **given: molt("--home", str(path), *words, **given)


def test_an_archive_imported_elsewhere_is_the_same_archive(
    molt: Molt, publish: Publish, elsewhere: Molt, tmp_path: Path
) -> None:
    publish(*(post(str(number)) for number in range(300)))
    file, again = tmp_path / "all.moltar", tmp_path / "again.moltar"

    told = molt("export", str(file))
    took = elsewhere("import", str(file))
    repeated = elsewhere("import", str(file), "--json")

    assert told.stdout == f"301 records written to {file}\n"
    assert took.stdout == "301 records: accept 301, ignore 0, reject 0, failed 0\n"
    assert repeated.lines[-1]["ignore"] == 301
    assert elsewhere("export", str(again)).code == 0
    (ours,), (theirs,) = (
        molt("status", "--json").lines,
        elsewhere("status", "--json").lines,
    )
    assert theirs["store"]["fingerprint"] == ours["store"]["fingerprint"]
    assert len(ours["store"]["fingerprint"]) == 32
    assert ids_in(again) == ids_in(file)


@pytest.mark.parametrize("name", ["all.moltar", "all.jsonl"])
def test_an_export_that_was_cut_anywhere_goes_on_and_lacks_nothing(
    molt: Molt, publish: Publish, elsewhere: Molt, tmp_path: Path, name: str
) -> None:
    publish(*(post(str(number)) for number in range(20)))
    file = tmp_path / name
    molt("export", str(file))
    whole = file.read_bytes()
    held = {line["id"] for line in molt("export").lines}

    for kept in (0, 1000, 1001, 1500, len(whole) // 2, len(whole) - 1, len(whole)):
        file.write_bytes(whole[:kept])
        assert molt("export", str(file), "--resume").code == 0
        took = elsewhere("import", str(file), "--json").lines[-1]
        assert (took["reject"], took["failed"]) == (0, 0)
        if name.endswith(".moltar"):
            assert set(ids_in(file)) == held
    assert {line["id"] for line in elsewhere("export").lines} == held


def test_an_export_that_is_there_is_not_written_over(
    molt: Molt, publish: Publish, tmp_path: Path
) -> None:
    publish(post("hello"))
    file = tmp_path / "all.moltar"
    file.write_bytes(b"precious")

    refused = molt("export", str(file), "--json")
    resumed = molt("export", str(file), "--resume", "--json")

    assert (refused.code, refused.lines[-1]["code"]) == (1, "file-exists")
    assert (resumed.code, resumed.lines[-1]["code"]) == (1, "bad-archive")
    assert file.read_bytes() == b"precious"


def test_a_part_is_exported_and_a_part_of_it_imported(
    molt: Molt, publish: Publish, elsewhere: Molt, tmp_path: Path
) -> None:
    publish(post("one", "art"), post("two", "art"), post("three"))
    file = tmp_path / "art.moltar"
    molt("export", str(file), "--community", "art", "--since", "1h")

    took = elsewhere("import", str(file), "--kind", "profile", "--json").lines[-1]
    more = elsewhere("import", str(file), "--until", "1h", "--json").lines[-1]
    rest = elsewhere("import", "-", "--community", "art", stdin=file.read_bytes())

    assert len(ids_in(file)) == 3
    assert (took["lines"], more["lines"]) == (1, 1)  # the inception, both times
    assert rest.stdout == "3 records: accept 2, ignore 1, reject 0, failed 0\n"


def test_json_lines_are_picked_from_too(
    molt: Molt, publish: Publish, elsewhere: Molt
) -> None:
    publish(post("one", "art"), post("two"))
    lines = molt("export", "--community", "art").stdout

    took = elsewhere("import", "-", "--community", "general", stdin=lines)

    assert len(lines.splitlines()) == 2
    assert took.stdout == "1 records: accept 1, ignore 0, reject 0, failed 0\n"


def test_what_comes_before_the_damage_is_taken_and_told(
    molt: Molt, publish: Publish, elsewhere: Molt, tmp_path: Path
) -> None:
    publish(*(post(str(number)) for number in range(5)))
    file = tmp_path / "all.moltar"
    molt("export", str(file))
    file.write_bytes(file.read_bytes()[:-200])

    took = elsewhere("import", str(file), "--json")

    *_, totals, problem = took.lines
    assert (took.code, problem["code"]) == (1, "bad-archive")
    assert totals["accept"] > 0


@pytest.mark.parametrize("when", ["yesterday", "2026-13-01", "7y", ""])
def test_a_time_that_is_none_is_wrong_usage(molt: Molt, when: str) -> None:
    assert molt("export", "--since", when).code == 2


def test_of_a_file_the_refused_are_named_by_their_place(
    elsewhere: Molt, tmp_path: Path
) -> None:
    bob = TestAgent("bob", network="main")
    bob.post()
    forged = dataclasses.replace(bob.post(), body=b"other")
    wires = [each.wire() for each in (*bob.records[:2], forged, bob.records[2])]
    (tmp_path / "x").write_bytes(b"".join(wires))

    outcome = elsewhere("import", str(tmp_path / "x"))

    assert outcome.code == 1
    assert outcome.stdout == "4 records: accept 3, ignore 0, reject 1, failed 0\n"
    assert outcome.stderr.startswith("line 3: ")


def test_of_many_refusals_for_one_reason_a_few_are_named_and_all_counted(
    elsewhere: Molt,
) -> None:
    lines = b"".join(b'{"wire": "%d"}\n' % number for number in range(25)) + b"[]\n"

    people = elsewhere("import", "-", stdin=lines)
    programs = elsewhere("import", "-", "--json", stdin=lines)

    named = [line for line in people.stderr.splitlines() if line.startswith("line ")]
    assert len(named) == 10
    assert people.stderr.splitlines()[-1].startswith("16 more: ")
    assert people.stdout == "26 records: accept 0, ignore 0, reject 0, failed 26\n"
    assert len(programs.lines) == 27


def test_an_empty_home_says_why_it_takes_nobody_at_their_word(
    molt: Molt,
    publish: Publish,
    elsewhere: Molt,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    publish(post("one"))
    lines = molt("export").stdout
    monkeypatch.setenv("MOLTP2P_ADMISSION", "proof")

    told = elsewhere("import", "-", stdin=lines)

    assert told.stdout == "2 records: accept 1, ignore 1, reject 0, failed 0\n"
    assert "an empty home counts nobody" in told.stderr


@pytest.mark.parametrize(
    "command", [("export",), ("import", os.devnull), ("stats",), ("dataset", "x")]
)
def test_times_with_nothing_between_them_are_refused(
    molt: Molt, command: tuple[str, ...]
) -> None:
    told = molt("--json", *command, "--since", "1h", "--until", "2h")

    assert (told.code, told.lines[-1]["code"]) == (1, "bad-option")

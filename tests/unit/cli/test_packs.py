"""`moltp2p packs`."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from moltp2p.proof.answers import read_answer

ROOT = Path(__file__).parents[3]
TALES = ROOT / "tests" / "proof" / "packs" / "tales.json"

Molt = Callable[..., Any]


def test_a_good_pack_is_told_to_be_one(molt: Molt) -> None:
    outcome = molt("packs", "check", str(TALES))
    (told,) = molt("packs", "check", "--json", str(TALES)).lines

    assert outcome.code == 0
    assert "ledger, seats, program, form, schedule" in outcome.stdout
    assert told["status"] == "ok"
    assert len(told["scenes"]) == 5


def test_everything_wrong_with_a_pack_is_told(molt: Molt, tmp_path: Path) -> None:
    pack = json.loads(TALES.read_text("utf-8"))
    pack["scenes"][0]["phrases"]["give"] = ["{a} gives {n}", "Orla {a} {b} {n}"]
    file = tmp_path / "bad.json"
    file.write_text(json.dumps(pack), "utf-8")

    outcome = molt("packs", "check", "--json", str(file))

    *problems, last = outcome.lines
    assert outcome.code == 1
    assert [each["code"] for each in problems] == ["bad-pack"] * 2
    assert "phrase 1: lacks {b}" in problems[0]["message"]
    assert last == {"status": "bad-pack", "count": 2}


def test_samples_come_with_their_answers(molt: Molt) -> None:
    told = molt("packs", "sample", "--json", "--count", "10").lines

    assert len({each["family"] for each in told}) == 5
    assert all(read_answer(each["answer"]) == each["answer"] for each in told)


SAY = """
import sys
print("it is a fact that " + sys.stdin.read().partition("\\n\\n")[2])
"""

SOLVE = """
import sys
from moltp2p.proof.families import FAMILIES
from moltp2p.proof.pack_reading import load_library
from scripts.solvers.exam import Task
from scripts.solvers.white_box import white_box
text = sys.stdin.read()
family = next(f for f in FAMILIES if text.endswith(FAMILIES[f].form))
plain = text.replace("it is a fact that ", "").replace("It is a fact that ", "")
print(white_box(load_library(), {family})(Task(family, plain, "")))
"""


@pytest.mark.slow
def test_a_model_lets_a_pack_grow(molt: Molt, home: Path, tmp_path: Path) -> None:
    say, solve = tmp_path / "say.py", tmp_path / "solve.py"
    say.write_text(SAY, "utf-8")
    solve.write_text(f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n{SOLVE}", "utf-8")
    programs = [shlex.join([sys.executable, str(file)]) for file in (say, solve)]

    outcome = molt(
        *("packs", "grow", "--json", "--count", "1"),
        *("--say", programs[0], "--solver", programs[1]),
    )

    file = home / "packs" / "grown.json"
    *told, last = outcome.lines
    assert last == {"status": "grown", "count": 1}
    assert "it is a fact that" in told[0]["phrase"]
    assert told[0]["phrase"] in file.read_text("utf-8")
    assert file.stat().st_mode & 0o777 == 0o600
    assert molt("packs", "check", str(file)).code == 0


def test_a_program_that_cannot_be_run_is_named(molt: Molt) -> None:
    outcome = molt("packs", "grow", "--json", "--say", "/no/such", "--solver", "x")

    assert outcome.code == 1
    assert outcome.lines[-1]["code"] == "solver-failed"

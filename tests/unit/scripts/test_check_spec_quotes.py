"""scripts/check_spec_quotes.py, over small trees of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.check_spec_quotes import check, main

REGISTRY = """\
# 09 registry

## Kinds

| word | meaning |
|---|---|
| `not-a-code` | a row of another table |

## Error codes

| code | who sees it | meaning |
|---|---|---|
| `too-large` | sender | more bytes than the limit |

### Local codes

| code | meaning |
|---|---|
| `disk-full` | no room |

## Features

| word | meaning |
|---|---|
| `nor-this` | a row of another table |
"""
USES_ALL = (
    'PeerError("too-large", "…")\nerrors.LocalError(code="disk-full", message="…")\n'
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A tree whose source and spec agree."""
    (tmp_path / "spec").mkdir()
    (tmp_path / "moltp2p" / "core").mkdir(parents=True)
    (tmp_path / "spec" / "09-registry.md").write_text(REGISTRY)
    (tmp_path / "spec" / "05-gossip.md").write_text(
        "A node MUST NOT send\nmore than 64   messages in one RPC.\n"
    )
    (tmp_path / "moltp2p" / "codes.py").write_text(USES_ALL)
    return tmp_path


def wrong_with(root: Path, source: str) -> tuple[str, ...]:
    (root / "moltp2p" / "core" / "limits.py").write_text(source)
    return check(root).wrong


@pytest.mark.parametrize(
    "source",
    [
        'N = 64  # SPEC 05: "more than 64 messages"\n',
        '# SPEC 05: "more than 64 messages"\nN = 64\n',
        '#SPEC 05:"more than 64 messages"\n',
        '# SPEC 05: "MUST NOT send more\n# than 64 messages in\n#   one RPC"\n',
        'N = 64  # SPEC 05: "more than\n# 64 messages"\n',
        'TEXT = "# SPEC 05: not a comment"\n',
    ],
)
def test_exact_words_are_right_however_they_are_broken(root: Path, source: str) -> None:
    assert wrong_with(root, source) == ()


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (
            'X = 1\nN = 65  # SPEC 05: "more than 65 messages"\n',
            'moltp2p/core/limits.py:2: spec 05 does not say "more than 65 messages"',
        ),
        (
            '# SPEC 05: "4 messages"\n',
            'moltp2p/core/limits.py:1: spec 05 does not say "4 messages"',
        ),
        (
            '# SPEC 05: "more than 64 mess"\n',
            'moltp2p/core/limits.py:1: spec 05 does not say "more than 64 mess"',
        ),
        (
            '# SPEC 05: "More than 64 messages"\n',
            'moltp2p/core/limits.py:1: spec 05 does not say "More than 64 messages"',
        ),
        (
            '# SPEC 06: "more than 64 messages"\n',
            "moltp2p/core/limits.py:1: there is no spec/06-*.md",
        ),
        (
            "# SPEC 05: more than 64 messages\n",
            'moltp2p/core/limits.py:1: not of the form # SPEC 05: "words"',
        ),
        (
            '# SPEC 05: ""\n',
            'moltp2p/core/limits.py:1: not of the form # SPEC 05: "words"',
        ),
        (
            '# SPEC 05: "more than\nN = 64  # 64 messages"\n',
            'moltp2p/core/limits.py:1: not of the form # SPEC 05: "words"',
        ),
    ],
)
def test_other_words_are_named_with_file_and_line(
    root: Path, source: str, sentence: str
) -> None:
    assert wrong_with(root, source) == (sentence,)


@pytest.mark.parametrize(
    "call",
    [
        'PeerError("made-up", "…")',
        'errors.UsageError("made-up", "…")',
        'LocalError(code="made-up", message="…")',
        'Ruling(Verdict.REJECT, "made-up")',
        'HangUp(peer, "made-up" if late else "too-large")',
    ],
)
def test_a_code_that_is_not_registered_is_named(root: Path, call: str) -> None:
    sentence = "moltp2p/core/limits.py:1: code 'made-up' is not in spec 09"

    assert wrong_with(root, call) == (sentence,)


@pytest.mark.parametrize(
    "call",
    [
        "UsageError(error.code, error.message)",
        "Ruling(Verdict.ACCEPT)",
        'ValueError("made-up")',
        'Forward("made-up", peer)',
        'click.UsageError("say where to")',
    ],
)
def test_what_names_no_code_of_its_own_is_left_alone(root: Path, call: str) -> None:
    assert wrong_with(root, call) == ()


def test_a_registered_code_that_nothing_uses_is_named(root: Path) -> None:
    (root / "moltp2p" / "codes.py").write_text('PeerError("too-large", "…")\n')

    assert check(root).wrong == ("spec 09: code 'disk-full' is used nowhere",)


def test_a_code_registered_twice_is_named(root: Path) -> None:
    twice = REGISTRY.replace("| `disk-full`", "| `too-large` | … |\n| `disk-full`")
    (root / "spec" / "09-registry.md").write_text(twice)

    assert check(root).wrong == ("spec 09: code 'too-large' stands there twice",)


def test_the_script_says_what_it_looked_at(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert wrong_with(root, '# SPEC 05: "64 messages"\n') == ()

    assert main(["--root", str(root)]) == 0
    assert capsys.readouterr().out == "1 quotes and 2 codes checked, all exact\n"


def test_the_script_fails_when_something_is_wrong(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert wrong_with(root, '# SPEC 06: "x"\n') != ()

    assert main(["--root", str(root)]) == 1
    assert capsys.readouterr().out.endswith("1 quotes and 2 codes checked, 1 wrong\n")

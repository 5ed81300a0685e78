#!/usr/bin/env python3
"""Hold the source to the spec: its quotes and its codes.

A comment `# SPEC 05: "some words"` claims that the words stand in spec/05-*.md.
White space does not count, and a quote may run on over comment lines:

    # SPEC 05: "a node MUST NOT send more
    # than 64 messages in one RPC"

A code is the word that names a failure. Each one that the source raises or rules
with stands in a table of spec/09-registry.md, below a heading with the word
"codes", as `| `too-large` | … |`; and each one in such a table is used.
"""

from __future__ import annotations

import argparse
import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import Final

REGISTRY: Final = "09"
CODE_POSITION: Final = {
    "MoltError": 0,
    "PeerError": 0,
    "UsageError": 0,
    "LocalError": 0,
    "Ruling": 1,
    "HangUp": 1,
}
"""Where the code stands among a constructor's positional arguments."""

_CLAIM: Final = re.compile(r"#\s*SPEC\b(?P<rest>.*)")
_QUOTE: Final = re.compile(r'\s*(?P<document>\d\d):\s*"(?P<words>.+)"')
_HEADING: Final = re.compile(r"(?P<level>#+)\s+(?P<title>.*)")
_ROW: Final = re.compile(r"\|\s*`(?P<code>[a-z0-9]+(?:-[a-z0-9]+)*)`\s*\|")


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a file; its text is what editors jump to."""

    file: Path
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Claim:
    """What follows `# SPEC` in a comment, continuation lines joined to it."""

    place: Place
    text: str


@dataclass(frozen=True, slots=True)
class Code:
    """A code written out in the arguments of a failure or ruling."""

    place: Place
    word: str


@dataclass(frozen=True, slots=True)
class Report:
    """What was looked at, and a sentence for each thing that is wrong."""

    quotes: int
    codes: int
    wrong: tuple[str, ...]


def plain(text: str) -> str:
    """Return `text` with every run of white space as one blank."""
    return " ".join(text.split())


def claims_in(source: str, file: Path) -> Iterator[Claim]:
    """Yield every `# SPEC` comment of a Python source."""
    comments = {
        token.start[0]: token
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    for line, token in comments.items():
        if match := _CLAIM.match(token.string):
            parts = [match["rest"]]
            for below in map(comments.get, count(line + 1)):
                whole = parts[-1].rstrip().endswith('"')
                if whole or below is None or not _stands_alone(below):
                    break
                parts.append(below.string.lstrip("# "))
            yield Claim(Place(file, line), plain(" ".join(parts)))


def _stands_alone(comment: tokenize.TokenInfo) -> bool:
    return not comment.line[: comment.start[1]].strip()


def judge_claim(claim: Claim, documents: dict[str, str]) -> str | None:
    """Return what is wrong with a claim, or None.

    Args:
        claim: the comment.
        documents: the plain text of each document, by its two digits.
    """
    match = _QUOTE.fullmatch(" " + claim.text)
    if match is None:
        return f'{claim.place}: not of the form # SPEC 05: "words"'
    if match["document"] not in documents:
        return f"{claim.place}: there is no spec/{match['document']}-*.md"
    # Whole words only: "8 references" does not stand in "18 references".
    words = re.compile(rf"(?<!\w){re.escape(match['words'])}(?!\w)")
    if not words.search(documents[match["document"]]):
        return (
            f'{claim.place}: spec {match["document"]} does not say "{match["words"]}"'
        )
    return None


def codes_in(tree: ast.AST, file: Path) -> Iterator[Code]:
    """Yield every code that stands literally in a failure or a ruling."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            for word in _literals(_code_argument(node)):
                yield Code(Place(file, node.lineno), word)


def _code_argument(call: ast.Call) -> ast.expr | None:
    if ast.unparse(call.func).startswith("click."):  # its UsageError has no code
        return None
    name = call.func.attr if isinstance(call.func, ast.Attribute) else call.func
    name = name.id if isinstance(name, ast.Name) else name
    position = CODE_POSITION.get(name) if isinstance(name, str) else None
    if position is None:
        return None
    if len(call.args) > position:
        return call.args[position]
    return next((word.value for word in call.keywords if word.arg == "code"), None)


def _literals(argument: ast.expr | None) -> Iterator[str]:
    match argument:
        case ast.Constant(value=str(word)):
            yield word
        case ast.IfExp(body=body, orelse=orelse):
            yield from _literals(body)
            yield from _literals(orelse)
        case _:  # a code handed on from another failure
            return


def registered_codes(registry: str) -> list[str]:
    """Return the codes of every table below a heading that names codes."""
    codes: list[str] = []
    level = 0  # of the heading we are below; 0 when it names no codes
    for line in registry.splitlines():
        if heading := _HEADING.match(line):
            if not level or len(heading["level"]) <= level:
                named = re.search(r"\bcodes?\b", heading["title"], re.IGNORECASE)
                level = len(heading["level"]) if named else 0
        elif level and (row := _ROW.match(line)):
            codes.append(row["code"])
    return codes


def judge_codes(
    used: Sequence[Code], words: set[str], registered: Sequence[str]
) -> Iterator[str]:
    """Yield what is wrong between the codes of the source and the registry.

    Args:
        used: the codes in failures and rulings.
        words: every string in the source; a code may also be used from a table.
        registered: the codes of the registry.
    """
    for code in used:
        if code.word not in registered:
            yield f"{code.place}: code {code.word!r} is not in spec {REGISTRY}"
    for word in sorted(set(registered)):
        if word not in words:
            yield f"spec {REGISTRY}: code {word!r} is used nowhere"
        if registered.count(word) > 1:
            yield f"spec {REGISTRY}: code {word!r} stands there twice"


def _strings(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def check(root: Path) -> Report:
    """Compare moltp2p/**/*.py below `root` with spec/*.md."""
    documents = {
        file.name[:2]: file.read_text(encoding="utf-8")
        for file in sorted((root / "spec").glob("[0-9][0-9]-*.md"))
    }
    sources = {
        file.relative_to(root): file.read_text(encoding="utf-8")
        for file in sorted((root / "moltp2p").rglob("*.py"))
    }
    trees = {file: ast.parse(source) for file, source in sources.items()}
    claims = [
        *chain.from_iterable(claims_in(text, file) for file, text in sources.items())
    ]
    used = [*chain.from_iterable(codes_in(tree, file) for file, tree in trees.items())]
    words = set(chain.from_iterable(_strings(tree) for tree in trees.values()))
    plain_documents = {number: plain(text) for number, text in documents.items()}
    judged = (judge_claim(claim, plain_documents) for claim in claims)
    registered = registered_codes(documents.get(REGISTRY, ""))
    wrong = [sentence for sentence in judged if sentence]
    wrong += judge_codes(used, words, registered)
    return Report(len(claims), len(registered), tuple(wrong))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what is wrong, then the figures; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=Path(__file__).parents[1])
    report = check(parser.parse_args(arguments).root)
    for sentence in report.wrong:
        print(sentence)
    print(f"{report.quotes} quotes and {report.codes} codes checked, ", end="")
    print(f"{len(report.wrong)} wrong" if report.wrong else "all exact")
    return 1 if report.wrong else 0


if __name__ == "__main__":
    sys.exit(main())

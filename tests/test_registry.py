"""What spec 09 assigns and what the source uses are the same, word for word.

Codes are for scripts/check_spec_quotes.py to compare, which says where one stands.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

from moltp2p.core.kinds import Kind
from moltp2p.core.topics import NetworkParams, all_topics
from moltp2p.proto.admission.rules import Objection

ROOT = Path(__file__).parents[1]
REGISTRY = (ROOT / "spec" / "09-registry.md").read_text("utf-8")
PROTOCOL = re.compile(r"/[a-z0-9-]+(?:/[a-z0-9-]+)*/[0-9]+\.[0-9]+\.[0-9]+(?:/[a-z]+)?")
TAG = re.compile(r"(?<![/\w])moltp2p[/-][a-z]+/[0-9]+/?")
HASHED = re.compile(r"[a-z]+")
NEGOTIATED_BY_LIBP2P = {"/multistream/1.0.0", "/noise", "/yamux/1.0.0"}


def rows(section: int) -> list[list[str]]:
    """Return the cells of a section's table, row by row, its head left out."""
    lines = iter(REGISTRY.splitlines())
    next(line for line in lines if line.startswith(f"## {section}. "))
    within = takewhile(lambda line: not line.startswith("## "), lines)
    table = [line for line in within if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table[2:]]


def words(section: int) -> list[str]:
    """Return the words in the first cells of a section's table."""
    return [word for row in rows(section) for word in re.findall(r"`([^`]+)`", row[0])]


def trees(folder: str = "") -> Iterator[ast.AST]:
    for file in sorted((ROOT / "moltp2p" / folder).rglob("*.py")):
        yield ast.parse(file.read_text("utf-8"))


def literals(folder: str = "") -> set[str]:
    """Return every text and every ASCII bytes of the source, parts of f-strings too."""
    nodes = [each for tree in trees(folder) for each in ast.walk(tree)]
    values = [each.value for each in nodes if isinstance(each, ast.Constant)]
    return {each for each in values if isinstance(each, str)} | {
        each.decode() for each in values if isinstance(each, bytes) and each.isascii()
    }


def texts(node: ast.expr) -> Iterator[str]:
    """Yield the texts that an expression may be; of an f-string how it begins."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.IfExp(body=body, orelse=orelse):
            yield from texts(body)
            yield from texts(orelse)
        case ast.JoinedStr(values=[ast.Constant(value=str(begins)), *_]):
            yield f"{begins}…"
        case _:  # handed on from somewhere else
            return


def causes(tree: ast.AST) -> Iterator[str]:
    """Yield the causes of drops: counted here, or returned by an `_objection`."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr="drop"), args=[_, cause, *_]):
                yield from texts(cause)
            case ast.Subscript(
                value=ast.Name(id="drops") | ast.Attribute(attr="drops"), slice=cause
            ):
                yield from texts(cause)
            case ast.FunctionDef(name="_objection"):
                returned = [n for n in ast.walk(node) if isinstance(n, ast.Return)]
                for each in returned:
                    yield from texts(each.value or ast.Constant(None))
            case _:
                pass


def test_every_kind_has_its_number_and_its_name() -> None:
    assert [(int(number), name) for number, name, *_ in rows(1)] == [
        (kind.value, kind.name.lower()) for kind in Kind
    ]


def test_every_word_in_records_is_one_that_the_source_reads() -> None:
    rows_of_words = {each for each in literals("core") if each.count(" ") < 3}

    assert set(words(2)) <= set(" ".join(rows_of_words).split())


def test_every_tag_of_what_is_signed_hashed_or_kept_in_a_file_is_registered() -> None:
    registered = set(words(3))
    used = {tag for literal in literals() for tag in TAG.findall(literal)}

    # Those of H(word, …) are put together from the word.
    hashed = {
        f"moltp2p/{each}/1" for each in literals("core") if HASHED.fullmatch(each)
    }
    assert used <= registered
    assert registered - used <= hashed


def test_every_protocol_is_registered() -> None:
    registered, found = set(words(4)), literals()

    assert {each for each in found if PROTOCOL.fullmatch(each)} <= registered
    assert registered - found == NEGOTIATED_BY_LIBP2P  # all others are spoken here


def test_topics_are_written_as_registered() -> None:
    shown = [each.replace("<network>", "test").replace("<n>", "0") for each in words(5)]

    assert shown == all_topics(NetworkParams("test"))[:2]


def test_every_cause_of_a_drop_is_registered() -> None:
    folders = ("proto/gossip", "net", "node")
    used = {cause for each in folders for tree in trees(each) for cause in causes(tree)}

    assert set(words(7)) == used


def test_every_reason_not_to_count_an_attestation_is_registered() -> None:
    assert set(words(8)) == {each.value for each in Objection} | {"counts"}

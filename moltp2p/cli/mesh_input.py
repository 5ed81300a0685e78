"""What the agents of `moltp2p mesh` post: JSON lines, or a sample."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path

from moltp2p.core.errors import MoltError, UsageError
from moltp2p.core.kinds import Kind, Post, encode_body, parse_body
from moltp2p.core.topics import check_community
from moltp2p.testing.members import Text


def read_texts(source: str | None) -> list[Text]:
    """Return what to post.

    Raises:
        UsageError: `bad-input`, naming the line.
    """
    if source == "-":
        return _parse(sys.stdin, "standard input")
    if source is None:
        sample = files("moltp2p.testing") / "sample.jsonl"
        return _parse(sample.read_text("utf-8").splitlines(), "the sample")
    try:
        with Path(source).open(encoding="utf-8") as lines:
            return _parse(lines, source)
    except OSError as error:
        raise UsageError("bad-input", f"{source}: {error.strerror}") from None


def _parse(lines: Iterable[str], name: str) -> list[Text]:
    texts = [_text(line, f"{name}, line {n}") for n, line in enumerate(lines, 1)]
    if not texts:
        raise UsageError("bad-input", f"{name} has no lines")
    return texts


def _text(line: str, where: str) -> Text:
    try:
        fields = json.loads(line)
        community, body = check_community(fields["community"]), fields["body"]
        parse_body(Kind.POST, encode_body(Post(body)))
    except (ValueError, KeyError, TypeError, MoltError) as error:
        raise UsageError(
            "bad-input",
            f"{where}: {error}",
            'each line is {"community": "…", "body": "…"}',
        ) from None
    return Text(community, body)

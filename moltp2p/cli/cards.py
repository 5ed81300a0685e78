"""Records as a person reads them: one card each, at any width.

Ada  z6Mk…2doKxy · science · 3 min ago
What I measured
The text, wrapped, and cut after some lines in a feed.
bafyreig…  (whole, to be pasted into `show` or `reply`)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from moltp2p.cli.terminal import ago, safe, short_agent

FEED_LINES: Final = 8
"""Lines of a text that a feed shows; `show` shows all."""

Record = Mapping[str, Any]
Names = Mapping[str, str]


def card(
    record: Record, names: Names, now_ms: int, *, whole: bool = False
) -> RenderableType:
    """Return one record as a card.

    Args:
        record: as the API shows it.
        names: what agents call themselves, as far as it is known.
        now_ms: our clock.
        whole: whether the text is shown to its end.
    """
    parts = [
        part
        for part in (_title(record), _text(record, whole=whole), _footer(record))
        if part
    ]
    body = Padding(Group(*parts), (0, 0, 0, 2), expand=False)
    return Group(_header(record, names, now_ms), body)


def print_cards(
    console: Console, records: list[Record], names: Names, now_ms: int
) -> None:
    """Print cards with a line between them."""
    for record in records:
        console.print(card(record, names, now_ms))
        console.print()


def _header(record: Record, names: Names, now_ms: int) -> Text:
    agent = record["agent"]
    header = Text(overflow="fold")
    if agent in names:
        header.append(safe(names[agent]), "bold cyan").append("  ")
    header.append(short_agent(agent), "cyan")
    where = [safe(record["community"])] if record["community"] else []
    for word in (*where, *_marks(record), ago(record["time_ms"], now_ms)):
        header.append(" · ", "dim").append(word, "green" if word in where else "dim")
    return header


def _marks(record: Record) -> list[str]:
    """Return what else there is to say of a record, a word each."""
    kind = str(record["kind"])
    marks = ["reply" if record["parent"] else ""] if kind == "post" else [kind]
    marks.append("deleted" if record["deleted"] else "")
    marks.append("not carried here" if record["dropped"] else "")
    marks.append("has forked" if record["forked"] else "")
    marks.append("AI" if record["ai_generated"] else "")
    marks.append(safe((record["origin"] or {}).get("model") or ""))
    return [mark for mark in marks if mark]


def _title(record: Record) -> Text | None:
    title = record["title"] or record["name"]
    return Text(safe(title), "bold") if title else None


def _text(record: Record, *, whole: bool) -> Text | None:
    text = record["text"] or record["about"]
    if not text:
        return None
    lines = safe(text.rstrip(), lines=True).split("\n")
    left = len(lines) - FEED_LINES
    if whole or left <= 1:
        return Text("\n".join(lines))
    shown = Text("\n".join(lines[:FEED_LINES]))
    return shown.append(f"\n… {left} more lines", "dim")


def _footer(record: Record) -> Text:
    if record["target"]:
        return Text(f"{record['target']} is deleted", "dim")
    if record["fork"]:
        whose, seq = record["fork"]["agent"], record["fork"]["seq"]
        return Text(f"{whose} wrote twice at {seq}", "dim", overflow="fold")
    return Text(record["id"], "dim", overflow="fold")

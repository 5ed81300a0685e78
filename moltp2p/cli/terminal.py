"""Words on a terminal: strangers' text made harmless, times and ids made short."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime
from typing import Final

_HARMLESS_FORMAT: Final = "\u200c\u200d"
"""Joiners: scripts and emoji need them, and they move nothing."""

_UNSAFE_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Control and format characters (bidirectional overrides among them), halves of
surrogate pairs, and the separators that some terminals take for a line's end."""

MIB: Final = 2**20
MINUTE_S: Final = 60
HOUR_S: Final = 3_600
DAY_S: Final = 86_400


def safe(text: str, *, lines: bool = False) -> str:
    r"""Return text that moves no cursor, hides nothing and says nothing backwards.

    Args:
        text: whatever a stranger wrote.
        lines: whether line ends stay; otherwise they are shown as all the rest.

    Characters that could do such things are shown as `\x1b` or `\u202e`.
    """
    if lines:
        text = text.replace("\r\n", "\n").replace("\t", "    ")
    return "".join(
        character if _is_safe(character, lines=lines) else _shown(character)
        for character in text
    )


def _is_safe(character: str, *, lines: bool) -> bool:
    if character == "\n":
        return lines
    return (
        character in _HARMLESS_FORMAT
        or unicodedata.category(character) not in _UNSAFE_CATEGORIES
    )


def _shown(character: str) -> str:
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def now_ms() -> int:
    """Return our clock, milliseconds since 1970 UTC."""
    return int(datetime.now(UTC).timestamp() * 1000)


def ago(time_ms: int, now_ms: int) -> str:
    """Return how long ago something was, as one would say it."""
    elapsed_s = (now_ms - time_ms) // 1000
    if elapsed_s < -MINUTE_S:
        return f"in {span(-elapsed_s)}"
    if elapsed_s < 10:
        return "just now"
    return f"{span(elapsed_s)} ago"


def moment(time_ms: int) -> str:
    """Return a time to the minute, in UTC; as a number where no calendar has it."""
    try:
        when = datetime.fromtimestamp(time_ms / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return f"{time_ms} ms"
    return when.strftime("%Y-%m-%d %H:%M UTC")


def span(seconds: float) -> str:
    """Return a length of time in its largest whole unit."""
    if seconds < MINUTE_S:
        return f"{int(seconds)} s"
    if seconds < HOUR_S:
        return f"{int(seconds // MINUTE_S)} min"
    if seconds < DAY_S:
        return f"{int(seconds // HOUR_S)} h"
    return f"{int(seconds // DAY_S)} d"


def mebibytes(size_bytes: int) -> str:
    """Return how large something is, to a tenth of a MiB; what is small in KiB."""
    if size_bytes < MIB:
        return f"{size_bytes / 1024:,.1f} KiB"
    return f"{size_bytes / MIB:,.1f} MiB"


def short_agent(agent: str) -> str:
    """Return an agent's name in brief: enough to tell two apart at a glance."""
    key = agent.removeprefix("did:key:")
    return f"{key[:4]}…{key[-6:]}"

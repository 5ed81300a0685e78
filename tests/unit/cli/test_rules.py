"""How bans and allowances read."""

from __future__ import annotations

from typing import Any

from moltp2p.cli.admin.rules import _in_words

NOW_MS = 1_800_000_000_000
RULE: dict[str, Any] = {
    "subject": "203.0.113.0/24",
    "allows": False,
    "since_ms": NOW_MS - 60_000,
    "until_ms": NOW_MS + 7 * 86_400_000,
    "reason": "handshakes, all\x1bnight",
}


def test_a_ban_is_a_sentence() -> None:
    assert _in_words(RULE, NOW_MS) == (
        "banned since 2027-01-15 07:59 UTC, for 7 d more: handshakes, all\\x1bnight"
    )


def test_an_allowance_may_have_neither_end_nor_reason() -> None:
    rule = RULE | {"allows": True, "until_ms": None, "reason": ""}

    assert _in_words(rule, NOW_MS) == "allowed since 2027-01-15 07:59 UTC, for ever"

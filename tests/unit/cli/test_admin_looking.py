"""What an operator sees of peers: whole ids, aligned figures, topics in order."""

from __future__ import annotations

from moltp2p.cli.admin.looking import _numbered, in_columns


def test_figures_stand_under_each_other_and_the_last_word_is_free() -> None:
    rows = [("for", "score", "address"), ("12 min", "-2.5", "/ip6/2001:db8::1")]

    assert in_columns(rows) == [
        "   for  score  address",
        "12 min   -2.5  /ip6/2001:db8::1",
    ]


def test_shard_2_comes_before_shard_10() -> None:
    names = ["x/shard/10", "x/agents", "x/shard/2", "odd"]

    topics = sorted(({"topic": name} for name in names), key=_numbered)

    assert [each["topic"] for each in topics] == [
        "odd",
        "x/agents",
        "x/shard/2",
        "x/shard/10",
    ]

"""How scores look to people."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from moltp2p.cli.peers import _scores

ALICE = "12D3KooWAlice" + "x" * 39
BOB = "12D3KooWBobby" + "x" * 39


def test_a_score_is_shown_with_what_it_is_made_of() -> None:
    parts = {
        "score": -1040.0,
        "credit": 3.5,
        "blame": -1040.0,
        "invalid": -1000.0,
        "faults": -40.0,
        "colocation": 0.0,
        "behaviour": 0.0,
        "topics": {},
        "means": "no-messages",
    }
    peers: list[dict[str, Any]] = [
        {"peer": ALICE, "score": parts},
        {"peer": BOB, "score": None},
    ]
    told = io.StringIO()

    Console(file=told, width=100).print(_scores(peers))

    head, alice, bob = (line.split() for line in told.getvalue().splitlines())
    assert head[:4] == ["peer", "score", "credit", "invalid"]
    assert alice[1:4] == ["-1040.0", "3.5", "-1000.0"]
    assert (alice[-1], bob[1:]) == ("no-messages", ["-"])

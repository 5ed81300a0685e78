"""What `status` shows of a store that cannot be written."""

from __future__ import annotations

from typing import Any

from moltp2p.cli.status import _rows

STATUS: dict[str, Any] = {
    "status": "running",
    "role": "listener",
    "uptime_s": 60.0,
    "network": "main",
    "home": "/srv/molt",
    "agent": None,
    "proof": None,
    "gossip": None,
    "sync": None,
    "retention": {"used_bytes": 0, "budget_bytes": 0, "horizon_ms": 0, "keep": "all"},
    "store": {"state": "ok", "records": 5, "waiting": 0, "fingerprint": "00" * 16},
}


def test_a_node_that_writes_says_nothing_of_it() -> None:
    assert "read-only" not in dict(_rows(STATUS))


def test_a_read_only_node_says_since_when_why_and_what_to_do() -> None:
    store = STATUS["store"] | {
        "state": "disk-full",
        "read_only_s": 180.0,
        "hint": "make room on the disk",
    }

    rows = list(_rows(STATUS | {"store": store}))

    assert rows[-2:] == [
        ("read-only", "for 3 min: disk-full"),
        ("", "make room on the disk"),
    ]


PROOF: dict[str, Any] = {
    "state": "unverified",
    "expires_ms": None,
    "is_ready": True,
    "phase": "waiting",
    "tries": 0,
    "attestations": 0,
    "slots_left": 3,
}


def test_an_agent_without_a_proof_sees_what_is_missing() -> None:
    idle = PROOF | {"phase": "idle", "is_ready": False}

    waiting = dict(_rows(STATUS | {"proof": PROOF}))["proof"]
    by_hand = dict(_rows(STATUS | {"proof": idle}))["proof"]

    assert waiting.startswith("unverified: nobody who counts can be asked yet; 3 of 4")
    assert by_hand.startswith("unverified: give the node a solver")


def test_an_agent_with_a_proof_sees_how_long_it_holds() -> None:
    proof = PROOF | {"state": "challenger", "expires_ms": 1_800_000_000_000}

    (row,) = [
        text for name, text in _rows(STATUS | {"proof": proof}) if name == "proof"
    ]

    assert row.startswith("challenger until 2027-01-15 08:00 UTC")

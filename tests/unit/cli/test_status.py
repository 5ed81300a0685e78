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
    "gossip": None,
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

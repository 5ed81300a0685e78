"""What `status` shows of a store that cannot be written."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from moltp2p.cli.status import (
    _dial,
    _finding_rows,
    _limit_rows,
    _proof_rows,
    _relay_rows,
    _rows,
)
from moltp2p.proto.peers.relay_desk import RelayLimits, RelayStats

STATUS: dict[str, Any] = {
    "status": "running",
    "role": "listener",
    "uptime_s": 60.0,
    "network": "main",
    "home": "/srv/molt",
    "agent": None,
    "proof": None,
    "census": None,
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


NOW_MS = 1_800_000_000_000
DAY_MS = 86_400_000
PROOF: dict[str, Any] = {
    "state": "unverified",
    "expires_ms": None,
    "renew_ms": None,
    "revoked_ms": None,
    "solver": "by-hand",
    "is_needed": True,
    "is_ready": True,
    "phase": "waiting",
    "tries": 0,
    "attestations": 0,
    "slots_left": 3,
    "last_error": "",
}


def proof_row(**fields: Any) -> str:
    return dict(_proof_rows(PROOF | fields, NOW_MS))["proof"]


def test_an_agent_without_a_proof_sees_what_is_missing() -> None:
    assert proof_row() == "unverified: nobody who counts can be asked yet"
    assert proof_row(phase="idle", is_ready=False).startswith(
        "unverified: run moltp2p prove"
    )
    assert proof_row(phase="idle") == "unverified: about to begin"
    assert "1,024 tries" in proof_row(phase="ticket", tries=1024)


def test_an_agent_with_a_proof_sees_how_long_it_holds() -> None:
    times = {"expires_ms": NOW_MS + 5 * DAY_MS, "renew_ms": NOW_MS + DAY_MS}

    row = proof_row(state="challenger", **times)

    assert row == "challenger for 5 d, until 2027-01-20 08:00 UTC"


def test_a_proof_that_ends_soon_says_what_is_done_about_it() -> None:
    times = {"expires_ms": NOW_MS + DAY_MS, "renew_ms": NOW_MS - DAY_MS}

    left_alone = proof_row(state="verified", phase="idle", is_ready=False, **times)
    asking = proof_row(state="verified", phase="asking", attestations=2, **times)

    assert "to be renewed: run moltp2p prove" in left_alone
    assert "to be renewed: 2 attestations so far" in asking


def test_a_proof_that_is_over_is_no_proof() -> None:
    over = {"expires_ms": NOW_MS, "renew_ms": NOW_MS - DAY_MS, "is_ready": False}

    row = proof_row(phase="idle", **over)

    assert row.startswith("unverified: expired 2027-01-15 08:00 UTC; run moltp2p prove")


def test_a_revoked_proof_says_how_to_prove_anew() -> None:
    over = {"expires_ms": NOW_MS, "renew_ms": NOW_MS - DAY_MS, "revoked_ms": NOW_MS}

    row = proof_row(phase="idle", **over)

    assert row == "revoked 2027-01-15 08:00 UTC; moltp2p prove proves it anew"


def test_on_an_open_network_no_proof_is_needed() -> None:
    rows = dict(_proof_rows(PROOF | {"is_needed": False}, NOW_MS))

    assert rows == {"proof": "none is needed: the network is open"}


def test_status_shows_slots_and_why_the_solver_failed_last() -> None:
    failed = PROOF | {"solver": "openai", "last_error": "solver-failed: HTTP 500"}

    rows = dict(_proof_rows(failed, NOW_MS))

    assert rows["slots"] == "3 left for others this hour"
    assert rows["solver"] == "openai, last failure: solver-failed: HTTP 500"


def test_every_limit_is_shown_with_what_of_it_is_in_use() -> None:
    limits: dict[str, Any] = {
        "max_inbound": {"limit": 192, "used": 7, "refused": 3},
        "address_per_s": {"limit": 2, "used": None, "refused": 0},
        "up_kib": {"limit": 0, "used": 1_234, "refused": 0},
        "down_kib": {"limit": 0, "used": 0, "refused": 0},
    }

    assert list(_limit_rows(limits)) == [
        ("limits", "max_inbound 7/192, address_per_s -/2, up_kib 1,234/∞"),
        ("", "down_kib 0/∞"),
    ]


def test_a_dial_says_why_it_failed_and_when_it_is_tried_again() -> None:
    dial = {"state": "waiting", "last_error": "hung-up", "next_attempt_s": 27.8}

    assert _dial(dial) == "waiting (hung-up), again in 27 s"
    assert _dial(dial | {"state": "dialling", "next_attempt_s": 0.0}) == (
        "dialling (hung-up)"
    )


def test_a_node_says_how_many_agents_count_here() -> None:
    census = {"unverified": 2, "verified": 3, "challengers": 1_200, "known": 9}
    census |= {"attestations": 4_812, "quorum": 4}

    assert dict(_rows(STATUS | {"census": census}))["agents"] == (
        "1,203 count, 1,200 of them may attest; 2 with a proof that does not count; "
        "4,812 attestations held"
    )
    nobody = dict.fromkeys(census, 0)
    row = dict(_rows(STATUS | {"census": nobody}))["agents"]
    assert row == "nobody counts here yet"
    assert "agents" not in dict(_rows(STATUS))


def test_a_first_peers_name_that_leads_nowhere_is_told() -> None:
    name = {"name": "/dnsaddr/x.org", "addresses": 0, "last_error": "name-unknown"}
    finding = {
        "book": {"tried": 4, "told": 9, "outbound": 2, "slots": 8},
        "reach": "closed",
        "names": [name | {"message": "no\x1bbody"}, name | {"last_error": ""}],
        "relayed": [],
        "relay": None,
    }

    assert list(_finding_rows(finding)) == [
        ("finding", "4 addresses worked, 9 more were told"),
        ("", "2 of 8 slots for dialling filled"),
        ("", "others cannot dial us"),
        ("name", "no\\x1bbody (name-unknown)"),
    ]


def test_a_relay_tells_what_it_carries_and_its_limits() -> None:
    stats = RelayStats(3, 2, 5 * 2**20, 1_204, RelayLimits(circuit_s=5_400.0))

    rows = list(_relay_rows(asdict(stats)))
    from_before_an_upgrade = asdict(stats)
    del from_before_an_upgrade["limits"]

    assert rows == [
        ("relay", "reservations 3, connections 2, carried 5.0 MiB, refused 1,204"),
        ("", "at most 128 and 64, 8 and 16 of a site, 8 connections of a peer"),
        ("", "a connection 64 MiB, 90 min at most"),
    ]
    assert list(_relay_rows(from_before_an_upgrade)) == rows[:1]

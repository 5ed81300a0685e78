"""Who attested whom, as a tree on a terminal."""

from __future__ import annotations

from io import StringIO
from typing import Any

from rich.console import Console

from moltp2p.cli.attestations import tree

ALICE, BOB, CAROL = (f"did:key:z6Mk{name * 6}" for name in ("alice", "bobby", "carol"))
NOW_MS = 1_800_000_000_000


def standing(agent: str, *branches: dict[str, Any], **fields: Any) -> dict[str, Any]:
    told = {"agent": agent, "state": "challenger", "depth": 0, "expires_ms": NOW_MS}
    return told | {"is_cut": False, "attested_by": list(branches)} | fields


def branch(
    attester: dict[str, Any], code: str = "counts", proof: str = "bafy1"
) -> dict[str, Any]:
    told = {"attestation": proof, "attester": attester, "counts": code == "counts"}
    reason = {"counts": "it counts", "expired": "it has expired"}[code]
    times = {"time_ms": NOW_MS, "expires_ms": NOW_MS}
    return told | {"code": code, "reason": reason} | times


def drawn(pedigree: dict[str, Any], own: str | None = None) -> list[str]:
    """Return the lines that a terminal shows."""
    console = Console(file=StringIO(), width=120)
    console.print(tree(pedigree, own))
    assert isinstance(console.file, StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_each_attestation_says_whether_it_counts_or_why_not() -> None:
    counts, counted = "challenger, challenged by this node", "2027-01-15 08:00 UTC"

    lines = drawn(
        standing(
            ALICE,
            branch(standing(BOB)),
            branch(standing(CAROL, depth=None, state="unverified"), "expired"),
            depth=1,
        )
    )

    assert lines == [
        ALICE,
        "challenger, depth 1",
        f"├── ✓ z6Mk…ybobby {counts} · until {counted}",
        "└── ✗ z6Mk…lcarol unverified · it has expired (expired)",
    ]


def test_those_who_attest_for_the_attesters_stand_below_them() -> None:
    attester = standing(BOB, branch(standing(ALICE, is_cut=True)), depth=1)

    lines = drawn(standing(CAROL, branch(attester), depth=2), own=ALICE)

    assert lines[2].startswith("└── ✓ z6Mk…ybobby challenger, depth 1")
    assert lines[3].startswith("    └── ✓ z6Mk…ealice challenger, this node's own")
    assert lines[4] == "        └── …"


def test_an_earlier_proof_is_told_from_the_newest() -> None:
    lines = drawn(
        standing(
            ALICE, branch(standing(BOB)), branch(standing(BOB), "expired", "bafy0")
        )
    )

    assert "earlier" not in lines[2]
    assert lines[3].endswith("it has expired (expired) · of an earlier proof")


def test_nobody_attests_for_a_stranger() -> None:
    lines = drawn(standing(ALICE, depth=None, state="unverified", expires_ms=None))

    assert lines[1] == "unverified"
    assert "nobody attests" in lines[2]

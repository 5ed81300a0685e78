"""How `sync` and `status` say how a node stands with its peers."""

from __future__ import annotations

from typing import Any

import pytest

from moltp2p.cli.status import _sync_rows
from moltp2p.cli.sync import _summary, _told

BOB = "12D3KooWabcdefghijklmnop"


def peer(**fields: Any) -> dict[str, Any]:
    plain = {"peer": BOB, "running": False, "behind": 0, "agreed_s": 65.0}
    return plain | {"gained": 0, "failure": None} | fields


@pytest.mark.parametrize(
    ("last", "said"),
    [
        (("alone", 0, []), "No peers. Give `run` a --bootstrap address."),
        (("synced", 0, [peer()]), "Nothing differs from 1 peer."),
        (
            ("synced", 1234, [peer(), peer()]),
            "1,234 records came; nothing differs from 2 peers.",
        ),
        (
            ("incomplete", 5, [peer(behind=7), peer(failure="slow")]),
            (
                "5 records came.\n1 peer has more that we could not get.\n"
                "12D3KooW…klmnop: slow"
            ),
        ),
        (
            ("incomplete", 0, [peer(failure="wrong-network")]),
            (
                "0 records came.\n"
                "12D3KooW…klmnop: it is on another network (wrong-network)"
            ),
        ),
    ],
)
def test_a_sync_ends_with_a_sentence(
    last: tuple[str, int, list[dict[str, Any]]], said: str
) -> None:
    status, gained, peers = last

    assert _summary({"status": status, "gained": gained, "peers": peers}) == said


@pytest.mark.parametrize(
    ("fields", "got", "said"),
    [
        ({"behind": None}, 0, "comparing"),
        ({"running": True, "behind": 0}, 0, "comparing"),
        ({"running": True, "behind": 9_000}, 1_000, "1,000 of 10,000 known so far"),
        ({}, 10_000, "10,000 came"),
        ({}, 0, "nothing differs"),
        ({"failure": "too-slow", "behind": None}, 0, "too-slow"),
    ],
)
def test_a_bar_says_how_far_it_is_with_a_peer(
    fields: dict[str, Any], got: int, said: str
) -> None:
    told = peer(**fields)

    assert _told(told, got, got + (told["behind"] or 0)) == said


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "nothing differs, agreed 1 min ago"),
        ({"agreed_s": None, "behind": None}, "not compared yet"),
        ({"behind": 1234}, "has 1,234 records that we lack, agreed 1 min ago"),
        ({"running": True}, "comparing, agreed 1 min ago"),
        ({"failure": "too-slow", "agreed_s": None}, "failed: too-slow"),
    ],
)
def test_status_says_how_far_behind_a_peer_we_are(
    fields: dict[str, Any], said: str
) -> None:
    ((name, row),) = _sync_rows([peer(**fields)])

    assert (name, row) == ("sync", f"12D3KooW…klmnop {said}")


def test_status_shows_those_first_of_which_we_lack_most() -> None:
    rows = [row for _, row in _sync_rows([peer(behind=n) for n in range(10)])]

    assert "has 9 records" in rows[0]
    assert rows[-1] == "and 2 more peers"

"""What the API tells while a node compares with its peers."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from moltp2p.api.schemas import SyncOut
from moltp2p.api.syncing import views
from moltp2p.api.views import View
from moltp2p.core.ids import PeerId
from moltp2p.node.status import PeerSyncStatus, SyncStatus


def peer(
    *, behind: int | None = 0, gained: int = 0, failure: str | None = None
) -> PeerSyncStatus:
    agreed_s = None if behind or failure else 0.0
    return PeerSyncStatus(PeerId("bob"), False, behind, agreed_s, gained, failure)


async def told(*steps: list[PeerSyncStatus]) -> list[View]:
    async def run() -> AsyncIterator[SyncStatus]:
        for peers in steps:
            yield SyncStatus(peers, {})

    found = [view async for view in views(run())]
    for view in found:
        SyncOut.model_validate(view)
    return found


async def test_each_step_is_told_and_the_last_line_says_how_it_ended() -> None:
    steps = [
        [peer(behind=None, gained=10)],
        [peer(behind=30, gained=30)],
        [peer(gained=60)],
    ]

    found = await told(*steps)

    assert [(view["status"], view["gained"], view["behind"]) for view in found] == [
        ("syncing", 0, 0),
        ("syncing", 20, 30),
        ("syncing", 50, 0),
        ("synced", 50, 0),
    ]


@pytest.mark.parametrize(
    ("peers", "word"),
    [
        ([], "alone"),
        ([peer()], "synced"),
        ([peer(), peer(behind=3)], "incomplete"),
        ([peer(), peer(failure="too-slow")], "incomplete"),
    ],
)
async def test_how_it_ended_is_one_word(peers: list[PeerSyncStatus], word: str) -> None:
    assert (await told(peers))[-1]["status"] == word


async def test_offline_nothing_can_be_compared(http: httpx.AsyncClient) -> None:
    answer = await http.post("/sync")

    assert answer.status_code == 409
    assert answer.json()["code"] == "offline"

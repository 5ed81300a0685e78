"""The routes of the proof, on a node that has nobody to prove anything to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
import trio
from trio.testing import MockClock

from moltp2p.api.proof_models import ChallengedOut, PedigreeOut
from moltp2p.api.proving import write_events
from moltp2p.api.reading import HEARTBEAT_S
from moltp2p.api.views import challenged_view, pedigree_view
from moltp2p.core.ids import AgentId, RecordId, agent_text
from moltp2p.node.node import Node
from moltp2p.node.proving.telling import Event, Proceedings, Telling
from moltp2p.node.proving.verify_stream import Ended
from moltp2p.proto.admission.pedigree import Branch, Pedigree
from moltp2p.proto.challenge.events import Failed

STRANGER = agent_text(AgentId(bytes(32)))


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/prove", {}),
        ("GET", "/tasks", None),
        ("POST", "/tasks/1", {"answer": "17"}),
        ("POST", "/challenge", {"agent": STRANGER}),
        ("POST", "/revoke", None),
    ],
)
async def test_offline_nobody_is_there_to_prove_it_to(
    http: httpx.AsyncClient, method: str, path: str, body: object
) -> None:
    answer = await http.request(method, path, json=body)

    assert (answer.status_code, answer.json()["code"]) == (409, "offline")


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("/prove", {"solver": "command:rm"}, "bad-request"),
        ("/prove", {"anew": "yes"}, "bad-request"),
        ("/tasks/one", {"answer": "17"}, "bad-request"),
        ("/tasks/1", {"answer": 17}, "bad-request"),
        ("/tasks/1", {}, "bad-request"),
        ("/challenge", {"agent": "bob"}, "bad-agent"),
    ],
)
async def test_what_cannot_be_meant_is_refused(
    http: httpx.AsyncClient, path: str, body: object, code: str
) -> None:
    answer = await http.post(path, json=body)

    assert (answer.status_code, answer.json()["code"]) == (400, code)


async def test_whom_nobody_attests_has_no_tree(
    http: httpx.AsyncClient, node: Node
) -> None:
    assert node.agent is not None
    own = (await http.get(f"/attestations/{agent_text(node.agent)}")).json()
    stranger = (await http.get(f"/attestations/{STRANGER}")).json()
    nobody = await http.get("/attestations/bob")

    assert (own["depth"], own["attested_by"]) == (0, [])
    assert (stranger["state"], stranger["depth"]) == ("unverified", None)
    assert nobody.json()["code"] == "bad-agent"


def test_a_tree_is_plain_data() -> None:
    issuer = Pedigree(AgentId(b"b" * 32), "challenger", 0, 5, is_cut=True)
    proof = RecordId(bytes(32))
    given = Branch(proof, issuer, False, "expired", "it has expired", 1, 2)
    view = pedigree_view(Pedigree(AgentId(bytes(32)), "verified", 1, 9, (given,)))

    PedigreeOut.model_validate(view, strict=True)


def test_a_challenge_says_how_it_ended_and_what_that_means() -> None:
    ended = Ended(Failed("declined", "the other party ended the session"))

    view = challenged_view(AgentId(bytes(32)), ended)

    ChallengedOut.model_validate(view, strict=True)
    assert (view["passed"], view["code"]) == (False, "declined")
    assert "nobody answers its tasks" in str(view["hint"])


async def test_what_goes_on_is_written_line_by_line_with_heartbeats_between(
    autojump_clock: MockClock,
) -> None:
    written: list[bytes] = []

    async def events() -> AsyncIterator[Event]:
        yield {"event": "waiting"}
        await trio.sleep(2.5 * HEARTBEAT_S)
        yield {"event": "proved"}

    send, receive = trio.open_memory_channel[Any](0)

    async def feed() -> None:
        async with send:
            async for event in events():
                await send.send(event)

    async def write(data: bytes) -> None:
        await trio.lowlevel.checkpoint()
        written.append(data)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(feed)
        await write_events(receive, write)

    assert written == [
        b'{"event":"waiting"}\n',
        b"\n",
        b"\n",
        b'{"event":"proved"}\n',
    ]


async def test_a_node_that_ends_lets_go_of_whoever_follows() -> None:
    telling = Telling()
    with ExitStack() as stack:
        events = Proceedings(telling.listen(stack), [{"event": "waiting"}])
        told: list[Event] = []

        async def follow() -> None:
            told.extend([event async for event in events])

        with trio.fail_after(5):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(follow)
                await trio.testing.wait_all_tasks_blocked()
                events.close()

    assert told == [{"event": "waiting"}]

"""Routes of the proof: prove, answer tasks by hand, challenge, who attested whom.

POST /prove ──JSON lines──▶ what goes on, tasks among it, until the agent is proved
GET /tasks, POST /tasks/{number}      the same tasks, for whoever would rather ask
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

import trio
from fastapi import APIRouter, Request, Response

from moltp2p.api.closing import Closing
from moltp2p.api.inputs import AnswerIn, ChallengeIn, ProveIn, parse
from moltp2p.api.lines import LinesResponse, Write, read_object
from moltp2p.api.proof_models import (
    AnsweredOut,
    ChallengedOut,
    PedigreeOut,
    ProvingOut,
    TasksOut,
)
from moltp2p.api.reading import HEARTBEAT_S, json_response, node_of
from moltp2p.api.schemas import (
    JSON,
    PROBLEMS,
    WRITTEN,
    answered,
    in_lines,
    sent,
)
from moltp2p.api.views import (
    challenged_view,
    line,
    pedigree_view,
    proof_view,
    written_view,
)
from moltp2p.core.errors import MoltError
from moltp2p.core.ids import AgentId, parse_agent
from moltp2p.net.background import open_background
from moltp2p.node.proving.proving import Proving, task_event
from moltp2p.node.proving.telling import Event
from moltp2p.node.proving.verify_stream import Ended

_PROVE: Final[dict[str, Any]] = {
    "responses": in_lines(ProvingOut),
    "openapi_extra": sent((JSON, ProveIn)),
}
_ANSWER: Final[dict[str, Any]] = {
    "responses": answered(AnsweredOut),
    "openapi_extra": sent((JSON, AnswerIn)),
}
_CHALLENGE: Final[dict[str, Any]] = {
    "responses": in_lines(ChallengedOut),
    "openapi_extra": sent((JSON, ChallengeIn)),
}

router = APIRouter(responses=PROBLEMS)


@router.post("/prove", **_PROVE)
async def prove(request: Request) -> Response:
    """Have the agent prove to be one; told as JSON lines while it goes on.

    Each line has an `event`; the first is `begun`, the last `proved`, or `proof` when
    there was a good one already. With `by_hand`, or where the settings name no other
    solver, a `task` is to be answered at `/tasks/{number}`; no more come once nobody
    reads these lines. Blank lines are heartbeats.
    """
    wanted = parse(ProveIn, await read_object(request) or b"{}")
    proving = node_of(request).proving
    closing: Closing = request.app.state.closing

    async def produce(write: Write) -> None:
        with proving.prove(anew=wanted.anew, by_hand=wanted.by_hand) as events:
            begun = {"event": "begun", "proof": proof_view(proving.status())}
            await write(line(begun))
            with closing.calls(events.close):
                await write_events(events, write)

    return LinesResponse(produce)


@router.get("/tasks", responses=answered(TasksOut))
async def tasks(request: Request) -> Response:
    """Return the tasks that wait for an answer by hand, with the seconds left.

    Where the settings name no other solver, tasks come to whoever asks at least once a
    minute; there is no need to hold `/prove` open beside.
    """
    waiting = node_of(request).proving.tasks()
    return json_response({"tasks": [task_event(each) for each in waiting]})


@router.post("/tasks/{number}", **_ANSWER)
async def answer(request: Request, number: int) -> Response:
    """Answer a task by hand; returns the answer as the agent is bound to it."""
    said = parse(AnswerIn, await read_object(request)).answer
    answer = node_of(request).proving.answer(number, said)
    return json_response({"number": number, "answer": answer})


@router.post("/challenge", **_CHALLENGE)
async def challenge(request: Request) -> Response:
    """Challenge an agent now; if it passes, it counts here. Takes a minute or two.

    Blank lines are heartbeats; the one line that is not says how it ended.
    """
    agent = parse_agent(parse(ChallengeIn, await read_object(request)).agent)
    proving = node_of(request).proving

    async def produce(write: Write) -> None:
        ended = await _challenged(proving, agent, write)
        await write(line(challenged_view(agent, ended)))

    return LinesResponse(produce)


@router.get("/attestations/{agent}", responses=answered(PedigreeOut))
async def attestations(request: Request, agent: str) -> Response:
    """Return who attests for an agent, and why each counts here or does not."""
    node = node_of(request)
    found = await node.agents.pedigree(parse_agent(agent))
    return json_response(pedigree_view(found))


@router.post("/revoke", status_code=201, **WRITTEN)
async def revoke(request: Request) -> Response:
    """Take back what this node's agent has proved until now; returns the record."""
    record = await node_of(request).proving.revoke()
    return json_response(written_view(record), 201)


async def _challenged(proving: Proving, agent: AgentId, write: Write) -> Ended:
    """Challenge an agent, and write heartbeats meanwhile.

    Raises:
        MoltError: as `Proving.challenge`.
    """
    ended: list[Ended | MoltError] = []
    is_over = trio.Event()

    async def work() -> None:
        try:
            ended.append(await proving.challenge(agent))
        except MoltError as error:
            ended.append(error)
        is_over.set()

    async with open_background() as nursery:
        nursery.start_soon(work)
        while not is_over.is_set():
            with trio.move_on_after(HEARTBEAT_S) as waiting:
                await is_over.wait()
            if waiting.cancelled_caught:
                await write(b"\n")
    (outcome,) = ended
    if isinstance(outcome, MoltError):
        raise outcome
    return outcome


async def write_events(events: AsyncIterator[Event], write: Write) -> None:
    """Write events, and heartbeats between them, until there are no more."""
    while True:
        news = b"\n"
        with trio.move_on_after(HEARTBEAT_S):
            try:
                news = line(await anext(events))
            except StopAsyncIteration:
                return
        await write(news)

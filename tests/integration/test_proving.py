"""Agents prove themselves over real nodes: by an endpoint, by a command, by hand."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from moltp2p.cli.prove_events import LAST
from moltp2p.node.proving.solvers import Question
from tests.command_line import Home, RunningNode
from tests.endpoint import Asked, Endpoint, Reply, open_endpoint, said, solve

pytestmark = pytest.mark.slow

PROVE_S = 120.0
"""For what takes ten seconds on an idle machine."""

COMMAND = """
import http.client, json, sys
model = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
question = {"messages": [{"role": "user", "content": sys.stdin.read().strip()}]}
model.request("POST", "/v1/chat/completions", json.dumps(question))
print(json.load(model.getresponse())["choices"][0]["message"]["content"])
"""
"""A solver: it thinks no more than the command line of a model's client does."""


class Place:
    """A network that admits by proof, and a model."""

    def __init__(self, folder: Path, model: Endpoint) -> None:
        self.model = model
        self._folder = folder
        script = folder / "solver.py"
        script.write_text(COMMAND)
        port = model.url.split(":")[2].partition("/")[0]
        self.command = f"command:{sys.executable} {script} {port}"

    async def home(self, name: str, **settings: str) -> Home:
        """Make a home with an agent in it."""
        settings = {"network": "test-proof", "admission": "proof"} | settings
        return await Home(self._folder / name, **settings).init()


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    solve("whatever reads the pack first takes seconds")

    def respond(asked: Asked) -> Reply:
        return said(f"Let me think. ANSWER: {solve(asked.prompt)}")

    async with open_endpoint(respond) as model:
        yield Place(tmp_path, model)


async def by_hand(home: Home, answer: Callable[[str], str], last: str) -> list[Any]:
    """Run `moltp2p prove`, answer its tasks until an event, and return what it told."""
    told: list[Any] = []
    async with home.start("prove", stdin=True) as (process, lines):
        assert process.stdin is not None
        with trio.fail_after(PROVE_S):
            while not told or told[-1]["event"] != last:
                told.append(await lines.next())
                if told[-1]["event"] == "task":
                    reply = {
                        "number": told[-1]["number"],
                        "answer": answer(prompt_of(told[-1])),
                    }
                    await process.stdin.send_all(json.dumps(reply).encode() + b"\n")
            if last == "proved":
                assert await process.wait() == 0
    return told


def prompt_of(task: dict[str, Any]) -> str:
    """Return a task as a solver is told it."""
    return Question(task["text"], task["reminder"] or "", 0.0).prompt


async def test_agents_prove_by_an_endpoint_by_a_command_and_by_hand(
    place: Place,
) -> None:
    alice = await place.home("alice", solver=f"openai:{place.model.url}")
    bob = await place.home("bob", solver=place.command)
    carol = await place.home("carol")
    async with (
        alice.run() as first,
        bob.run("--bootstrap", first.address) as second,
        carol.run("--bootstrap", first.address) as third,
    ):
        await third.has_peers(2)
        refused = (await carol.molt("post", "-c", "general", "too early")).lines[-1]
        by_endpoint = (await alice.molt("prove")).lines
        by_command = (await bob.molt("prove")).lines
        hands = await by_hand(carol, solve, "proved")
        posted = await carol.molt("post", "-c", "general", "I am one")
        await first.hears("I am one")
        (pedigree,) = (await bob.molt("attestations", third.said["agent"])).lines
        await look_at_challenges(alice, second, third)
        await look_at_a_revocation(carol)

    assert refused["code"] == "unverified"
    assert "moltp2p prove" in refused["hint"]
    assert by_endpoint[0]["event"] == by_command[0]["event"] == "begun"
    assert by_endpoint[-1]["event"] in LAST
    assert by_command[-1]["event"] in LAST
    seconds = [each["seconds_left"] for each in hands if each["event"] == "task"]
    assert len(seconds) >= 8
    assert all(20 < each <= 600 for each in seconds)
    attesters = {each["agent"] for each in hands[-1]["attested"]}
    assert attesters <= {first.said["agent"], second.said["agent"]}
    assert posted.code == 0
    assert pedigree["state"] != "unverified"
    assert all(each["counts"] for each in pedigree["attested_by"])


async def look_at_challenges(
    alice: Home, willing: RunningNode, by_hand: RunningNode
) -> None:
    """Challenge one who has a solver, and one at whose tasks nobody looks."""
    passed = await alice.molt("challenge", willing.said["agent"])
    declined = await alice.molt("challenge", by_hand.said["agent"])

    assert (passed.code, passed.lines[-1]["passed"]) == (0, True)
    assert (declined.code, declined.lines[-1]["code"]) == (1, "declined")


async def look_at_a_revocation(carol: Home) -> None:
    """Take a proof back: nothing can be said then."""
    unasked = await carol.molt("revoke")
    revoked = await carol.molt("revoke", "--yes")
    refused = await carol.molt("post", "-c", "general", "again")
    (status,) = (await carol.molt("status")).lines

    assert (unasked.code, unasked.lines[-1]["code"]) == (2, "usage")
    assert revoked.lines[-1]["kind"] == "revocation"
    assert refused.lines[-1]["code"] == "proof-expired"
    assert status["proof"]["revoked_ms"] is not None


async def test_an_agent_that_answers_wrong_is_told_what_failed(place: Place) -> None:
    alice = await place.home("alice", solver=f"openai:{place.model.url}")
    dave = await place.home("dave")
    async with alice.run() as first, dave.run("--bootstrap", first.address):
        told = await by_hand(dave, lambda _: "wrong", "failed")

    (refused,) = [each for each in told if each["event"] == "refused"]
    assert refused["code"] == "not-passed"
    assert "6 of 8" in refused["hint"]
    assert len(refused["tasks"]) == 8
    assert all(each["answer"] == "wrong" for each in refused["tasks"])
    assert all(each["right"] not in (None, "wrong") for each in refused["tasks"])
    assert told[-1]["code"] == "not-enough"
    assert told[-1]["again_s"] > 0


async def test_an_agent_proves_by_http_alone(place: Place) -> None:
    alice = await place.home("alice", solver=f"openai:{place.model.url}")
    erin = await place.home("erin")
    async with (
        alice.run() as first,
        erin.run("--bootstrap", first.address) as second,
        second.api() as api,
    ):
        proof: dict[str, Any] = {"expires_ms": None}
        with trio.fail_after(PROVE_S):
            while proof["expires_ms"] is None:
                for task in (await api.get("/tasks")).json()["tasks"]:
                    said = {"answer": f"ANSWER: {solve(prompt_of(task))}."}
                    answered = await api.post(f"/tasks/{task['number']}", json=said)
                    assert answered.json()["number"] == task["number"]
                proof = (await api.get("/status")).json()["proof"]
        gone = await api.post("/tasks/1", json={"answer": "17"})
        agent = second.said["agent"]
        pedigree = (await api.get(f"/attestations/{agent}")).json()

    assert (gone.status_code, gone.json()["code"]) == (404, "no-such-task")
    assert [each["attester"]["agent"] for each in pedigree["attested_by"]] == [
        first.said["agent"]
    ]

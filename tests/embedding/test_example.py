"""An agent of yours, tested among real nodes inside the test's own process."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import trio

from moltp2p.core.author import Draft
from moltp2p.core.kinds import Kind, Post, parse_body
from moltp2p.node.events import Arrival
from moltp2p.node.node import Node
from moltp2p.testing import Mesh, open_mesh


async def greet(node: Node) -> None:
    """Stand for your agent: it welcomes whoever says something new."""
    async with node.subscribe("introductions") as arrivals:
        async for arrival in arrivals:
            post = arrival.stored.record
            if post.header.agent != node.agent:
                refs = {"parent": post.id, "root": post.id}
                welcome = Draft(Kind.POST, Post("Welcome!"), "introductions", refs)
                await node.publish(welcome)


def text_of(arrival: Arrival) -> str:
    record = arrival.stored.record
    body = parse_body(record.header.kind, record.body or b"")
    return body.text if isinstance(body, Post) else ""


@pytest.fixture
async def mesh() -> AsyncIterator[Mesh]:
    async with open_mesh(3, memory=True, faults=True) as mesh:
        await mesh.connected(within_s=20)
        yield mesh


@pytest.mark.trio
async def test_newcomers_are_welcomed_after_a_partition_too(
    mesh: Mesh, nursery: trio.Nursery
) -> None:
    alice, bob, greeter = mesh.nodes
    nursery.start_soon(greet, greeter)
    async with bob.subscribe("introductions") as arrivals:
        await mesh.part([0, 1], [2])  # the greeter hears nobody
        await alice.publish(Draft(Kind.POST, Post("Hello."), "introductions"))
        with trio.fail_after(20):
            assert text_of(await anext(arrivals)) == "Hello."
            await mesh.heal()
            assert text_of(await anext(arrivals)) == "Welcome!"

    await mesh.alike(within_s=20)

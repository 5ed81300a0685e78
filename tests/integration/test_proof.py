"""Real nodes that know nobody prove to each other that they are agents, and post."""

from __future__ import annotations

import pytest
import trio

from moltp2p.core.author import Draft
from moltp2p.core.kinds import Kind, Post
from moltp2p.testing.members import Text
from moltp2p.testing.opening import open_mesh
from moltp2p.testing.plan import Plan
from moltp2p.testing.running import run_plan
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.slow


async def test_four_nodes_that_know_nobody_verify_each_other_and_post() -> None:
    plan = Plan(4, posts=8, texts=[Text("general", "hello")], proof=True)
    with trio.fail_after(200):
        async with open_mesh(4, proof=True) as mesh:
            report = await run_plan(mesh, plan)

    assert report.verified == 4
    assert report.delivered == report.expected == 32


async def test_an_embedder_posts_once_all_have_proved_it() -> None:
    async with open_mesh(3, memory=True, proof=True) as mesh:
        await mesh.proved(PATIENCE_S)
        for node in mesh.nodes:
            await node.publish(Draft(Kind.POST, Post("hello"), "general"))

        await mesh.alike(PATIENCE_S)

"""A change looks at those whom it concerns, however many others there are.

`scripts/bench proof` tells the milliseconds, among 100,000 agents.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest

from moltp2p.core.ids import AgentId
from moltp2p.proto.admission.rules import Place
from moltp2p.proto.admission.view import View
from scripts.benches.proof_census import UNLOCKED, Village

LAYERS = (24, 60, 200, 300, 400)
CENSUSES = 2
"""Of now, and of ever."""


@pytest.fixture(scope="module")
def village() -> Village:
    village = Village(random.Random(3), LAYERS)
    village.settle()
    assert len(village.register.now.agents()) == sum(LAYERS) + 1
    return village


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[AgentId]:
    """Return whom the censuses look at, from now on."""
    looked: list[AgentId] = []
    find = View.find

    def noted(view: View, agent: AgentId) -> Place | None:
        looked.append(agent)
        return find(view, agent)

    monkeypatch.setattr(View, "find", noted)
    return looked


def looks(acts: Iterator[Callable[[], object]], looked: list[AgentId]) -> list[int]:
    """Return how many were looked at for each act."""
    counts = []
    for act in acts:
        looked.clear()
        act()
        counts.append(len(looked))
    return counts


def test_a_new_agent_is_looked_at_and_hardly_anybody_else(
    village: Village, looked: list[AgentId]
) -> None:
    counts = sorted(looks(village.newcomers(100), looked))

    assert counts[50] == CENSUSES
    # Now and then a number grows by a fifth, and a bar moves with it.
    assert counts[90] <= 40


def test_an_expiry_concerns_one_census_and_one_agent(
    village: Village, looked: list[AgentId]
) -> None:
    counts = sorted(looks(village.expiries(50), looked))

    assert counts[25] == 1
    assert counts[45] <= 20


def test_whoever_is_let_in_by_another_is_looked_at_about_once(
    village: Village, looked: list[AgentId]
) -> None:
    counts = looks(village.keystones(20), looked)

    assert all(UNLOCKED <= count <= 4 * CENSUSES * UNLOCKED for count in counts)

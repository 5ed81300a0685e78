"""Archives that somebody spoilt, given to a node through its API."""

from __future__ import annotations

import json
import random
from pathlib import Path

import httpx
import pytest

from moltp2p.api.http import make_app
from moltp2p.api.lines import CBOR_SEQUENCE
from moltp2p.core.topics import NetworkParams
from moltp2p.node.config import Config
from moltp2p.node.node import open_node
from moltp2p.node.settings import Role
from tests.fuzz import mutations
from tests.fuzz.api import archives
from tests.fuzz.series import sequence

IMPORTS = 150
LONG_IMPORTS = 20_000

OUTCOMES = ("accept", "ignore", "reject", "failed")


@pytest.mark.slow
@pytest.mark.parametrize(
    "count", [IMPORTS, pytest.param(LONG_IMPORTS, marks=pytest.mark.long)]
)
async def test_a_spoilt_archive_is_taken_as_far_as_it_is_sound(
    count: int, tmp_path: Path, rng: random.Random
) -> None:
    """Each is answered to its end, the totals add up, and the node goes on."""
    seeds = archives()
    spoil = sequence(mutations.cbor)
    config = Config(tmp_path, role=Role.LISTENER, network=NetworkParams("test-net"))
    codes: set[str] = set()
    async with open_node(config, offline=True) as node:
        transport = httpx.ASGITransport(make_app(node))
        async with httpx.AsyncClient(
            transport=transport,
            base_url="http://node/v1",
            headers={"content-type": CBOR_SEQUENCE},
        ) as http:
            for number in range(count):
                whole = number < len(seeds)
                seed = seeds[number] if whole else rng.choice(seeds)
                archive = seed if whole else spoil(rng, seed, seeds)
                answer = await http.post("/import", content=archive)

                *named, totals = map(json.loads, answer.text.splitlines())
                assert answer.status_code == 200
                assert totals["status"] == "imported"
                assert totals["lines"] == sum(totals[name] for name in OUTCOMES)
                codes |= {each["code"] for each in named}
            assert (await http.get("/status")).status_code == 200
    assert codes >= {"bad-archive", "bad-signature", "malformed"}

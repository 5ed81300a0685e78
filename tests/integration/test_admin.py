"""`moltp2p admin` against real nodes: each command, for people and for programs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.command_line import PATIENCE_S, Home, Outcome, RunningNode

pytestmark = pytest.mark.slow


@pytest.fixture
async def boot(tmp_path: Path) -> AsyncIterator[RunningNode]:
    """A bootstrap peer that one other node is connected to, with the API on TCP."""
    home = Home(tmp_path / "boot")
    home.path.mkdir(mode=0o700)
    (home.path / "config.toml").write_text(
        'role = "bootstrap"\nhttp_listen = "127.0.0.1:0"\n'
        'metrics = "127.0.0.1:0"\nmax_per_address = 5\n'
    )
    async with (
        home.run() as boot,
        (await Home(tmp_path / "bob").init()).run("--bootstrap", boot.address),
    ):
        await boot.has_peers(1)
        yield boot


async def admin(node: RunningNode, *words: str, code: int = 0) -> Outcome:
    outcome = await node.home.molt("admin", *words)
    assert outcome.code == code, outcome
    return outcome


async def test_an_operator_looks_bans_and_undoes_it(boot: RunningNode) -> None:
    (peer,) = (await admin(boot, "peers")).lines
    bob = peer["peer"]
    assert peer["rule"] is None
    assert (await admin(boot, "score")).lines[0]["peer"] == bob
    assert len((await admin(boot, "mesh")).lines) == 17
    assert (await admin(boot, "sync")).lines[0]["peers"][0]["peer"] == bob

    (rule,) = (await admin(boot, "ban", bob, "--reason", "x", "--for", "7d")).lines
    assert rule["until_ms"] - rule["since_ms"] == 7 * 86_400_000
    assert (await admin(boot, "bans")).lines == [rule]
    assert (await admin(boot, "peers")).lines == []
    gone = await admin(boot, "disconnect", bob, code=1)
    assert gone.lines[0]["code"] == "not-connected"

    assert (await admin(boot, "unban", bob)).lines == [rule]
    assert (await admin(boot, "bans")).lines == []
    nobody = await admin(boot, "unban", "10.0.0.0/8", code=1)
    assert nobody.lines[0]["code"] == "no-such-rule"
    wrong = await admin(boot, "ban", "10.0.0.1/8", code=1)
    assert wrong.lines[0]["code"] == "bad-subject"
    assert (await admin(boot, "ban", bob, "--for", "soon", code=2)).lines

    assert (await admin(boot, "health")).lines == [{"status": "ready", "reasons": []}]
    assert (await admin(boot, "health", "--live")).lines[0]["status"] == "live"

    assert (await admin(boot, "log-level", "debug")).lines == [{"level": "debug"}]
    assert (await admin(boot, "log-level")).lines == [{"level": "debug"}]


async def test_bans_outlive_a_restart_and_the_socket_is_the_only_way(
    boot: RunningNode,
) -> None:
    url, home = boot.said["url"], boot.home
    token = (home.path / "api.token").read_text().strip()
    headers = {"authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(headers=headers, timeout=PATIENCE_S) as http:
        outside = await http.get(f"{url}/v1/admin/rules")
        status = (await http.get(f"{url}/v1/status")).json()
        nothing = await http.get(f"{url}/metrics")
        metrics = await http.get(boot.said["metrics"])
    assert nothing.status_code == 404
    assert 'moltp2p_connections{direction="inbound"} 1.0' in metrics.text
    assert outside.json()["code"] == "socket-only"
    assert status["gossip"]["limits"]["max_per_address"] == {
        "limit": 5, "used": 1, "refused": 0,
    }  # fmt: skip
    assert status["gossip"]["limits"]["down_kib"]["limit"] == 0

    await admin(boot, "ban", "2001:db8::/32")
    assert await boot.end() == 0
    async with home.run() as again:
        (rule,) = (await admin(again, "bans")).lines
        assert (rule["subject"], rule["allows"]) == ("2001:db8::/32", False)
    (home.path / "access.json").write_text("{}")
    refused = await home.molt("run")
    assert (refused.code, refused.lines[0]["code"]) == (1, "bad-access-file")


async def test_a_node_that_knows_nobody_says_that_it_is_not_ready(
    tmp_path: Path,
) -> None:
    home = await Home(tmp_path / "alice").init()
    async with home.run() as alone:
        (answer,) = (await admin(alone, "health", code=1)).lines
        assert answer["reasons"][0]["code"] == "no-peers"

"""Metrics: named with units, bounded, without names of anybody; and the dashboard."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
from prometheus_client.parser import text_string_to_metric_families
from trio.testing import MockClock

from moltp2p.api.closing import Closing
from moltp2p.api.http import make_app, make_metrics_app
from moltp2p.api.loop_lag import BUCKETS_S, PROBE_S, LoopLag
from moltp2p.api.metrics.exposition import exposition
from moltp2p.api.metrics.families import MAX_SERIES, many, one
from moltp2p.api.metrics.health import not_live, not_ready
from moltp2p.api.metrics.readings import families
from moltp2p.node.config import load_config
from moltp2p.node.node import Node
from moltp2p.node.settings import Role
from moltp2p.node.status import Status, StoreStatus
from tests.village import Village, held, meet, peer_of, say, village

__all__ = ["village"]

DEPLOY = Path(__file__).parents[3] / "scripts" / "deploy"
GRAFANA = DEPLOY / "grafana"
DASHBOARD: dict[str, Any] = json.loads(
    (GRAFANA / "dashboards" / "moltp2p.json").read_text()
)

PROVEN_S = 600
"""On the tests' clock: proving takes a minute or two."""

UNITS = (
    "_total", "_seconds", "_bytes", "_records", "_ids", "_messages", "_info", "_min",
    "_max", "_fds",
)  # fmt: skip
COUNTS = {
    "role", "store_writable", "connections", "access_rules", "addresses", "limit",
    "limit_used", "gossip_peers", "gossip_peers_by_standing", "gossip_topics",
    "gossip_peers_behind", "sync_peers", "sync_peers_ahead", "proof_state",
    "proof_attestations", "proof_slots_left", "proof_challengers", "proof_agents",
    "proof_attestations_held", "proof_quorum", "reach", "relay_reservations",
    "relay_circuits",
}  # fmt: skip
"""What is counted in things that its name says."""


@pytest.fixture
def place(village: Village) -> Village:
    """Return a village in which only agents may speak."""
    village.params = dataclasses.replace(village.params, admission=True)
    return village


async def scraped(node: Node) -> str:
    text = exposition(families(await node.readings()), LoopLag(), 0.0)
    return text.decode()


async def test_two_nodes_tell_all_their_figures_and_nobodys_name(
    village: Village, autojump_clock: MockClock
) -> None:
    async with village.open("alice") as alice, village.open("bob") as bob:
        await meet(alice, bob)
        await trio.sleep(5)
        await say(bob, 10)
        await trio.sleep(5)
        text = await scraped(alice)
        names = [peer_of(alice), peer_of(bob), str(alice.agent), "10.0."]

    found = {each.name: each for each in text_string_to_metric_families(text)}
    values = {
        (sample.name, *sample.labels.values()): sample.value
        for each in found.values()
        for sample in each.samples
    }
    assert values["moltp2p_store_records",] == 12
    # The inception may come by gossip or by reconciliation, whichever is first.
    assert values["moltp2p_gossip_messages_total", "accepted"] in {10, 11}
    assert values["moltp2p_connections", "outbound"] == 1
    assert values["moltp2p_sync_peers",] == 1
    assert values["moltp2p_proof_state", "unverified"] == 1
    assert values["moltp2p_limit_used", "max_connections"] == 1
    assert values["moltp2p_process_resident_memory_bytes",] > 10**7
    for name in names:
        assert name not in text
    for each in found.values():
        assert each.name.startswith("moltp2p_")
        assert each.documentation.endswith(".") or "process" in each.name
        short = each.name.removeprefix("moltp2p_")
        assert (
            short in COUNTS or each.type == "counter" or f"_{short}".endswith(UNITS)
        ), each.name
        assert len(each.samples) <= MAX_SERIES + 3


@pytest.mark.parametrize("role", [Role.BOOTSTRAP, Role.LISTENER])
async def test_a_node_without_an_agent_tells_who_counts_too(
    place: Village, role: Role, autojump_clock: MockClock
) -> None:
    async with (
        place.open("alice", solver="oracle") as alice,
        place.open("bob", solver="oracle") as bob,
        place.open("here", role) as here,
    ):
        await meet(alice, bob)
        await meet(here, alice)
        for each in (alice, bob):
            with trio.fail_after(PROVEN_S), each.proving.prove() as events:
                async for _ in events:
                    pass
        (said,) = await say(bob, 1)
        with trio.fail_after(PROVEN_S):
            async with here.subscribe() as arrivals:
                while said not in await held(here):
                    await anext(arrivals)
        texts = [await scraped(each) for each in (here, alice)]

    for text in texts:
        assert 'moltp2p_proof_agents{state="challenger"} 2.0' in text
        assert 'moltp2p_proof_agents{state="unverified"} 0.0' in text
        assert "moltp2p_proof_attestations_held 2.0" in text
        assert "moltp2p_proof_challengers 2.0" in text


async def test_on_an_open_network_nobody_is_counted(
    village: Village, autojump_clock: MockClock
) -> None:
    async with village.open("alice") as alice:
        assert "proof_agents" not in await scraped(alice)


async def test_every_panel_asks_for_metrics_that_there_are(
    place: Village, autojump_clock: MockClock
) -> None:
    async with place.open("alice") as alice, place.open("here", Role.BOOTSTRAP) as here:
        text = await scraped(alice) + await scraped(here)
    known = set()
    for each in text_string_to_metric_families(text):
        total = f"{each.name}_total" if each.type == "counter" else each.name
        known |= {total, f"{each.name}_bucket"}
    panels = [each for each in DASHBOARD["panels"] if each["type"] != "row"]
    asked = [query["expr"] for panel in panels for query in panel["targets"]]
    asked.append(DASHBOARD["templating"]["list"][1]["definition"])

    for expression in asked:
        names = set(re.findall(r"moltp2p_\w+", expression))
        assert names, expression
        assert names <= known, expression


def test_a_dashboard_has_what_grafana_wants_of_one() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels) > 20
    source, instance = DASHBOARD["templating"]["list"]
    assert (source["type"], source["query"]) == ("datasource", "prometheus")
    assert (instance["type"], instance["multi"]) == ("query", False)
    assert isinstance(DASHBOARD["schemaVersion"], int)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert at["x"] + at["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
        if panel["type"] != "row":
            refs = [query["refId"] for query in panel["targets"]]
            assert len(set(refs)) == len(refs) >= 1
            assert panel["datasource"]["uid"] == f"${{{source['name']}}}"
        if panel["type"] == "stat":  # a value over 80 is red unless it says otherwise
            assert panel["fieldConfig"]["defaults"]["color"]


def test_the_settings_of_a_bootstrap_peer_are_in_order(tmp_path: Path) -> None:
    text = (DEPLOY / "bootstrap.toml").read_text()
    (tmp_path / "config.toml").write_text(text)

    config = load_config(tmp_path, {}, {})

    assert (config.role.value, config.metrics) == ("bootstrap", "127.0.0.1:9464")


def test_what_strangers_can_make_up_is_counted_together() -> None:
    invented = {f"code-{n}": float(n) for n in range(1_000)}

    family = many("drops_total", "Drops.", "cause", invented)

    assert len(family.samples) == MAX_SERIES + 1
    assert sum(family.samples.values()) == sum(range(1_000))
    assert family.samples["code-999"] == 999
    assert many("x", "", "cause", {'"} evil 1\n': 1}).samples == {"other": 1}
    assert one("x", "Absent.", None).samples == {}


async def test_the_lag_is_what_a_sleep_took_too_long(
    autojump_clock: MockClock,
) -> None:
    lag = LoopLag()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lag.run)
        await trio.sleep(PROBE_S * 4.5)
        assert (lag.beats, lag.sum_s, lag.counts[0]) == (4, 0.0, 4)
        await lag.wait_beat()
        assert lag.beats == 5
        nursery.cancel_scope.cancel()

    lag.note(0.7, now=100.0)
    lag.note(0.2, now=130.0)
    assert lag.worst_s(now=130.0) == 0.7
    assert lag.worst_s(now=161.0) == 0.2
    assert lag.worst_s(now=191.0) == 0.0
    assert lag.counts[BUCKETS_S.index(1.0)] == 1


def test_the_histogram_counts_every_lag_once() -> None:
    lag = LoopLag()
    for lag_s in (0.0, 0.003, 0.2, 99.0):
        lag.note(lag_s, now=1.0)

    text = exposition([], lag, 1.0).decode()

    assert 'lag_seconds_bucket{le="0.001"} 1.0' in text
    assert 'lag_seconds_bucket{le="10.0"} 3.0' in text
    assert 'lag_seconds_bucket{le="+Inf"} 4.0' in text
    assert "lag_worst_seconds 99.0" in text


async def status_of(node: Node) -> Status:
    return (await node.readings()).status


async def test_a_node_says_why_it_is_not_ready(
    village: Village, autojump_clock: MockClock
) -> None:
    lag = LoopLag()
    async with village.open("alice") as alice, village.open("bob") as bob:
        alone = not_ready(await status_of(alice), lag, 0.0)
        await meet(alice, bob)
        met = await status_of(alice)

    assert [reason.code for reason in alone] == ["no-peers"]
    assert not_ready(met, lag, 0.0) == []
    assert not_ready(dataclasses.replace(met, role="bootstrap"), lag, 0.0) == []
    full = StoreStatus("disk-full", 1, 0, None, 3.0, "make room")
    lag.note(30.0, now=0.0)
    reasons = not_ready(dataclasses.replace(met, store=full), lag, 0.0)
    assert [reason.code for reason in reasons] == ["loop-late", "disk-full"]
    assert "make room" in reasons[1].message
    assert [reason.code for reason in not_live(lag, 0.0)] == ["loop-late"]
    assert not_live(lag, 100.0) == []


@pytest.mark.parametrize("is_outside", [False, True])
async def test_where_metrics_are_there_is_health_too(
    node: Node, is_outside: bool
) -> None:
    closing, lag = Closing(), LoopLag()
    app = (
        make_metrics_app(node, closing, lag)
        if is_outside
        else make_app(node, closing, lag)
    )
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://n") as http:
        metrics = await http.get("/metrics")
        live, ready = await http.get("/livez"), await http.get("/readyz")
        closing.begin()
        ending = await http.get("/readyz")
        others = [await http.get(path) for path in ("/v1/status", "/openapi.json")]

    assert metrics.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "moltp2p_store_records 1.0" in metrics.text
    assert (live.status_code, live.json()["status"]) == (200, "live")
    assert (ready.status_code, ready.json()["status"]) == (503, "not-ready")
    assert [each["code"] for each in ready.json()["reasons"]] == ["offline"]
    assert ending.json()["reasons"][-1]["code"] == "ending"
    assert [each.status_code == 404 for each in others] == [is_outside] * 2

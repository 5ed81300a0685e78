"""Every figure of a report, on networks where it can be worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from moltp2p.testing.sim.checks import Check, Limits
from moltp2p.testing.sim.deliveries import quantile
from moltp2p.testing.sim.messages import make
from moltp2p.testing.sim.report import Report
from moltp2p.testing.sim.scenario import (
    Judge,
    Load,
    Nodes,
    Scenario,
)
from moltp2p.testing.sim.sizes import message_bytes
from moltp2p.testing.sim.trouble import Partition, Sessions
from moltp2p.testing.sim.world import World
from moltp2p.testing.simulator import simulate
from tests.sim.conftest import DELAY_S, plain_scenario


def steady(report: Report) -> Report:
    assert [phase.name for phase in report.phases] == ["steady"]
    return report


def test_two_nodes_deliver_after_one_latency_and_send_nothing_twice() -> None:
    report = steady(simulate(plain_scenario(2)))
    phase = report.phase("steady")
    done = phase.deliveries

    assert done.published > 3
    assert (done.expected, done.delivered) == (done.published, done.published)
    assert done.share == 1.0
    assert done.p50_s == pytest.approx(DELAY_S)
    assert done.max_s == pytest.approx(DELAY_S)
    assert phase.duplicates == 0
    assert report.safety.is_kept
    assert report.passed


def test_three_nodes_each_send_the_message_to_the_third() -> None:
    report = simulate(plain_scenario(3))
    phase, traffic = report.phase("steady"), report.phase("steady").traffic
    done = phase.deliveries

    # The publisher sends to both; both get it at the same time and send it to each
    # other: two deliveries, two duplicates, four messages on the wire.
    assert done.delivered == done.expected == 2 * done.published
    assert done.p50_s == pytest.approx(DELAY_S)
    assert phase.duplicates == 1.0
    assert traffic.deliveries == traffic.duplicates == 2 * done.published
    topic = World(plain_scenario(3), 1).topics[0]
    size_bytes = message_bytes(topic, make(0, 0, 600))
    messages_bytes = traffic.sent_bytes - traffic.control_bytes
    assert messages_bytes == 4 * done.published * size_bytes
    assert phase.bytes_per_delivery == traffic.sent_bytes / traffic.deliveries
    assert phase.control_share == traffic.control_bytes / traffic.sent_bytes
    assert 0 < phase.control_share < 0.5


def test_a_judge_adds_its_delay_and_its_cost() -> None:
    slow = plain_scenario(2, judge=Judge(delay_ms=30, cost_ms=20))

    done = simulate(slow).phase("steady").deliveries

    assert done.p50_s == pytest.approx(DELAY_S + 0.05)


def test_a_sender_that_hears_of_a_message_while_it_is_judged_gets_no_copy() -> None:
    # Both copies of three nodes arrive before either verdict.
    slow = plain_scenario(4, judge=Judge(delay_ms=150, cost_ms=0))

    phase = simulate(slow).phase("steady")

    # Three get it from the publisher, judge, and send it to each other at once: each
    # is sent two more copies.
    assert phase.duplicates == 2.0
    assert phase.deliveries.max_s == pytest.approx(DELAY_S + 0.15)


def test_the_mesh_of_four_nodes_is_all_of_them() -> None:
    report = simulate(plain_scenario(4))
    last = report.moments[-1].sample

    assert (last.mesh_min, last.mesh_mean, last.mesh_max) == (3, 3.0, 3)
    assert last.online == 4
    assert last.honest_share == 1.0
    assert report.moments[0].sample.at_s == 1.0


def test_a_series_adds_up_to_its_phase() -> None:
    report = simulate(plain_scenario(3))
    phase = report.phase("steady")

    assert (
        sum(moment.deliveries.delivered for moment in report.moments)
        == phase.deliveries.delivered
    )
    assert (
        sum(moment.traffic.duplicates for moment in report.moments)
        == phase.traffic.duplicates
    )


def parted(settle_s: float) -> Scenario:
    return plain_scenario(
        4,
        virtual_s=120,
        settle_s=settle_s,
        load=Load(from_s=5, until_s=110, per_s=1),
        partition=Partition(at_s=10, until_s=40, share=0.5, notice_s=5),
    )


def test_a_partition_leaves_each_side_to_itself_and_then_heals() -> None:
    report = simulate(parted(settle_s=10))
    names = [phase.name for phase in report.phases]
    during = report.phase("during")

    assert names == ["before", "during", "settling", "after"]
    # One other node on the publisher's side, and it gets everything.
    assert during.deliveries.expected == during.deliveries.published
    assert during.deliveries.share == 1.0
    assert during.deliveries.max_s == pytest.approx(DELAY_S)
    assert during.traffic.lost > 0


def test_nothing_crosses_a_partition() -> None:
    world = World(parted(settle_s=10), 1)
    world.run(40)

    sides = [node.side for node in world.honest]
    assert sorted(sides) == [0, 0, 1, 1]
    within = [message for message in world.meter.published if message.at_s >= 10]
    for message in within:
        other = [n for n in range(4) if sides[n] == sides[message.publisher]]
        assert {*message.receivers, message.publisher} == set(other)
    assert len(within) > 10


def test_what_is_published_after_a_partition_arrives_everywhere() -> None:
    report = simulate(parted(settle_s=40))
    after = report.phase("after")

    assert after.deliveries.expected == 3 * after.deliveries.published > 0
    assert after.deliveries.share == 1.0
    assert report.moments[-1].sample.mesh_min == 3


def test_who_was_away_when_a_message_was_published_is_not_expected_to_have_it() -> None:
    restless = Sessions(share=1.0, online_s=8, away_s=1000, from_s=5)
    report = simulate(plain_scenario(6, churn=restless, stay_s=2, arrive_s=2))
    done = report.phase("steady").deliveries

    assert report.moments[-1].sample.online < 6
    assert done.expected < 5 * done.published
    assert done.share == 1.0


def test_nobody_dials_a_node_behind_nat() -> None:
    scenario = plain_scenario(8)
    hidden = Nodes(count=8, bootstrap=2, dials=5, nat_share=0.5, start_within_s=1)
    world = World(replace(scenario, nodes=hidden), 1)
    world.run(30)

    behind = [node for node in world.honest if not node.is_reachable]
    assert [node.index for node in behind] == [4, 5, 6, 7]
    assert all(node.outbound == len(node.links) > 0 for node in behind)
    assert all(
        node.outbound < len(node.links) for node in world.honest if node.is_reachable
    )


def test_a_check_that_does_not_hold_is_found() -> None:
    limits = Limits(delivered=1.0, p99_s=0.05, duplicates=0)
    report = simulate(plain_scenario(2, check=Check(steady=limits)))
    found = {finding.check: finding.passed for finding in report.findings}

    assert found == {
        "safety.invalid_accepted": True,
        "safety.delivered_twice": True,
        "safety.judged_again": True,
        "safety.passed_unjudged": True,
        "steady.delivered": True,
        "steady.p99_s": False,
        "steady.duplicates": True,
    }
    assert not report.passed


@pytest.mark.parametrize(
    ("share", "value"), [(0.5, 2.0), (0.75, 3.0), (0.76, 4.0), (1.0, 4.0), (0.01, 1.0)]
)
def test_a_quantile_is_the_least_value_that_enough_do_not_exceed(
    share: float, value: float
) -> None:
    assert quantile([1.0, 2.0, 3.0, 4.0], share) == value


def test_nothing_has_quantile_zero() -> None:
    assert quantile([], 0.99) == 0.0

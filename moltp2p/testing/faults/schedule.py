"""What befalls a mesh, and when: drawn from a scenario and a seed, before it begins.

The same scenario and seed give the same schedule. What is random beyond it, which
message is lost and how late another is, depends on what the nodes say.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import assert_never

from moltp2p.core.ids import PeerId
from moltp2p.testing.faults.conditions import Orders
from moltp2p.testing.sim.scenario import Scenario
from moltp2p.testing.sim.trouble import Diurnal, Kill, Kills, Sessions, Slow, plan_kills


@dataclass(frozen=True, slots=True)
class Parted:
    """The sides lose each other, until the next `Healed`.

    Attributes:
        at_s: seconds from the moment the mesh was connected, as everywhere here.
        sides: the side of each node, by index.
    """

    at_s: float
    sides: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Healed:
    """The sides can reach each other again."""

    at_s: float


@dataclass(frozen=True, slots=True)
class Killed:
    """A node's process gets SIGKILL."""

    at_s: float
    node: int


@dataclass(frozen=True, slots=True)
class Restarted:
    """A node starts again, in its home and at its address."""

    at_s: float
    node: int


@dataclass(frozen=True, slots=True)
class Joined:
    """The Sybils come, and behave like everybody."""

    at_s: float


@dataclass(frozen=True, slots=True)
class Attacked:
    """The Sybils show what they are."""

    at_s: float


@dataclass(frozen=True, slots=True)
class Left:
    """The Sybils leave."""

    at_s: float


Moment = Parted | Healed | Killed | Restarted | Joined | Attacked | Left


def schedule(scenario: Scenario, seed: int) -> tuple[Moment, ...]:
    """Return what befalls a mesh, in order."""
    moments: list[Moment] = []
    if scenario.partition:
        sides = scenario.partition.sides(scenario.nodes.count, dice(seed, "partition"))
        moments.append(Parted(scenario.partition.at_s, tuple(sides)))
        moments.append(Healed(scenario.partition.until_s))
    if scenario.sybils and scenario.fault:
        attack_s, leave_s = scenario.fault
        join_s = scenario.sybils.join_s
        moments.append(Joined(attack_s if join_s is None else join_s))
        moments += [Attacked(attack_s), Left(leave_s)]
    for death in deaths(scenario, seed):
        moments += [Killed(death.at_s, death.node), Restarted(death.back_s, death.node)]
    return tuple(sorted(moments, key=lambda moment: moment.at_s))


def deaths(scenario: Scenario, seed: int) -> list[Kill]:
    """Return who is gone from when until when; all are back when the load ends."""
    churn, end_s = scenario.churn, scenario.load_until_s
    if churn is None:
        return []
    rng = dice(seed, "churn")
    first = scenario.publishers if scenario.load.publishers else 0
    nodes = range(first, scenario.nodes.count)
    if isinstance(churn, Kills):
        planned = plan_kills(churn, len(nodes), end_s, rng)
        planned = [Kill(nodes[kill.node], kill.at_s, kill.back_s) for kill in planned]
    else:
        planned = list(_absences(churn, nodes, end_s, rng))
    return [
        Kill(kill.node, kill.at_s, min(kill.back_s, end_s))
        for kill in sorted(planned, key=lambda kill: kill.at_s)
        if kill.at_s < end_s
    ]


def _absences(
    churn: Sessions | Diurnal, nodes: Sequence[int], end_s: float, rng: random.Random
) -> Iterable[Kill]:
    for node in sorted(rng.sample(nodes, round(len(nodes) * churn.share))):
        match churn:
            case Sessions():
                yield from _sessions(churn, node, end_s, rng)
            case Diurnal():
                yield from _nights(churn, node, end_s, rng)
            case _:
                assert_never(churn)


def _sessions(
    churn: Sessions, node: int, end_s: float, rng: random.Random
) -> Iterable[Kill]:
    until_s = end_s if churn.until_s is None else churn.until_s
    now = churn.from_s + rng.expovariate(1 / churn.online_s)
    while now < until_s:
        back_s = min(until_s, now + rng.expovariate(1 / churn.away_s))
        yield Kill(node, now, back_s)
        now = back_s + rng.expovariate(1 / churn.online_s)


def _nights(
    churn: Diurnal, node: int, end_s: float, rng: random.Random
) -> Iterable[Kill]:
    night_s = churn.day_s * (1 - churn.awake_share)
    # The first day may begin in the middle of somebody's night.
    begins_s = churn.from_s + rng.uniform(-night_s, churn.day_s - night_s)
    while begins_s < end_s:
        yield Kill(node, max(churn.from_s, begins_s), begins_s + night_s)
        begins_s += churn.day_s


def orders(scenario: Scenario, seed: int, peers: Sequence[PeerId]) -> list[Orders]:
    """Return what each node has to bear all the time, by index.

    Args:
        scenario: what is to happen.
        seed: of all chance.
        peers: who the nodes are to each other, by index; Sybils behind them.
    """
    latency, count = scenario.network.latency, scenario.nodes.count
    regions = [latency.region(dice(seed, f"region/{n}")) for n in range(len(peers))]
    slow = scenario.slow or Slow(share=0)
    found = []
    for here in range(len(peers)):
        ways = {
            peers[there]: latency.between(
                regions[min(here, there)],
                regions[max(here, there)],
                dice(seed, f"latency/{min(here, there)}/{max(here, there)}"),
            )
            for there in range(len(peers))
            if there != here
        }
        is_thin = slow.first(count) <= here < count
        found.append(
            Orders(
                latency_s={peer: way_s for peer, way_s in ways.items() if way_s},
                jitter=scenario.network.jitter,
                loss=scenario.network.loss,
                uplink_mbit=(
                    slow.uplink_mbit if is_thin else scenario.network.uplink_mbit
                ),
                downlink_mbit=slow.downlink_mbit if is_thin else 0.0,
                notice_s=scenario.partition.notice_s if scenario.partition else 15.0,
                seed=f"{seed}/node/{here}",
            )
        )
    return found


def dice(seed: int, purpose: str) -> random.Random:
    """Return dice of their own for a purpose, so that one draw shifts no other."""
    return random.Random(f"{seed}/{purpose}")  # noqa: S311 - seeded dice

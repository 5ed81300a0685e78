from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest

from moltp2p.core.ids import MessageId, PeerId
from moltp2p.proto.gossip.rpc import Message, Rpc
from moltp2p.testing.sim.behaviours import (
    Behaviour,
    Censor,
    Dropper,
    GraftFlood,
    IDontWantFlood,
    IHaveFlood,
    InvalidFlood,
    IWantFlood,
    Replay,
    Silent,
)
from moltp2p.testing.sim.messages import (
    HEADER_BYTES,
    forge,
    is_valid,
    make,
    publisher_of,
)
from moltp2p.testing.sim.report import Report
from moltp2p.testing.sim.world import World
from moltp2p.testing.simulator import simulate
from tests.sim.conftest import small_attack

TOPIC = "/moltp2p/1/sim/shard/0"
ALICE, BOB = PeerId("n0"), PeerId("n1")


@dataclass
class Mallory:
    """A Sybil that notes what its habit says."""

    rng: random.Random = field(default_factory=lambda: random.Random(1))
    salt: int = 5
    victim: int = 3
    topics: list[str] = field(default_factory=lambda: [TOPIC])
    size_bytes: int = 100
    met: list[Message] = field(default_factory=list)
    ids: list[MessageId] = field(default_factory=list)
    said: list[tuple[PeerId, Rpc]] = field(default_factory=list)

    def peers(self) -> list[PeerId]:
        return [ALICE, BOB]

    def say(self, peer: PeerId, rpc: Rpc) -> None:
        self.said.append((peer, rpc))

    def remembered(self) -> list[Message]:
        return self.met

    def remembered_ids(self) -> list[MessageId]:
        return self.ids

    def mark(self, data: bytes) -> bytes:
        return data[:HEADER_BYTES]

    def is_victims(self, data: bytes) -> bool:
        return publisher_of(data) == self.victim

    def forge(self) -> bytes:
        return forge(self.rng, self.size_bytes)

    def to(self, peer: PeerId) -> list[Rpc]:
        return [rpc for name, rpc in self.said if name == peer]


def test_the_silent_keep_nothing() -> None:
    assert not Silent().keeps(Mallory(), make(0, 1, 50))


def test_a_dropper_drops_its_share_and_always_the_same() -> None:
    mallory, habit = Mallory(), Dropper(share=0.3)
    kept = [habit.keeps(mallory, make(n, 1, 50)) for n in range(2000)]

    assert kept.count(False) / len(kept) == pytest.approx(0.3, abs=0.04)
    assert kept == [habit.keeps(mallory, make(n, 1, 50)) for n in range(2000)]
    assert kept != [habit.keeps(Mallory(salt=6), make(n, 1, 50)) for n in range(2000)]


def test_a_dropper_of_all_keeps_none_and_of_none_all() -> None:
    everything = [make(n, 1, 50) for n in range(100)]

    assert not any(Dropper(share=1.0).keeps(Mallory(), data) for data in everything)
    assert all(Dropper(share=0.0).keeps(Mallory(), data) for data in everything)


def test_a_censor_drops_what_the_victim_says_and_nothing_else() -> None:
    kept = [Censor().keeps(Mallory(), make(0, publisher, 50)) for publisher in range(5)]

    assert kept == [True, True, True, False, True]


def test_an_invalid_flood_sends_each_peer_its_own_garbage() -> None:
    mallory = Mallory()
    InvalidFlood(per_beat=100).acts(mallory)
    messages = [m for _, rpc in mallory.said for m in rpc.messages]

    assert sum(len(rpc.messages) for rpc in mallory.to(ALICE)) == 100
    assert all(len(rpc.messages) <= 64 for rpc in mallory.to(ALICE))
    assert not any(is_valid(m.data) for m in messages)
    assert len({m.data for m in messages}) == 200


def test_a_replay_sends_what_was_met_before() -> None:
    met = [Message(TOPIC, make(n, 1, 50)) for n in range(20)]
    mallory = Mallory(met=met)
    Replay(per_beat=5).acts(mallory)

    sent = mallory.to(ALICE)[0].messages
    assert len(sent) == len(set(sent)) == 5
    assert set(sent) <= set(met)


def test_a_replay_without_memories_says_nothing() -> None:
    mallory = Mallory()
    Replay().acts(mallory)

    assert mallory.said == []


def test_an_ihave_flood_announces_ids_that_nobody_has_met() -> None:
    mallory = Mallory()
    habit = IHaveFlood(per_beat=2500)
    habit.acts(mallory)
    first = [key for rpc in mallory.to(ALICE) for i in rpc.ihave for key in i.ids]
    habit.acts(mallory)

    assert len(set(first)) == 2500
    again = [key for rpc in mallory.to(ALICE)[3:] for i in rpc.ihave for key in i.ids]
    assert set(first).isdisjoint(again)


def test_an_iwant_flood_asks_for_what_exists_and_then_for_anything() -> None:
    ids = [MessageId(bytes([n]) * 32) for n in range(30)]
    mallory = Mallory(ids=ids)
    IWantFlood(per_beat=50).acts(mallory)

    asked = mallory.to(ALICE)[0].iwant
    assert asked[:30] == tuple(ids)
    assert len(asked) == 50


def test_a_graft_flood_grafts_many_times_in_one_heartbeat() -> None:
    mallory = Mallory()
    GraftFlood(per_beat=7).acts(mallory)

    assert mallory.to(BOB) == [Rpc(graft=(TOPIC,))] * 7


def test_an_idontwant_flood_refuses_as_much_as_it_says() -> None:
    mallory = Mallory()
    IDontWantFlood(per_beat=1500).acts(mallory)

    assert sum(len(rpc.idontwant) for rpc in mallory.to(BOB)) == 1500


# Each habit on a network: the honest must not notice in what they are delivered.

FLOODS: list[Behaviour] = [
    InvalidFlood(),
    Replay(),
    IHaveFlood(per_beat=200),
    IWantFlood(per_beat=200),
    GraftFlood(),
    IDontWantFlood(per_beat=500),
]
HABITS: list[Behaviour] = [Silent(), Dropper(share=0.5), Censor(), *FLOODS]


@pytest.fixture(scope="module")
def reports() -> dict[str, Report]:
    """What came of each attack, simulated once."""
    return {habit.name: simulate(small_attack(habit)) for habit in HABITS}


@pytest.mark.slow
@pytest.mark.parametrize("habit", HABITS, ids=lambda habit: habit.name)
def test_no_attack_breaks_what_must_always_hold(
    habit: Behaviour, reports: dict[str, Report]
) -> None:
    assert reports[habit.name].safety.is_kept


@pytest.mark.slow
@pytest.mark.parametrize("habit", HABITS, ids=lambda habit: habit.name)
def test_everything_arrives_once_an_attack_has_ended(
    habit: Behaviour, reports: dict[str, Report]
) -> None:
    report = reports[habit.name]
    after = report.phase("after").deliveries

    assert after.expected == 11 * after.published > 0
    assert after.share == 1.0
    assert report.healthy_after is not None
    assert report.healthy_after <= 90


@pytest.mark.slow
@pytest.mark.parametrize("habit", FLOODS, ids=lambda habit: habit.name)
def test_a_flood_hinders_no_delivery(
    habit: Behaviour, reports: dict[str, Report]
) -> None:
    during = reports[habit.name].phase("during")

    assert during.traffic.sybil_bytes > 0
    assert during.deliveries.published > 0
    assert during.deliveries.share == 1.0
    assert during.deliveries.p99_s < 1.0


@pytest.mark.slow
def test_an_invalid_flood_costs_the_sybils_their_score(
    reports: dict[str, Report],
) -> None:
    samples = [moment.sample for moment in reports["invalid-flood"].moments]
    at_work = [sample for sample in samples if 25 <= sample.at_s < 40]

    assert reports["invalid-flood"].phase("during").traffic.invalid > 1000
    assert all((sample.sybil_score or 0) < -2500 for sample in at_work)
    assert all((sample.honest_score_min or 0) >= 0 for sample in samples)
    assert samples[-1].sybil_score is None


@pytest.mark.slow
def test_a_replay_is_seen_as_duplicates_from_sybils(
    reports: dict[str, Report],
) -> None:
    traffic = reports["replay"].phase("during").traffic

    assert traffic.sybil_duplicates > 10 * traffic.duplicates


@pytest.mark.slow
def test_sybils_behave_until_they_attack_and_leave_when_it_ends() -> None:
    world = World(small_attack(Silent(), join_s=5), 1)
    world.run(19)

    assert any(sybil.peer in world.honest[0].links for sybil in world.sybils)
    assert world.traffic.sybil_duplicates > 0  # they pass messages on

    world.run(21)
    before = world.traffic.sybil_duplicates
    world.run(40)

    assert world.traffic.sybil_duplicates == before

    world.run(41)

    assert not any(sybil.is_online for sybil in world.sybils)
    assert all(peer[0] == "n" for node in world.honest for peer in node.links)


def test_sybils_that_are_listed_are_dialled_as_any_other() -> None:
    listed = World(small_attack(Silent(), join_s=0), 1)
    hidden = World(small_attack(Silent(), join_s=0, are_listed=False), 1)
    for world in (listed, hidden):
        world.run(15)

    def dialled(world: World) -> int:
        links = [link for node in world.honest for link in node.links.values()]
        return sum(link.is_outbound and not link.receiver.is_honest for link in links)

    assert dialled(listed) > 0
    assert dialled(hidden) == 0


def test_sybils_crowd_around_their_target() -> None:
    world = World(small_attack(Silent(), join_s=0, targets="victim", dials=1), 1)
    world.run(15)

    crowd = [sum(peer[0] == "s" for peer in node.links) for node in world.honest]
    assert crowd[0] == len(world.sybils)
    assert max(crowd[1:]) < len(world.sybils)


def test_sybils_may_share_addresses() -> None:
    world = World(small_attack(Silent(), per_address=8), 1)

    assert len({sybil.ip for sybil in world.sybils}) == 3
    assert len({node.ip for node in world.honest}) == 12

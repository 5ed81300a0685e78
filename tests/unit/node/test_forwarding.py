"""Rates decide what is passed on, and nothing about what is valid and kept (D11)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import pytest
import trio

from moltp2p.core.errors import LocalError
from moltp2p.core.ids import PeerId
from moltp2p.core.record import Record
from moltp2p.core.topics import NetworkParams, topic_of
from moltp2p.core.verdict import Verdict
from moltp2p.net.gossip.inbox import Incoming, Judgement
from moltp2p.node.desk import Kept
from moltp2p.node.forwarding import GossipJudge, agent_rate
from moltp2p.node.journal import Journal
from moltp2p.proto.ratelimit import Rate, units
from moltp2p.store.base import Added, Store
from moltp2p.store.memory import open_store
from moltp2p.testing.factories import EPOCH_MS, TestAgent
from tests.swarm import id_of

NETWORK = NetworkParams("test-net")
RATE = Rate(per_s=20, burst=100)


@dataclass
class Court:
    """A journal that runs, and the judge before it, with a clock that stands."""

    store: Store
    journal: Journal
    now: float = 0.0

    def judge(self, rate: Rate | None = RATE) -> GossipJudge:
        return GossipJudge(self.journal, rate, lambda: self.now)


@pytest.fixture
async def court(nursery: trio.Nursery) -> AsyncIterator[Court]:
    store = open_store(NetworkParams("test-net"))
    journal = Journal(store, NETWORK, lambda: EPOCH_MS + 60_000)

    def announce(batch: Sequence[Kept], now_ms: int) -> None: ...

    nursery.start_soon(journal.run, announce)
    yield Court(store, journal)
    nursery.cancel_scope.cancel()


def gossiped(record: Record) -> Incoming:
    topic = topic_of(NETWORK, record.header.community)
    return Incoming(PeerId("bob"), topic, id_of(record.wire()), record.wire())


def posts_of(agent: TestAgent, count: int) -> list[Incoming]:
    """Return posts of 10 units each."""
    posts = [agent.post(f"{number} " + "." * 9_500) for number in range(count)]
    assert units(len(posts[0].wire())) == 10
    return [gossiped(post) for post in posts]


def forwarded(judgements: Sequence[Judgement]) -> int:
    assert {each.verdict for each in judgements} == {Verdict.ACCEPT}
    return sum(each.forward for each in judgements)


async def test_what_an_agent_says_beyond_its_rate_is_kept_and_not_passed_on(
    court: Court,
) -> None:
    judge, alice = court.judge(), TestAgent("alice")

    judgements = await judge(posts_of(alice, 15))

    assert forwarded(judgements) == 10
    assert all(court.store.has(record.id) for record in alice.records[1:])


async def test_one_agent_does_not_spend_what_is_anothers(court: Court) -> None:
    judge = court.judge()
    await judge(posts_of(TestAgent("alice"), 15))

    assert forwarded(await judge(posts_of(TestAgent("bob"), 5))) == 5


async def test_a_rate_recovers_with_time(court: Court) -> None:
    judge, batch = court.judge(), posts_of(TestAgent("alice"), 20)
    await judge(batch[:15])

    court.now += 1.5

    assert forwarded(await judge(batch[15:])) == 3


async def test_a_link_of_a_key_chain_is_always_passed_on(court: Court) -> None:
    judge, alice = court.judge(), TestAgent("alice")
    posts = posts_of(alice, 15)
    await judge([gossiped(alice.records[0]), *posts])

    (judgement,) = await judge([gossiped(alice.rotate())])

    assert judgement == Judgement(Verdict.ACCEPT, forward=True)


async def test_an_operator_may_pass_everything_on(court: Court) -> None:
    judge = court.judge(agent_rate(0))

    assert forwarded(await judge(posts_of(TestAgent("alice"), 15))) == 15


@pytest.mark.parametrize("per_s", [1, 64, 100_000])
def test_whatever_rate_an_operator_chooses_the_largest_record_can_pass(
    per_s: int,
) -> None:
    rate = agent_rate(per_s)

    assert rate
    assert rate.burst >= units(65_536)


async def test_only_what_an_honest_peer_does_not_send_is_needless(
    court: Court,
) -> None:
    judge, alice = court.judge(), TestAgent("alice")
    post = alice.post()
    alice.time_ms += 3_600_000
    ahead = alice.post("from the future")
    await judge([gossiped(post)])

    duplicate, future = await judge([gossiped(post), gossiped(ahead)])

    assert duplicate == Judgement(Verdict.IGNORE)
    assert future == Judgement(Verdict.IGNORE, needless=True)


async def test_garbage_is_rejected(court: Court) -> None:
    garbage = Incoming(PeerId("bob"), "t", id_of(b"x"), b"x")

    assert await court.judge()([garbage]) == [Judgement(Verdict.REJECT)]


async def test_a_disk_that_is_full_blames_nobody(
    court: Court, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> Added:
        raise LocalError("disk-full", "no room")

    sitting = court.store.sit()
    monkeypatch.setattr(sitting, "keep", fail)
    monkeypatch.setattr(court.store, "sit", lambda: sitting)

    judgements = await court.judge()([gossiped(TestAgent("alice").post())])

    assert judgements == [Judgement(Verdict.IGNORE)]

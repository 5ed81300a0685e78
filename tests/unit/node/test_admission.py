"""Who may speak at a node: what waits for a proof, and what a proof lets in."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import pytest
import trio

from moltp2p.core.author import Draft
from moltp2p.core.challenge.attested import Attested
from moltp2p.core.challenge.testimony import VALID_MS
from moltp2p.core.errors import UsageError
from moltp2p.core.ids import AgentId
from moltp2p.core.kinds import Kind, Post
from moltp2p.core.record import Record
from moltp2p.core.topics import NetworkParams
from moltp2p.core.validate import Road
from moltp2p.node.agents import Agents
from moltp2p.node.desk import Kept
from moltp2p.node.journal import Journal
from moltp2p.node.pen import Incoming
from moltp2p.proto.admission.rules import State, Tally
from moltp2p.proto.admission.strangers import Limits, Strangers
from moltp2p.store.base import Store
from moltp2p.store.memory import open_store
from moltp2p.testing.factories import EPOCH_MS, TestAgent
from moltp2p.testing.proofs import Spoken, known_agent, prove

NETWORK = NetworkParams("test-net", admission=True)
DAY_MS = 86_400_000


@dataclass
class Court:
    """A journal of an agent's node, on a clock that is set by hand."""

    me: TestAgent
    store: Store
    now_ms: int = EPOCH_MS + 60_000
    kept: list[Kept] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.agents = Agents(self.me.id, self.store, self.clock_ms)
        self.journal = Journal(self.store, NETWORK, self.clock_ms, agents=self.agents)

    def clock_ms(self) -> int:
        return self.now_ms

    def announce(self, batch: Sequence[Kept], now_ms: int) -> None:
        self.kept += batch

    async def rule(self, *records: Record, road: Road = Road.SYNC) -> list[str]:
        incoming = [Incoming(record.wire(), road) for record in records]
        rulings = await self.journal.submit(
            lambda desk: desk.rule(incoming), len(incoming)
        )
        return [ruling.code for ruling in rulings]

    async def challenge(self, subject: TestAgent) -> None:
        """Publish that this node's agent has challenged somebody."""
        await self.say(attested(self.me, subject, self.now_ms))

    async def say(self, draft: Draft) -> Record:
        (record,) = await self.journal.submit(
            lambda desk: desk.write(self.me.author, [draft])
        )
        return record

    def restarted(self) -> Agents:
        """Return who counts after a restart."""
        agents = Agents(self.me.id, self.store, self.clock_ms)
        agents.load()
        return agents


def attested(
    issuer: TestAgent, subject: TestAgent, time_ms: int, rounds: int = 2
) -> Draft:
    spoken = Spoken(subject, issuer, rounds=rounds, time_ms=time_ms)
    right = 4 * rounds
    attestation: Attested = spoken.attest(score=right, rounds=rounds)
    return Draft(Kind.ATTESTATION, attestation)


def proof(
    subject: TestAgent, issuers: Sequence[TestAgent], time_ms: int = EPOCH_MS
) -> Record:
    subject.time_ms = max(subject.time_ms, time_ms)
    return subject.write(Draft(Kind.PROOF, prove(subject, issuers, time_ms=time_ms)))


@pytest.fixture
async def court(nursery: trio.Nursery) -> AsyncIterator[Court]:
    """Return the court of alice, who has challenged bob."""
    alice, bob = known_agent("alice"), known_agent("bob")
    court = Court(alice, open_store(NETWORK))
    nursery.start_soon(court.journal.run, court.announce)
    await court.rule(alice.records[0], bob.records[0])
    await court.challenge(bob)
    yield court
    nursery.cancel_scope.cancel()


async def test_who_never_counted_may_not_speak(court: Court) -> None:
    carol = known_agent("carol")

    codes = await court.rule(carol.records[0], carol.post())

    assert codes == ["ok", "unverified"]
    assert court.agents.state(carol.id) is State.UNVERIFIED


async def test_what_waits_comes_in_with_its_authors_proof(court: Court) -> None:
    bob, carol = known_agent("bob"), known_agent("carol")
    post = carol.post()
    await court.rule(carol.records[0], post, road=Road.GOSSIP)

    codes = await court.rule(proof(carol, [bob]))

    assert codes == ["ok"]
    assert court.store.has(post.id)
    assert [kept.relay for kept in court.kept if kept.record == post] == [True]
    assert court.agents.state(carol.id) is State.CHALLENGER
    assert len(court.journal.pen) == 0


async def test_a_proof_by_strangers_lets_nobody_in(court: Court) -> None:
    carol, dave = known_agent("carol"), known_agent("dave")

    codes = await court.rule(
        carol.records[0],
        dave.records[0],
        proof(carol, [dave]),
        proof(dave, [carol]),
        carol.post(),
        dave.post(),
    )

    assert codes == ["ok"] * 4 + ["unverified"] * 2


async def test_a_challenge_of_our_own_lets_somebody_in(court: Court) -> None:
    bob, carol = known_agent("bob"), known_agent("carol")
    await court.rule(carol.records[0])
    await court.say(attested(court.me, carol, court.now_ms, rounds=1))

    codes = await court.rule(bob.post(), carol.post())

    assert codes == ["ok", "unverified"]


async def test_what_is_dated_after_the_last_proof_is_refused(court: Court) -> None:
    bob, carol = known_agent("bob"), known_agent("carol")
    await court.rule(carol.records[0], proof(carol, [bob]))
    carol.time_ms = EPOCH_MS + VALID_MS - 1
    last, late = carol.post("last"), carol.post("late")
    court.now_ms = EPOCH_MS + 2 * VALID_MS

    assert await court.rule(last, late) == ["ok", "proof-expired"]
    assert court.agents.state(carol.id) is State.UNVERIFIED

    await court.challenge(bob)
    renewed = proof(carol, [bob], EPOCH_MS + 2 * VALID_MS)
    assert await court.rule(renewed) == ["ok"]
    assert court.store.has(late.id)


async def test_an_agent_without_a_proof_is_told_what_to_run(court: Court) -> None:
    post = Draft(Kind.POST, Post("hello"), "general")

    with pytest.raises(UsageError) as caught:
        await court.say(post)

    assert caught.value.code == "unverified"
    assert "moltp2p prove" in caught.value.hint
    assert court.agents.own().expires_ms is None


async def test_an_agent_speaks_by_its_own_proof(court: Court) -> None:
    bob = known_agent("bob")
    mine = await court.say(Draft(Kind.PROOF, prove(court.me, [bob])))

    record = await court.say(Draft(Kind.POST, Post("hello"), "general"))

    assert court.store.has(record.id)
    own = court.agents.own()
    assert own.record == mine.id
    assert own.expires_ms == EPOCH_MS + VALID_MS
    assert own.renew_ms == EPOCH_MS + 10 * DAY_MS
    assert own.state is State.CHALLENGER


async def test_a_restart_changes_nobodys_place(court: Court) -> None:
    bob, carol, dave = (known_agent(name) for name in ("bob", "carol", "dave"))
    await court.rule(
        carol.records[0], proof(carol, [bob]), dave.records[0], proof(dave, [carol])
    )
    await court.rule(carol.write(Draft(Kind.REVOCATION)))

    after = court.restarted()

    for agent in (court.me, bob, carol, dave):
        assert after.state(agent.id) is court.agents.state(agent.id)
        until_ms = court.agents.admitted_until_ms(agent.id)
        assert after.admitted_until_ms(agent.id) == until_ms
    assert after.state(dave.id) is State.UNVERIFIED


async def test_agents_are_counted_by_how_they_stand(court: Court) -> None:
    bob, carol, dave, erin = map(known_agent, ("bob", "carol", "dave", "erin"))
    assert court.agents.tally() == Tally(0, 0, 1, 0, 0, 1)

    await court.rule(carol.records[0], proof(carol, [bob]))
    await court.rule(dave.records[0], erin.records[0], proof(dave, [erin]))
    assert court.agents.tally() == Tally(1, 0, 2, 0, 2, 1)

    await court.say(Draft(Kind.PROOF, prove(court.me, [bob])))
    assert court.agents.tally() == Tally(1, 0, 3, 0, 3, 1)

    court.now_ms += 2 * VALID_MS
    court.agents.advance(court.now_ms)
    assert court.agents.tally() == Tally(3, 0, 0, 0, 3, 1)


async def test_what_was_said_before_a_revocation_is_still_taken(court: Court) -> None:
    bob, carol = known_agent("bob"), known_agent("carol")
    await court.rule(carol.records[0], proof(carol, [bob]))
    before = carol.post("before")
    revocation = carol.write(Draft(Kind.REVOCATION))
    after = carol.post("after")

    codes = await court.rule(revocation, before, after)

    assert codes == ["ok", "ok", "proof-expired"]


async def test_the_node_shows_who_attests_for_an_agent(court: Court) -> None:
    bob, carol = known_agent("bob"), known_agent("carol")
    bundle = proof(carol, [bob])
    await court.rule(carol.records[0], bundle)

    tree = await court.agents.pedigree(carol.id)

    (branch,) = tree.attested_by
    assert (tree.depth, tree.expires_ms) == (1, EPOCH_MS + VALID_MS)
    assert (branch.attestation, branch.code) == (bundle.id, "counts")
    assert (branch.attester.agent, branch.attester.depth) == (bob.id, 0)


@pytest.fixture
async def full_court(court: Court) -> Court:
    """Return a court that has room for no further stranger."""
    court.agents.register.strangers = Strangers(Limits(agents=0))
    return court


@pytest.mark.parametrize("is_proof_first", [True, False])
async def test_a_full_house_takes_an_inception_that_comes_with_a_proof(
    full_court: Court, is_proof_first: bool
) -> None:
    bob, carol = known_agent("bob"), known_agent("carol")
    both = [carol.records[0], proof(carol, [bob])]

    codes = await full_court.rule(*(reversed(both) if is_proof_first else both))

    assert codes == ["ok" if is_proof_first else "unverified", "ok"]
    assert all(full_court.store.has(record.id) for record in both)
    assert full_court.agents.state(carol.id) is State.CHALLENGER
    assert await full_court.rule(carol.post()) == ["ok"]


async def test_a_full_house_takes_no_inception_with_a_forged_proof(
    full_court: Court,
) -> None:
    bob, carol = known_agent("bob"), known_agent("carol")
    forged = prove(carol, [bob])
    statement = dataclasses.replace(forged.attested[0].statement, signature=bytes(64))
    attested = dataclasses.replace(forged.attested[0], statement=statement)
    false = dataclasses.replace(forged, attested=(attested,))
    records = carol.records[0], carol.write(Draft(Kind.PROOF, false))

    codes = await full_court.rule(*records)

    assert codes == ["unverified", "bad-attestation"]
    assert not any(full_court.store.has(record.id) for record in records)


async def test_whoever_is_let_in_is_told_of(court: Court) -> None:
    """So that what was not fetched for want of a proof is missing again."""
    bob, carol = known_agent("bob"), known_agent("carol")
    let_in = list[AgentId]()
    court.journal.let_in = let_in.append

    await court.rule(carol.records[0], carol.post())
    assert bob.id not in let_in
    let_in.clear()
    await court.rule(proof(carol, [bob]))

    assert let_in == [carol.id]

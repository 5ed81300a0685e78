"""Attacks that are a matter of luck: what they cost, beside what theory says."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field

import pytest

from moltp2p.core.challenge.spelling import read, write
from moltp2p.core.challenge.statements import Statement
from moltp2p.core.challenge.testimony import (
    TASKS,
    Accept,
    Apply,
    Check,
    Commit,
    Offer,
    Open,
    Reveal,
    Round,
    Testimony,
    answer_commit,
    nonce_commit,
    round_commit,
    session_id,
)
from moltp2p.core.challenge.work import (
    DRAWN,
    TEST_PRICE,
    Searched,
    Ticket,
    find_ticket,
    is_eligible,
    ticket_value,
)
from moltp2p.core.codec import decode
from moltp2p.core.ids import AgentId
from moltp2p.proto.admission.bars import quorum_of
from moltp2p.proto.challenge.applicant import Invited, invited
from moltp2p.proto.challenge.events import (
    Answered,
    Ask,
    ChallengeAction,
    ChallengeEvent,
    Done,
    Failed,
    Hashed,
    HashTicket,
    Received,
    Send,
)
from moltp2p.proto.challenge.machine import Machine, Moment
from moltp2p.proto.challenge.messages import encode_message
from moltp2p.testing.challenging import NETWORK, Pair, party
from moltp2p.testing.factories import EPOCH_MS
from moltp2p.testing.proofs import known_agent, nonce_of, peer_of, tickets
from moltp2p.testing.toy_tasks import WORD_DIGITS, solve_toy

NOW = 1_000.0
MALLORY, ALICE = known_agent("mallory"), known_agent("alice")
PAID = next(tickets(MALLORY))
SIGNER = MALLORY.author.signer
BOB = known_agent("bob")
GUESSES = ("aaaaaaaaaaaa",) * TASKS
Z_99 = 2.576
"""Of the normal distribution: 99 of 100 lie within so many standard errors."""


@dataclass
class Relay:
    """Mallory applies to bob, challenges alice, and hands bob's tasks on to her.

    Attributes:
        run: which; it moves nonces, and chooses what she sends bob as answers: alice's
            sealed ones, her own guesses, or nothing that can be opened.
    """

    run: int
    bob: Machine = field(init=False)
    alice: Machine = field(init=False)
    opened: int = 0

    def __post_init__(self) -> None:
        pair = Pair(MALLORY, BOB, seed=self.run)
        self.bob = pair.challenging()
        invitation = Invited(peer_of("mallory"), lambda _: True)
        own = party(ALICE, self.run)
        self.alice = invited(own, invitation, Moment(NOW, EPOCH_MS))
        self.pair = pair

    def relay(self) -> Failed:
        """Play it to the end; return how it ended for bob."""
        apply = self._application()
        heard = self._say(self.bob, apply)
        offer = read(heard, Offer)
        heard = self._say(self.bob, Accept(offer.session, self._nonce("accept")))
        own = self._open_session()
        first = read(heard, Round)
        sealed = self._ask_alice(own, 0, first.texts)
        heard = self._say(self.bob, self._answers(offer, 0, sealed))
        second = read(heard, Round)
        sealed = self._ask_alice(own, 1, second.texts)
        # Before she must commit to the last round, she tries to have alice opened.
        self._try_to_open(own)
        heard = self._say(self.bob, self._answers(offer, 1, sealed))
        reveal = read(heard, Reveal)
        salts = tuple(
            tuple(self._nonce(f"salt {number}") for _ in answers)
            for number, answers in enumerate(reveal.answers)
        )
        actions = self._tell(self.bob, Open(offer.session, salts))
        done = actions[-1]
        assert isinstance(done, Done)
        assert isinstance(done.outcome, Failed)
        return done.outcome

    def _application(self) -> Apply:
        nonce, versions = self._nonce("apply"), ("test/1",)
        peers = peer_of("mallory"), self.pair.issuer.id, peer_of("bob")
        return Apply(MALLORY.id, None, *peers, nonce, versions, PAID)

    def _open_session(self) -> bytes:
        peers = peer_of("mallory"), peer_of("alice")
        check = Check(MALLORY.id, None, *peers, ALICE.id, self._nonce("check"), 2)
        heard = self._say(self.alice, check)
        commit = nonce_commit(self._nonce("own"))
        session = session_id(heard.payload, commit)
        self._say(self.alice, Offer(session, MALLORY.id, None, commit, "test/1"))
        return session

    def _ask_alice(
        self, session: bytes, number: int, texts: tuple[str, ...]
    ) -> tuple[bytes, ...]:
        salt = self._nonce(f"round {number}")
        commit = round_commit(session, number, salt, GUESSES)
        heard = self._say(self.alice, Round(session, number, texts, commit, 60_000))
        return read(heard, Commit).items

    def _answers(self, offer: Offer, number: int, sealed: tuple[bytes, ...]) -> Commit:
        items = sealed
        if self.run % 3 == 1:
            salt = self._nonce(f"salt {number}")
            items = tuple(
                answer_commit(offer.session, number, index, salt, guess)
                for index, guess in enumerate(GUESSES)
            )
        elif self.run % 3 == 2:
            items = (bytes(32),) * TASKS
        return Commit(offer.session, number, items)

    def _try_to_open(self, session: bytes) -> None:
        salts = self._nonce("round 0"), self._nonce("round 1")
        reveal = Reveal(session, self._nonce("own"), salts, (GUESSES, GUESSES))
        for action in self._tell(self.alice, reveal):
            if isinstance(action, Send):
                value = decode(action.payload)
                self.opened += isinstance(value, list) and value[0] == "open"

    def _say(self, to: Machine, said: Testimony) -> Statement:
        """Say something; return the statement that comes back."""
        replies = [each for each in self._tell(to, said) if isinstance(each, Send)]
        return Statement.from_value(decode(replies[0].payload))

    def _tell(self, to: Machine, said: Testimony) -> list[ChallengeAction]:
        statement = write(said, SIGNER, NETWORK)
        return self._hand(to, Received(encode_message(statement)))

    def _hand(self, to: Machine, event: ChallengeEvent) -> list[ChallengeAction]:
        actions = list(to.handle(event, NOW))
        match actions:
            case [HashTicket(subject, ticket)]:
                value = ticket_value(NETWORK, subject, ticket)
                return self._hand(to, Hashed(value))
            case [Ask(_, texts)]:
                return self._hand(to, Answered(tuple(map(solve_toy, texts))))
            case _:
                return actions

    def _nonce(self, name: str) -> bytes:
        return nonce_of(f"{self.run} {name}")


@pytest.mark.slow
@pytest.mark.parametrize("runs", [90, pytest.param(1_000, marks=pytest.mark.long)])
def test_an_honest_agent_is_no_oracle_for_a_relay(runs: int) -> None:
    """However often it is tried: bob sees no right answer, and alice opens none."""
    relays = [Relay(run) for run in range(runs)]

    ends = {relay.relay().message for relay in relays}

    assert ends == {"0 answers were right and opened"}
    assert sum(relay.opened for relay in relays) == 0


def test_the_relay_is_not_foiled_by_its_own_clumsiness() -> None:
    """What it hands on is solved: alice's sealed answers are right, and stay sealed."""
    relay = Relay(0)

    assert len(solve_toy("Say abcdefabcdef.")) == WORD_DIGITS
    assert relay.relay().code == "not-passed"
    assert relay.alice.is_done


def agents(count: int, rng: random.Random) -> list[AgentId]:
    return [AgentId(rng.randbytes(32)) for _ in range(count)]


def drawn_odds(colluders: int, size: int, quorum: int = 4) -> float:
    """Return the odds that a ticket draws a quorum of colluders."""
    return 1 - binomial(quorum - 1, colluders, DRAWN / size)


def binomial(most: int, trials: int, odds: float) -> float:
    """Return the odds of at most so many hits."""
    return sum(
        math.exp(
            math.lgamma(trials + 1)
            - math.lgamma(hits + 1)
            - math.lgamma(trials - hits + 1)
            + hits * math.log(odds)
            + (trials - hits) * math.log1p(-odds)
        )
        for hits in range(most + 1)
    )


@pytest.mark.slow
@pytest.mark.parametrize("percent", [2, 5, 10, 20, 33])
def test_colluders_are_drawn_as_often_as_theory_says(
    percent: int, rng: random.Random
) -> None:
    size, tries = 300, 1_000
    colluders = agents(size * percent // 100, rng)

    hits = sum(
        sum(is_eligible(value, size, each) for each in colluders) >= 4
        for value in (rng.randbytes(32) for _ in range(tries))
    )

    odds = drawn_odds(len(colluders), size)
    assert binomial(hits, tries, odds) >= 0.005
    assert 1 - binomial(hits - 1, tries, odds) >= 0.005


@pytest.mark.slow
def test_grinding_for_friends_costs_what_theory_says(rng: random.Random) -> None:
    size, grinders = 100, 120
    friends = agents(33, rng)

    drawn, tries = zip(
        *(grind(agent, friends, size) for agent in agents(grinders, rng)), strict=True
    )

    odds = drawn_odds(len(friends), size)
    error = math.sqrt(1 - odds) / odds / math.sqrt(grinders)
    assert abs(sum(drawn) / grinders - 1 / odds) < Z_99 * error
    # And each of the tickets was paid for: geometric, so its deviation is its mean.
    mean, count = 2**TEST_PRICE.bits, sum(drawn)
    assert abs(sum(tries) / count - mean) < Z_99 * mean / math.sqrt(count)


def grind(agent: AgentId, friends: list[AgentId], size: int) -> tuple[int, int]:
    """Buy tickets until one draws four friends; return how many, and the Argon2s."""
    at = Ticket(1, size, 0)
    count = 0
    while True:
        found = find_ticket(NETWORK, agent, at, 10_000)
        assert not isinstance(found, Searched)
        count += 1
        value = ticket_value(NETWORK, agent, found)
        if sum(is_eligible(value, size, each) for each in friends) >= 4:
            return count, found.nonce + 1
        at = Ticket(1, size, found.nonce + 1)


@pytest.mark.parametrize(("percent", "tickets_needed"), [(5, 2_100), (10, 172)])
def test_the_price_that_the_design_tells(percent: int, tickets_needed: int) -> None:
    """In a large network, so that draws are as good as independent."""
    needed = 1 / drawn_odds(percent * 1_000, 100_000)

    assert needed == pytest.approx(tickets_needed, rel=0.02)


@pytest.mark.parametrize(("percent", "tickets_needed"), [(2, 36), (5, 15), (10, 8)])
def test_the_price_of_claiming_a_larger_network(
    percent: int, tickets_needed: int
) -> None:
    """A larger size asks for fewer attestations; five times as large is cheapest."""
    known = 131_072  # one of the row of numbers, where a reader asks for most
    colluders = known * percent // 100

    def price(times: float) -> float:
        size = int(known * times)
        return 1 / drawn_odds(colluders, size, quorum_of(known, size, 4))

    assert min(map(price, (1, 1.25, 5 / 3, 2.5, 5, 8))) == price(5)
    assert price(5) == pytest.approx(tickets_needed, rel=0.05)

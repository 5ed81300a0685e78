"""Tickets, sessions, attestations and proofs for tests, each by one call.

    bob, carol = known_agent("bob"), known_agent("carol")
    session = Spoken(subject=carol, issuer=bob).heard()
    record = carol.write(Draft(Kind.PROOF, prove(carol, [bob, dave])))

What chance would choose comes from the names, so that everything is the same in
every run.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Final

import base58

from moltp2p.core.challenge.attested import Attested, Proof
from moltp2p.core.challenge.audit import log_of
from moltp2p.core.challenge.spelling import NONCE_BYTES, fields_of, word_of, write
from moltp2p.core.challenge.statements import Statement, digest, state
from moltp2p.core.challenge.testimony import (
    ROUNDS,
    TASKS,
    Accept,
    Apply,
    Attestation,
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
    Searched,
    Ticket,
    epoch_of,
    find_ticket,
    is_eligible,
    ticket_value,
)
from moltp2p.core.ids import PeerId
from moltp2p.testing.factories import EPOCH_MS, TestAgent

VERSION: Final = "test/1"
LIMIT_MS: Final = 30_000


@functools.cache
def peer_of(name: str) -> PeerId:
    """Return the peer id of an agent's node, by the agent's name."""
    text = base58.b58encode(hashlib.sha512(name.encode()).digest()).decode()
    return PeerId(f"12D3Koo{text[:45]}")


def known_agent(name: str, network: str = "test-net") -> TestAgent:
    """Return an agent that has written its first record."""
    agent = TestAgent(name, network)
    agent.incept()
    return agent


def nonce_of(name: str) -> bytes:
    """Return 16 bytes that look random."""
    return hashlib.sha256(name.encode()).digest()[:NONCE_BYTES]


def tickets(
    agent: TestAgent, size: int = 1, time_ms: int = EPOCH_MS
) -> Iterator[Ticket]:
    """Yield one paid ticket of an agent after the other."""
    start = Ticket(epoch_of(time_ms), size, 0)
    while True:
        found = find_ticket(agent.network, agent.id, start, tries=1_000)
        if isinstance(found, Searched):
            start = found.then
        else:
            yield found
            start = Ticket(found.epoch, found.size, found.nonce + 1)


def ticket_for(
    agent: TestAgent, issuers: Sequence[TestAgent], size: int, time_ms: int = EPOCH_MS
) -> Ticket:
    """Return an agent's first ticket that draws all of these issuers."""
    return next(
        ticket
        for ticket in tickets(agent, size, time_ms)
        if all(is_eligible(value_of(agent, ticket), size, each.id) for each in issuers)
    )


def value_of(agent: TestAgent, ticket: Ticket) -> bytes:
    """Return the value of an agent's ticket."""
    return ticket_value(agent.network, agent.id, ticket)


@dataclass(frozen=True)
class Spoken:
    """All that is said in a session of which everything is right but what is changed.

    Attributes:
        subject: the applicant.
        issuer: the challenger.
        ticket: what was paid; None for a session by check.
        slot: the challenger's slot.
        right: how many answers of the eight are right.
        rounds: of a session by check.
        time_ms: the challenger's clock at the end.
        name: makes the nonces, so that two sessions differ.
    """

    subject: TestAgent
    issuer: TestAgent
    ticket: Ticket | None = None
    slot: int = 0
    right: int = ROUNDS * TASKS
    rounds: int = ROUNDS
    time_ms: int = EPOCH_MS
    name: str = "one"

    def heard(self, **changes: Testimony) -> list[Statement]:
        """Return the statements before the attestation.

        Args:
            changes: another testimony in place of one, by its word; `round0` and
                `commit0` are those of the first round.
        """
        said = self._said()
        statements: list[Statement] = []
        for place, each in said.items():
            mine = place.rstrip("01") in ("apply", "accept", "commit", "open")
            agent = self.subject if mine else self.issuer
            told = changes.get(place, each)
            statements.append(write(told, agent.author.signer, agent.network))
        return statements

    def attest(self, **changes: object) -> Attested:
        """Return the attestation; `changes` are of its fields."""
        of_ticket = self.ticket is not None
        says: dict[str, object] = {
            "subject": self.subject.id,
            "issuer": self.issuer.id,
            "key": None,
            "tasks": VERSION,
            "score": self.right,
            "took_ms": 20_000,
            "limit_ms": self._rounds * LIMIT_MS,
            "time_ms": self.time_ms,
            "log": log_of(self.heard()),
            "ticket": value_of(self.subject, self.ticket) if self.ticket else None,
            "epoch": self.ticket.epoch if self.ticket else None,
            "slot": self.slot if of_ticket else None,
            "rounds": None if of_ticket else self.rounds,
        }
        told = Attestation(**(says | changes))  # type: ignore[arg-type]
        signer = self.issuer.author.signer
        return Attested(write(told, signer, self.issuer.network), told)

    @property
    def _rounds(self) -> int:
        return self.rounds if self.ticket is None else ROUNDS

    def _said(self) -> dict[str, Testimony]:
        check = None if self.ticket else self._check()
        said: dict[str, Testimony] = {} if check is None else {"check": check}
        apply = self._apply(check)
        payload = self._payload(apply)
        nonce = nonce_of(f"{self.name} nonce")
        slot = None if self.ticket is None else self.slot
        session = session_id(payload, nonce_commit(nonce))
        offer = Offer(session, self.issuer.id, None, nonce_commit(nonce), VERSION, slot)
        said |= {"apply": apply, "offer": offer}
        said["accept"] = Accept(session, nonce_of(f"{self.name} accept"))
        for number in range(self._rounds):
            said[f"round{number}"] = self._round(session, number)
            said[f"commit{number}"] = self._commit(session, number)
        said["reveal"] = self._reveal(session, nonce)
        said["open"] = Open(session, self._opened())
        return said

    def _check(self) -> Check:
        peers = peer_of(self.issuer.name), peer_of(self.subject.name)
        nonce = nonce_of(f"{self.name} check")
        subject, rounds = self.subject.id, self.rounds
        return Check(self.issuer.id, None, *peers, subject, nonce, rounds)

    def _apply(self, check: Check | None) -> Apply:
        asked = None if check is None else digest("check", self._payload(check))
        return Apply(
            self.subject.id,
            None,
            peer_of(self.subject.name),
            self.issuer.id,
            peer_of(self.issuer.name),
            nonce_of(f"{self.name} apply"),
            (VERSION,),
            self.ticket,
            asked,
        )

    def _payload(self, said: Testimony) -> bytes:
        signer = self.subject.author.signer
        return state(word_of(said), fields_of(said), signer, "").payload

    def _round(self, session: bytes, number: int) -> Round:
        answers = self._answers(number)
        texts = tuple(f"Say {answer}." for answer in answers)
        salt = self._salt("round", number)
        commit = round_commit(session, number, salt, answers)
        return Round(session, number, texts, commit, LIMIT_MS)

    def _commit(self, session: bytes, number: int) -> Commit:
        given = self._given(number)
        return Commit(
            session,
            number,
            tuple(
                answer_commit(session, number, index, salt, answer)
                for index, (answer, salt) in enumerate(given)
            ),
        )

    def _reveal(self, session: bytes, nonce: bytes) -> Reveal:
        numbers = range(self._rounds)
        salts = tuple(self._salt("round", number) for number in numbers)
        return Reveal(session, nonce, salts, tuple(map(self._answers, numbers)))

    def _opened(self) -> tuple[tuple[bytes | None, ...], ...]:
        return tuple(
            tuple(
                salt if answer == right else None
                for (answer, salt), right in zip(
                    self._given(number), self._answers(number), strict=True
                )
            )
            for number in range(self._rounds)
        )

    def _answers(self, number: int) -> tuple[str, ...]:
        return tuple(f"{number}-{index}" for index in range(TASKS))

    def _given(self, number: int) -> list[tuple[str, bytes]]:
        place = count(number * TASKS)
        return [
            (
                answer if next(place) < self.right else "wrong",
                self._salt(f"answer {index}", number),
            )
            for index, answer in enumerate(self._answers(number))
        ]

    def _salt(self, what: str, number: int) -> bytes:
        return nonce_of(f"{self.name} {what} {number}")


def prove(
    subject: TestAgent,
    issuers: Sequence[TestAgent],
    size: int = 1,
    time_ms: int = EPOCH_MS,
    slot: int = 0,
) -> Proof:
    """Return the proof of an agent for which these issuers attest."""
    ticket = ticket_for(subject, issuers, size, time_ms)
    return Proof(
        ticket,
        tuple(
            Spoken(subject, issuer, ticket, slot, time_ms=time_ms).attest()
            for issuer in issuers
        ),
    )

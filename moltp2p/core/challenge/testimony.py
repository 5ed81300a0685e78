"""What the statements of a challenge say: one dataclass for each word (spec 07).

check    a challenger asks somebody to be challenged, without a ticket
apply    an applicant asks to be challenged
offer    the challenger binds itself to a nonce, and to a slot
accept   the applicant adds its own nonce: together they choose the worlds
round    four tasks, and a commitment to their answers
commit   the applicant binds itself to its answers, and shows none
reveal   the challenger shows its nonce and answers
open     the applicant shows those of its answers that were shown to it
attest   what the challenger has seen
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from moltp2p.core.challenge.statements import digest
from moltp2p.core.challenge.work import TEST_PREFIX, Ticket
from moltp2p.core.ids import AgentId, PeerId, PublicKey

ROUNDS: Final = 2  # SPEC 07: "two rounds of four tasks"
TASKS: Final = 4
SPOT_ROUNDS: Final = 1  # SPEC 07: "A spot check has one round"
PASS_SCORES: Final = {ROUNDS: 6, SPOT_ROUNDS: 3}
# SPEC 07: "at least 6 of 8 answers, or 3 of 4 in a spot check"

SLOTS: Final = 4  # SPEC 07: "at most 4 slots in an epoch"
TEST_SLOTS: Final = 32  # SPEC 07: "32 in a network whose name begins with `test-`"
VALID_MS: Final = 14 * 86_400_000  # SPEC 07: "1,209,600 seconds"
RENEW_MS: Final = 10 * 86_400_000  # SPEC 07: "from 864,000 seconds on"


def slots_of(network: str) -> int:
    """Return how many slots a challenger has in an epoch on a network."""
    return TEST_SLOTS if network.startswith(TEST_PREFIX) else SLOTS


@dataclass(frozen=True, slots=True)
class Check:
    """A challenger asks to challenge, on its own account: nobody paid for it.

    Attributes:
        issuer: the challenger; signs with `key`, or with its first key if None.
        peer: the challenger's own peer id.
        to: the peer id of who is asked.
        subject: the agent to be challenged.
        nonce: 16 random bytes.
        rounds: 1 or 2.
    """

    issuer: AgentId
    key: PublicKey | None
    peer: PeerId
    to: PeerId
    subject: AgentId
    nonce: bytes
    rounds: int


@dataclass(frozen=True, slots=True)
class Apply:
    """An applicant asks to be challenged, by ticket or because it was asked.

    Attributes:
        subject: the applicant; signs with `key`, or with its first key if None.
        peer: the applicant's own peer id.
        issuer: the challenger that is asked.
        to: the challenger's peer id.
        nonce: 16 random bytes.
        tasks: versions of the tasks that the applicant can check.
        ticket: what was paid.
        check: digest of the `check` that is answered; instead of a ticket.
    """

    subject: AgentId
    key: PublicKey | None
    peer: PeerId
    issuer: AgentId
    to: PeerId
    nonce: bytes
    tasks: tuple[str, ...]
    ticket: Ticket | None = None
    check: bytes | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """The challenger will challenge.

    Attributes:
        session: names the session; see `session_id`.
        issuer: the challenger; signs with `key`, or with its first key if None.
        commit: binds the challenger to its nonce; see `nonce_commit`.
        tasks: the version of the tasks.
        slot: which of its slots of the ticket's epoch; None without a ticket.
    """

    session: bytes
    issuer: AgentId
    key: PublicKey | None
    commit: bytes
    tasks: str
    slot: int | None = None


@dataclass(frozen=True, slots=True)
class Accept:
    """The applicant agrees, and adds 16 random bytes to the choice of the worlds."""

    session: bytes
    nonce: bytes


@dataclass(frozen=True, slots=True)
class Round:
    """Four tasks.

    Attributes:
        session: the session.
        number: 0 or 1.
        texts: the tasks.
        commit: binds the challenger to answers; see `round_commit`.
        limit_ms: how long the applicant has.
    """

    session: bytes
    number: int
    texts: tuple[str, ...]
    commit: bytes
    limit_ms: int


@dataclass(frozen=True, slots=True)
class Commit:
    """The applicant's answers to a round, sealed one by one; see `answer_commit`."""

    session: bytes
    number: int
    items: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Reveal:
    """What the challenger was bound to: its nonce; each round's salt and answers."""

    session: bytes
    nonce: bytes
    salts: tuple[bytes, ...]
    answers: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Open:
    """For each round and task the salt of the applicant's answer, or None."""

    session: bytes
    salts: tuple[tuple[bytes | None, ...], ...]


@dataclass(frozen=True, slots=True)
class Attestation:
    """What a challenger says it has seen. A *spot* attestation has no ticket.

    Attributes:
        subject: who answered.
        issuer: who saw it; signed with `key`, or with its first key if None.
        tasks: the version of the tasks.
        score: how many answers were right and opened.
        took_ms: how long all rounds took.
        limit_ms: how long they might have taken.
        time_ms: the issuer's clock, milliseconds since 1970 UTC.
        log: digest of the session; see `log_of`.
        ticket: the value of the ticket.
        epoch: the ticket's.
        slot: which of the issuer's slots of that epoch.
        rounds: of a spot attestation; None with a ticket, where there are two.
    """

    subject: AgentId
    issuer: AgentId
    key: PublicKey | None
    tasks: str
    score: int
    took_ms: int
    limit_ms: int
    time_ms: int
    log: bytes
    ticket: bytes | None = None
    epoch: int | None = None
    slot: int | None = None
    rounds: int | None = None

    @property
    def signing_key(self) -> PublicKey:
        """Return the key that it is signed by; whose key that is, a key chain says."""
        return PublicKey(self.issuer) if self.key is None else self.key

    @property
    def expires_ms(self) -> int:
        """Return the time from which on it does not hold."""
        return self.time_ms + VALID_MS

    def is_current(self, now_ms: int, ahead_ms: int) -> bool:
        """Tell whether it holds now, if clocks may differ by `ahead_ms`."""
        return self.time_ms - ahead_ms <= now_ms < self.expires_ms


Testimony: TypeAlias = (
    Check | Apply | Offer | Accept | Round | Commit | Reveal | Open | Attestation
)


def session_id(apply_payload: bytes, commit: bytes) -> bytes:
    """Return the name of the session that an application and an offer begin."""
    return digest("session", apply_payload, commit)


def nonce_commit(nonce: bytes) -> bytes:
    """Return what binds a challenger to its nonce."""
    return digest("nonce", nonce)


def world_seed(
    challenger_nonce: bytes, applicant_nonce: bytes, subject: AgentId, issuer: AgentId
) -> bytes:
    """Return what all worlds of a session are made from: neither party chose it."""
    return digest("worlds", challenger_nonce, applicant_nonce, subject, issuer)


def round_commit(
    session: bytes, number: int, salt: bytes, answers: tuple[str, ...]
) -> bytes:
    """Return what binds a challenger to the answers of a round."""
    return digest("round", session, number, salt, list(answers))


def answer_commit(
    session: bytes, number: int, index: int, salt: bytes, answer: str
) -> bytes:
    """Return what binds an applicant to one answer, and hides it."""
    return digest("answer", session, number, index, salt, answer)

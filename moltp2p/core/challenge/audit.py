"""Going through a session again, from what both parties signed (spec 07).

The same audit is the challenger's and the applicant's own, and that of anybody who
is shown a session: what it finds does not depend on who looks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from moltp2p.core.challenge.spelling import read
from moltp2p.core.challenge.statements import Statement, digest
from moltp2p.core.challenge.testimony import (
    ROUNDS,
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
    world_seed,
)
from moltp2p.core.errors import PeerError
from moltp2p.core.ids import PublicKey

Said = TypeVar("Said", bound=Testimony)


@dataclass(frozen=True, slots=True)
class Session:
    """All that was said in a session, read.

    Attributes:
        check: with which the challenger asked, if it did.
        apply: the application.
        offer: the offer.
        accept: the acceptance.
        rounds: the tasks.
        commits: the sealed answers.
        reveal: the answers.
        open: which of the sealed answers were shown.
    """

    check: Check | None
    apply: Apply
    offer: Offer
    accept: Accept
    rounds: tuple[Round, ...]
    commits: tuple[Commit, ...]
    reveal: Reveal
    open: Open

    @property
    def seed(self) -> bytes:
        """Return what the worlds of the session are made from."""
        return world_seed(
            self.reveal.nonce,
            self.accept.nonce,
            self.apply.subject,
            self.apply.issuer,
        )


def log_of(statements: Sequence[Statement]) -> bytes:
    """Return the digest of all that was said before the attestation."""
    return digest("transcript", *(each.to_value() for each in statements))


def read_session(statements: Sequence[Statement], network: str) -> Session:
    """Return a session whose statements are signed, in order, and fit together.

    Raises:
        PeerError: `bad-statement`, or a code of `codec.decode`.
    """
    rest = iter(statements)
    first = _next(rest)
    check = read(first, Check) if first.word == "check" else None
    applied = first if check is None else _next(rest)
    apply, offered = read(applied, Apply), _next(rest)
    offer = read(offered, Offer)
    by_issuer, by_subject = _key(offer), _key(apply)
    rounds = ROUNDS if check is None else check.rounds
    accept = _take(rest, Accept, by_subject, network)
    talk = [
        (
            _take(rest, Round, by_issuer, network),
            _take(rest, Commit, by_subject, network),
        )
        for _ in range(rounds)
    ]
    reveal = _take(rest, Reveal, by_issuer, network)
    opened = _take(rest, Open, by_subject, network)
    asked = [] if check is None else [(first, _key(check))]
    for statement, key in (*asked, (applied, by_subject), (offered, by_issuer)):
        _hold(statement.is_by(key, network), "a signature that is not good")
    _hold(next(rest, None) is None, "more than a session")
    parts = tuple(each for each, _ in talk), tuple(each for _, each in talk)
    session = Session(check, apply, offer, accept, *parts, reveal, opened)
    _hold(apply.check == (check and digest("check", first.payload)), "another check")
    _hold(offer.session == session_id(applied.payload, offer.commit), "its name")
    _check_fit(session)
    return session


def _check_fit(session: Session) -> None:
    """Refuse what was signed, and does not belong together."""
    offer, apply, check = session.offer, session.apply, session.check
    names = {offer.session, session.accept.session, session.reveal.session}
    names |= {session.open.session}
    names |= {each.session for each in session.rounds}
    names |= {each.session for each in session.commits}
    _hold(len(names) == 1, "parts of several sessions")
    _hold(apply.issuer == offer.issuer, "another challenger")
    _hold((apply.ticket is None) == (offer.slot is None), "a slot, and no ticket")
    _hold(offer.tasks in apply.tasks, "tasks that the applicant does not know")
    if check is not None:
        asked = (check.subject, check.issuer, check.peer, check.to)
        _hold(asked == (apply.subject, apply.issuer, apply.to, apply.peer), "the check")
    numbers = [each.number for each in session.rounds]
    _hold(numbers == [each.number for each in session.commits], "order of rounds")
    _hold(numbers == list(range(len(numbers))), "order of rounds")
    counts = {len(numbers), len(session.reveal.salts), len(session.open.salts)}
    _hold(len(counts) == 1, "number of rounds")


def objection(session: Session) -> str | None:
    """Tell how what the challenger revealed is not what it was bound to, or None."""
    for each in session.rounds:
        if code := reveal_objection(session.offer, each, session.reveal):
            return code
    return None


def reveal_objection(offer: Offer, asked: Round, reveal: Reveal) -> str | None:
    """Tell how a reveal does not fit an offer and a round, or None."""
    if nonce_commit(reveal.nonce) != offer.commit:
        return "another nonce"
    if asked.number >= len(reveal.salts):
        return "a round that is not revealed"
    salt, answers = reveal.salts[asked.number], reveal.answers[asked.number]
    if round_commit(offer.session, asked.number, salt, answers) != asked.commit:
        return "other answers"
    return None


def score_of(session: Session) -> int:
    """Return how many answers were opened, and are what the challenger revealed."""
    return sum(map(sum, matches(session.commits, session.reveal, session.open)))


def matches(
    commits: Sequence[Commit], reveal: Reveal, opened: Open
) -> Iterator[list[bool]]:
    """Yield for each round which of its answers are right and opened."""
    for commit, answers, salts in zip(
        commits, reveal.answers, opened.salts, strict=True
    ):
        yield [
            salt is not None
            and answer_commit(commit.session, commit.number, index, salt, answer)
            == item
            for index, (item, answer, salt) in enumerate(
                zip(commit.items, answers, salts, strict=True)
            )
        ]


def is_borne_out(
    attestation: Attestation, statements: Sequence[Statement], network: str
) -> bool:
    """Tell whether an attestation says what its session shows."""
    try:
        session = read_session(statements, network)
    except PeerError:
        return False
    apply, offer = session.apply, session.offer
    ticket = apply.ticket
    told = (
        attestation.subject,
        attestation.issuer,
        attestation.key,
        attestation.tasks,
        attestation.slot,
        attestation.epoch,
        attestation.score,
        attestation.limit_ms,
        attestation.rounds,
    )
    shown = (
        apply.subject,
        offer.issuer,
        offer.key,
        offer.tasks,
        offer.slot,
        None if ticket is None else ticket.epoch,
        score_of(session),
        sum(each.limit_ms for each in session.rounds),
        len(session.rounds) if ticket is None else None,
    )
    return told == shown and objection(session) is None


def _key(party: Check | Apply | Offer) -> PublicKey:
    """Return the key with which a party of the session signs."""
    agent = party.subject if isinstance(party, Apply) else party.issuer
    return PublicKey(agent) if party.key is None else party.key


def _take(
    rest: Iterator[Statement], says: type[Said], key: PublicKey, network: str
) -> Said:
    statement = _next(rest)
    _hold(statement.is_by(key, network), "a signature that is not good")
    return read(statement, says)


def _next(rest: Iterator[Statement]) -> Statement:
    statement = next(rest, None)
    if statement is None:
        raise PeerError("bad-statement", "less than a session")
    return statement


def _hold(holds: bool, what: str) -> None:
    if not holds:
        raise PeerError("bad-statement", f"a session that does not fit: {what}")

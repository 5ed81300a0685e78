"""An applicant's answers: of the form that tasks have, sealed, and opened at last."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from moltp2p.core.challenge.statements import Statement
from moltp2p.core.challenge.testimony import Open, Reveal, Round
from moltp2p.core.limits import ANSWER_PATTERN


@dataclass(frozen=True, slots=True)
class Met:
    """A round as it was met.

    Attributes:
        statement: the tasks, as they were signed.
        asked: what they say.
        answers: our own; None where there was none of the right form.
        salts: what seals them.
    """

    statement: Statement
    asked: Round
    answers: tuple[str | None, ...]
    salts: tuple[bytes, ...]


def allowed(answer: str | None) -> str | None:
    """Return an answer of the form that tasks have, and nothing else."""
    if answer is None or not re.fullmatch(ANSWER_PATTERN, answer):
        return None
    return answer


def opened(session: bytes, reveal: Reveal, met: Sequence[Met]) -> Open:
    """Return the salts of those answers that the challenger has stated itself."""
    salts = tuple(
        tuple(
            salt if own is not None and own == right else None
            for salt, own, right in zip(each.salts, each.answers, answers, strict=True)
        )
        for each, answers in zip(met, reveal.answers, strict=True)
    )
    return Open(session, salts)

"""Sessions of a challenge that attackers begin from, and how they end."""

from __future__ import annotations

from collections.abc import Sequence

from moltp2p.core.challenge.spelling import read
from moltp2p.core.challenge.statements import Statement
from moltp2p.core.challenge.testimony import Open
from moltp2p.core.codec import decode
from moltp2p.proto.challenge.events import Done, Failed, Passed
from moltp2p.proto.challenge.machine import Moment
from moltp2p.testing.challenging import Duet, Pair
from moltp2p.testing.factories import EPOCH_MS
from scripts.vectors.proof_sessions import word_of_frame

NOW = 1_000.0
BEGUN = Moment(NOW, EPOCH_MS)
RECORDED = Pair(seed=7).duet().run().frames()
"""A session between the same two, in which everything was right."""


def code(end: Passed | Failed | None) -> str:
    """Return how a session ended; `ok` when it did well."""
    return end.code if isinstance(end, Failed) else "ok"


def failed(end: Passed | Failed | None) -> Failed:
    """Return the failure that a session ended with."""
    assert isinstance(end, Failed)
    return end


def ended(actions: Sequence[object]) -> str:
    """Return how a session ended whose last action says so."""
    done = actions[-1]
    assert isinstance(done, Done)
    return code(done.outcome)


def opened(duet: Duet) -> list[Open]:
    """Return what the applicant opened."""
    frames = [each for each in duet.frames() if word_of_frame(each) == "open"]
    return [read(Statement.from_value(decode(each)), Open) for each in frames]

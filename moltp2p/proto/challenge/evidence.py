"""What only those who have the tasks can tell: that a challenger set others (spec 07).

It is no fraud proof, for a verdict must not depend on who has which tasks. But the
session is signed by both, so that an applicant can show it to anybody.
"""

from __future__ import annotations

from collections.abc import Sequence

from moltp2p.core.challenge.audit import read_session
from moltp2p.core.challenge.statements import Statement
from moltp2p.core.challenge.testimony import TASKS, Reveal, Round
from moltp2p.core.errors import PeerError
from moltp2p.proto.challenge.events import Tasks


def world_objection(
    tasks: Tasks, seed: bytes, rounds: Sequence[Round], reveal: Reveal
) -> str | None:
    """Tell how rounds are not of the worlds that follow from a seed, or None."""
    for asked, answers in zip(rounds, reveal.answers, strict=True):
        worlds = tasks.batch(seed, asked.number, TASKS)
        if tuple(tasks.answers(worlds)) != answers:
            return "the answers of other worlds"
        if not all(map(tasks.carries, worlds, asked.texts)):
            return "a text that does not carry its world"
    return None


def shows_wrong_world(
    statements: Sequence[Statement], network: str, tasks: Tasks
) -> bool:
    """Tell whether a session shows that its challenger set other tasks.

    Args:
        statements: `Failed.heard`, as the applicant kept it.
        network: the network's name.
        tasks: of the version that was offered; with another nothing is shown.
    """
    try:
        session = read_session(statements, network)
    except PeerError:
        return False
    if session.offer.tasks != tasks.version:
        return False
    objection = world_objection(tasks, session.seed, session.rounds, session.reveal)
    return objection is not None

"""Whole sessions with the real tasks."""

from __future__ import annotations

import time

import pytest

from moltp2p.proof.pack_reading import load_library
from moltp2p.proto.challenge.events import Failed, Passed
from moltp2p.testing.challenging import Between, Pair
from moltp2p.testing.oracle import Oracle

LIBRARY = load_library()
MAX_SESSION_BYTES = 24_000
MAX_CHALLENGER_S = 0.050


def pair_of(oracle: Oracle, seed: int = 1) -> Pair:
    return Pair(seed=seed, tasks=oracle.tasks, words=oracle.word)


@pytest.mark.parametrize("seed", range(8))
def test_whoever_knows_the_answers_is_attested(seed: int) -> None:
    oracle = Oracle(LIBRARY, bytes([seed]))

    duet = pair_of(oracle, seed).duet(Between(solve=oracle.solve)).run()

    assert isinstance(duet.subject_end, Passed)
    assert duet.subject_end.attested.says.score == 8
    assert duet.subject_end.attested.says.tasks == "mw/1"
    assert duet.wire_bytes <= MAX_SESSION_BYTES


def test_a_text_with_a_name_left_out_is_the_challengers_fault() -> None:
    oracle = Oracle(LIBRARY)
    pair = Pair(tasks=oracle.tasks, words=lambda world: oracle.word(world)[:60])

    duet = pair.duet(Between(solve=lambda _: "1")).run()

    assert isinstance(duet.subject_end, Failed)
    assert duet.subject_end.code == "wrong-world"


def test_a_session_costs_the_challenger_little() -> None:
    oracle = Oracle(LIBRARY)
    duet = pair_of(oracle).duet(Between(solve=oracle.solve)).run()

    def spent_s() -> float:
        again = pair_of(Oracle(LIBRARY)).challenging()
        begun_s = time.thread_time()
        for turn in duet.turns:
            if turn.machine is duet.issuer:
                again.handle(turn.event, turn.now)
        assert again.is_done
        return time.thread_time() - begun_s

    assert min(spent_s() for _ in range(3)) < MAX_CHALLENGER_S

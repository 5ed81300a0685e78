"""Strangers cannot fill the disk with what is logged about them."""

from __future__ import annotations

import logging

from moltp2p.cli.log_limit import ALL, EACH, MAX_NAMES, LogLimit


def record(**fields: object) -> logging.LogRecord:
    made = logging.makeLogRecord({"msg": "hung-up", "levelno": logging.WARNING})
    vars(made).update(fields)
    return made


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_one_stranger_may_cause_so_many_lines_and_the_next_says_how_many_more() -> None:
    clock = Clock()
    limit = LogLimit(clock)

    passed = [limit.filter(record(peer="mallory")) for _ in range(1_000)]
    other = record(peer="bob")

    assert passed == [True] * 10 + [False] * 990
    assert limit.filter(other)
    assert vars(other)["left_out"] == 990
    clock.now = 1 / EACH.per_s
    again = record(peer="mallory")
    assert limit.filter(again)
    assert "left_out" not in vars(again)
    assert not limit.filter(record(peer="mallory"))


def test_many_strangers_together_may_cause_only_so_many() -> None:
    clock = Clock()
    limit = LogLimit(clock)

    burst = sum(limit.filter(record(agent=f"agent {n}")) for n in range(100_000))
    clock.now = 3600.0
    hour = 0
    for second in range(3600):
        clock.now += 1.0
        hour += sum(limit.filter(record(source=f"{second} {n}")) for n in range(10))

    assert burst == ALL.burst
    assert hour <= ALL.per_s * 3600 + ALL.burst
    assert len(limit._each) <= MAX_NAMES + 1


def test_what_is_ours_is_always_written() -> None:
    limit = LogLimit(Clock())
    for _ in range(1_000):
        limit.filter(record(peer="mallory"))

    assert all(limit.filter(record(code="disk-full")) for _ in range(1_000))
    assert limit.left_out == 990

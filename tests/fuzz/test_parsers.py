"""Whatever a stranger says, a parser refuses it or makes the one value of it."""

from __future__ import annotations

import multiprocessing
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from functools import partial
from importlib.util import find_spec

import pytest
import trio

from tests.fuzz.loop import Loop
from tests.fuzz.mutations import raw
from tests.fuzz.parser import STALL_S, FuzzError, Outcome, Parser, Read, fuzz
from tests.fuzz.table import TABLE

CASES = 20_000
LONG_CASES = 1_000_000

each_parser = pytest.mark.parametrize(
    "parser", TABLE, ids=[parser.name.replace(" ", "-") for parser in TABLE]
)


def campaign(name: str, seed: int) -> Outcome:
    """Fuzz one parser; run in a process of its own."""
    (parser,) = (each for each in TABLE if each.name == name)
    return trio.run(fuzz, parser, CASES // parser.weight, random.Random(seed))


@pytest.fixture(scope="module")
def campaigns(request: pytest.FixtureRequest) -> Iterator[dict[str, Future[Outcome]]]:
    """Fuzz every parser that is asked for, as many at once as there are cores."""
    seed = int(os.environ.get("SEED", "1"))
    chosen = {
        parser.name: None
        for item in request.session.items
        if isinstance(item, pytest.Function) and hasattr(item, "callspec")
        if isinstance(parser := item.callspec.params.get("parser"), Parser)
    }
    with ProcessPoolExecutor(
        os.cpu_count(), multiprocessing.get_context("forkserver")
    ) as pool:
        yield {name: pool.submit(campaign, name, seed) for name in chosen}


@pytest.mark.slow
@each_parser
def test_no_case_is_taken_amiss(
    parser: Parser, campaigns: dict[str, Future[Outcome]], rng: random.Random
) -> None:
    outcome = campaigns[parser.name].result()

    print(f"longest case: {outcome.longest_s * 1e3:.1f} ms")  # noqa: T201
    assert outcome.passed + sum(outcome.refused.values()) == CASES // parser.weight
    assert outcome.passed


@pytest.mark.long
@each_parser
def test_no_case_out_of_a_million_is_taken_amiss(parser: Parser) -> None:
    """Atheris looks for cases by what they reach, and ends its process at the end."""
    cases = LONG_CASES // parser.weight
    if find_spec("atheris") is None:
        trio.run(fuzz, parser, cases, random.Random(1))
        return
    command = [sys.executable, "-m", "tests.fuzz.guided", parser.name, str(cases)]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr[-4000:]


# The campaign itself.


def a_parser(read: Read, *corpus: bytes) -> Parser:
    return Parser("mine", lambda: list(corpus), raw, lambda: read)


async def test_a_parser_that_raises_what_it_must_not_is_found(
    rng: random.Random,
) -> None:
    def read(data: bytes) -> None:
        if data.startswith(b"sead"):
            raise IndexError("a bug")

    with pytest.raises(FuzzError, match="IndexError"):
        await fuzz(a_parser(read, b"seed"), CASES, rng)


async def test_a_parser_that_takes_long_is_found(rng: random.Random) -> None:
    def read(data: bytes) -> None:
        if data == b"slow":
            until_s = time.thread_time() + 1.1 * STALL_S
            while time.thread_time() < until_s:
                pass

    with pytest.raises(FuzzError, match="event loop"):
        await fuzz(a_parser(read, b"slow"), 10, rng)


def test_a_plain_function_can_run_cases_that_wait_and_sees_what_they_raise() -> None:
    loop, seen = Loop(), []

    async def case(number: int) -> None:
        await trio.lowlevel.checkpoint()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.lowlevel.checkpoint)
        seen.append(number)
        if number == 2:
            raise IndexError("a bug")

    loop.run(partial(case, 1))
    with pytest.raises(IndexError):
        loop.run(partial(case, 2))
    loop.run(partial(case, 3))
    loop.close()

    assert seen == [1, 2, 3]


async def test_the_same_seed_gives_the_same_cases() -> None:
    seen: list[list[bytes]] = [[], []]
    for cases in seen:
        parser = a_parser(cases.append, bytes(range(100)))
        await fuzz(parser, 1_000, random.Random(7))

    assert seen[0] == seen[1]
    assert len(set(seen[0])) > 900

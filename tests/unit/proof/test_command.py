"""Programs that answer, and programs that do not."""

from __future__ import annotations

import sys

import pytest
import trio

from moltp2p.core.errors import LocalError
from moltp2p.proof.command import MAX_OUTPUT_BYTES, ask_command

pytestmark = pytest.mark.slow


def python(source: str) -> list[str]:
    return [sys.executable, "-c", source]


async def test_a_program_answers_what_it_is_given() -> None:
    echo = python("import sys; print(sys.stdin.read().upper())")

    assert await ask_command(echo, "how many?", 30) == "HOW MANY?\n"


async def test_a_program_need_not_read_to_the_end() -> None:
    assert await ask_command(python("print(7)"), "x" * 1_000_000, 30) == "7\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["/no/such/program"], "cannot be started"),
        (python("raise SystemExit(3)"), "ended with 3"),
        (python("pass"), "said nothing"),
        (python(f"print('x' * {MAX_OUTPUT_BYTES + 1})"), "said more than"),
        (python("while True: print('x' * 9999)"), "said more than"),
    ],
)
async def test_a_program_that_fails_is_named(words: list[str], told: str) -> None:
    with pytest.raises(LocalError, match=told) as failure:
        await ask_command(words, "how many?", 30)

    assert failure.value.code == "solver-failed"


async def test_a_program_that_never_answers_is_ended() -> None:
    begun = trio.current_time()

    with pytest.raises(LocalError, match="took more than"):
        await ask_command(python("import time; time.sleep(600)"), "how many?", 1)

    assert trio.current_time() - begun < 60

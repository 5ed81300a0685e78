"""Programs that answer tasks, whatever they do; and the oracle, where it may."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import psutil
import pytest
import trio

from moltp2p.core.errors import UsageError
from moltp2p.node.config import Config, load_config
from moltp2p.node.proving.proving import make_solver, shown_solver
from moltp2p.node.proving.solvers import Answering, Command, Oracle, Question
from moltp2p.node.solver_settings import KEY_VARIABLE, check_network, check_solver
from moltp2p.proof.command import MAX_OUTPUT_BYTES
from moltp2p.proto.challenge.events import Ask
from tests.patience import PATIENCE_S

LONG_MS = 600_000


def program(source: str) -> Command:
    """Return a solver that runs a piece of Python."""
    line = shlex.join([sys.executable, "-S", "-c", source])
    return Command(line, os.environ | {KEY_VARIABLE: "sk-secret"})


async def answered(
    source: str, *texts: str, limit_ms: int = LONG_MS
) -> tuple[tuple[str | None, ...], str]:
    """Have a program answer a round; return its answers, and the last failure."""
    answering = Answering(program(source))
    with trio.fail_after(PATIENCE_S):
        answers = await answering.answer(Ask(0, texts or ("how many?",), (), limit_ms))
    return answers, answering.last_error


@pytest.mark.slow
async def test_a_program_reads_a_task_and_says_the_answer() -> None:
    source = "import sys; print('So: ANSWER:', sys.stdin.read().split()[-1])"

    answers, error = await answered(source, "one", "two", "three", "four")

    assert answers == ("one", "two", "three", "four")
    assert error == ""


@pytest.mark.slow
async def test_a_program_is_told_what_it_may_need_again() -> None:
    source = "import sys; print('Anna' if 'Anna' in sys.stdin.read() else 'nobody')"
    answering = Answering(program(source))

    answers = await answering.answer(Ask(1, ("Who?",), ("I am Anna.",), LONG_MS))

    assert answers == ("anna",)


@pytest.mark.slow
async def test_a_program_gets_no_key_and_no_settings() -> None:
    source = "import os; print('-'.join(sorted(os.environ)))"
    said = await program(source).solve(Question("", "", PATIENCE_S))

    assert "PATH" in said
    assert "MOLTP2P" not in said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("raise SystemExit(3)", "ended with 3"),
        ("import os; os.kill(os.getpid(), 11)", "ended with -11"),
        ("pass", "said nothing"),
        ("import sys; sys.stdout.buffer.write(bytes(range(256)))", "bad-answer"),
        ("print('my key is sk-' + 'x' * 40)", "bad-answer"),
        ("print('{' * 60000 + '}')", "bad-answer"),
        (f"print('7' * {MAX_OUTPUT_BYTES + 1})", "said more than"),
        ("while True: print('7' * 9999)", "said more than"),
    ],
)
async def test_a_program_that_does_not_answer_is_no_more_than_that(
    source: str, told: str
) -> None:
    answers, error = await answered(source)

    assert answers == (None,)
    assert told in error


@pytest.mark.slow
async def test_one_that_fails_takes_no_answer_from_the_others() -> None:
    source = (
        "import sys; word = sys.stdin.read().strip();"
        " print(word if word != 'no' else 1 / 0)"
    )

    answers, _ = await answered(source, "one", "no", "three", "four")

    assert answers == ("one", None, "three", "four")


@pytest.mark.slow
async def test_a_flood_of_errors_stalls_nothing() -> None:
    source = "import sys; sys.stderr.write('x' * 10**7); print(7)"

    assert (await answered(source))[0] == ("7",)


@pytest.mark.slow
@pytest.mark.parametrize(
    "source",
    [
        "import time; time.sleep(600)",
        "import time, signal; signal.signal(15, signal.SIG_IGN); time.sleep(600)",
        "import os, time; os.close(1); time.sleep(600)",
        "while True: pass",
    ],
)
async def test_a_program_that_goes_on_is_ended_with_its_round(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moltp2p.node.proving.solvers.MARGIN_S", 0.0)
    begun = trio.current_time()

    answers, error = await answered(noting(source, tmp_path), limit_ms=1_000)

    assert answers == (None,)
    assert "too-late" in error or "took more than" in error
    assert trio.current_time() - begun < PATIENCE_S
    assert await is_gone(tmp_path)


@pytest.mark.slow
async def test_what_a_program_started_is_ended_with_it(tmp_path: Path) -> None:
    child = noting("import time; time.sleep(600)", tmp_path)
    source = (
        "import os, subprocess, sys, time\n"
        f"subprocess.Popen([sys.executable, '-S', '-c', {child!r}],"
        " stdout=subprocess.DEVNULL)\n"
        f"while not os.path.exists({str(tmp_path / 'pid')!r}): time.sleep(0.01)\n"
        "print(7)"
    )

    assert (await answered(source))[0] == ("7",)
    assert await is_gone(tmp_path)


def noting(source: str, folder: Path) -> str:
    """Return a program that first writes down its process's number."""
    new, place = str(folder / "new"), str(folder / "pid")
    note = f"import os; open({new!r}, 'w').write(str(os.getpid()))\n"
    return note + f"os.rename({new!r}, {place!r})\n" + source


async def is_gone(folder: Path) -> bool:
    """Tell whether the process that wrote down its number ends, having been killed."""
    pid = int((folder / "pid").read_text())
    with trio.move_on_after(PATIENCE_S):
        while _runs(pid):
            await trio.lowlevel.checkpoint()
        return True
    return False


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize(
    "value",
    ["", "nobody", "command:", "command:'open", "command:a\0b", "openai:ftp://host"],
)
def test_what_names_no_solver_is_refused(value: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_solver(value)

    assert caught.value.code == "bad-setting"


def test_the_oracle_is_refused_where_agents_are_to_prove_themselves(
    tmp_path: Path,
) -> None:
    for network in ("main", "test", "tests-1", "my-test-1"):
        with pytest.raises(UsageError) as caught:
            load_config(tmp_path, {}, {"solver": "oracle", "network": network})
        assert caught.value.code == "test-network-only"
        assert "'test-'" in caught.value.hint

    config = load_config(tmp_path, {}, {"solver": "oracle", "network": "test-1"})
    check_network(config.solver, config.network.id)
    assert isinstance(make_solver(config, {}), Oracle)


async def test_an_oracle_has_no_answer_to_a_task_that_tells_none() -> None:
    answering = Answering(Oracle())

    answers = await answering.answer(
        Ask(0, ("how many?", "how many? (oracle: 17)"), (), LONG_MS)
    )

    assert answers == (None, "17")
    assert "tells no answer" in answering.last_error


@pytest.mark.parametrize(
    ("chosen", "shown"),
    [
        ("command:solve --token sk-secret", "command"),
        ("openai:https://models.example/v1", "openai"),
        ("by-hand", "by-hand"),
        ("oracle", "oracle"),
    ],
)
def test_status_shows_a_solvers_kind_alone(chosen: str, shown: str) -> None:
    assert shown_solver(chosen) == shown


def test_by_hand_is_nobody_of_ours() -> None:
    assert make_solver(Config(Path()), {}) is None

"""Asks a program that the operator names: text on its stdin, answer on its stdout.

A solver answers tasks in this way, and a paraphraser says sentences in other words.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

import trio

from moltp2p.core.errors import LocalError

MAX_OUTPUT_BYTES: Final = 65_536
"""A program that says more is ended, and what it said is dropped."""
GRACE_S: Final = 5.0
"""How long a program may take to end once it has said all."""


async def ask_command(
    words: Sequence[str],
    text: str,
    limit_s: float,
    environ: Mapping[str, str] | None = None,
) -> str:
    """Return what a program says to a text.

    The program is started anew each time, and is gone when this returns, whatever
    happens; so is what it started itself.

    Args:
        words: the program and its arguments; no shell reads them.
        text: what it finds on its stdin.
        limit_s: how long it may take, in seconds.
        environ: its environment; this process's by default.

    Raises:
        LocalError: `solver-failed`.
    """
    try:
        process = await trio.lowlevel.open_process(
            list(words),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environ,
            start_new_session=True,
        )
    except OSError as error:
        raise _failed(words, f"cannot be started: {error.strerror}") from None
    try:
        with trio.fail_after(limit_s):
            said = await _exchange(process, text)
            code = await process.wait()
    except trio.TooSlowError:
        raise _failed(words, f"took more than {limit_s:g} s") from None
    finally:
        await _end(process)
    if said is None:
        raise _failed(words, f"said more than {MAX_OUTPUT_BYTES:,} bytes")
    if code or not said.strip():
        raise _failed(words, f"ended with {code}" if code else "said nothing")
    return said.decode("utf-8", "replace")


async def _exchange(process: trio.Process, text: str) -> bytes | None:
    """Hand a program the text; return what it says, or None when it is too much."""
    if process.stdin is None or process.stdout is None:
        return None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_tell, process.stdin, text)
        said = bytearray()
        async for piece in process.stdout:
            said += piece
            if len(said) > MAX_OUTPUT_BYTES:
                nursery.cancel_scope.cancel()
                process.kill()
                return None
    return bytes(said)


async def _tell(stdin: trio.abc.SendStream, text: str) -> None:
    try:
        async with stdin:
            await stdin.send_all(text.encode())
    except trio.BrokenResourceError:
        return  # it has read as much as it wanted


async def _end(process: trio.Process) -> None:
    """See a program gone, and its pipes closed."""
    with trio.CancelScope(shield=True):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                await pipe.aclose()
        with trio.move_on_after(GRACE_S):
            await process.wait()


def _failed(words: Sequence[str], why: str) -> LocalError:
    name = words[0] if words else "no program"
    return LocalError(
        "solver-failed", f"{name}: {why}", "run it by hand, with a text on its stdin"
    )

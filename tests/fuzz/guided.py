"""Fuzz one parser with atheris: `python -m tests.fuzz.guided NAME CASES [FOLDER]`.

Libfuzzer keeps what reaches new code, in FOLDER if it is given, and begins with it
the next time. Half of its cases are made by our mutations, half by its own. It ends
with 0 after so many cases, and otherwise shows the case that was taken amiss.

Atheris: `pip install atheris==3.0.0`, on Linux and x86_64.
"""

from __future__ import annotations

import inspect
import random
import sys
import tempfile
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

import atheris

with atheris.instrument_imports(include=["moltp2p", "h11", "libp2p.stream_muxer"]):
    from tests.fuzz.loop import Loop
    from tests.fuzz.parser import STALL_S, FuzzError, Outcome, Parser, give
    from tests.fuzz.table import TABLE

LONGEST_BYTES: Final = 1 << 18


class Guided:
    """A parser as atheris calls it."""

    def __init__(self, parser: Parser) -> None:
        self._parser = parser
        self._corpus = parser.corpus()
        self._read = parser.open()
        self._loop = Loop() if inspect.iscoroutinefunction(self._read) else None
        self._given = 0

    def one(self, data: bytes) -> None:
        """Give the parser one case."""
        self._given += 1
        if self._given % self._parser.lasts == 0:
            self._read = self._parser.open()
        outcome = Outcome()
        if self._loop is not None:
            self._loop.run(partial(give, self._parser, self._read, data, outcome))
        else:
            with suppress(StopIteration):  # nothing in it waits
                give(self._parser, self._read, data, outcome).send(None)
        if outcome.longest_s > STALL_S:
            told = f"held the event loop for {outcome.longest_s:.3f} s"
            raise FuzzError(self._parser, data, told)

    def mutate(self, data: bytes, max_size: int, seed: int) -> bytes:
        """Make the next case."""
        rng = random.Random(seed)
        if rng.random() < 0.5:
            return bytes(atheris.Mutate(data, max_size))
        return self._parser.mutate(rng, data, self._corpus)[:max_size]

    def keep_corpus(self, folder: Path) -> None:
        """Let libfuzzer begin with the corpus."""
        folder.mkdir(parents=True, exist_ok=True)
        for number, seed in enumerate(self._corpus):
            (folder / f"{number:04}").write_bytes(seed)


def main(name: str, cases: str, folder: str | None = None) -> None:
    """Fuzz; does not return."""
    (parser,) = (each for each in TABLE if each.name == name)
    guided = Guided(parser)
    where = Path(folder or tempfile.mkdtemp(prefix="fuzz-"))
    guided.keep_corpus(where)
    arguments = [f"-runs={cases}", f"-max_len={LONGEST_BYTES}", "-seed=1"]
    arguments.append(f"-artifact_prefix={where}/")
    atheris.Setup(
        [sys.argv[0], *arguments, str(where)],
        guided.one,
        custom_mutator=guided.mutate,
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])

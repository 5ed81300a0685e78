"""`moltp2p packs`: the phrases that this node's challenges are worded with."""

from __future__ import annotations

import shlex
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from moltp2p.cli.shell import FAILED, Shell, json_option, pass_shell

if TYPE_CHECKING:
    from moltp2p.proof.pack import Library, Pack

GROWN: Final = "grown.json"
"""The file in the home's folder `packs` that `packs grow` writes."""
TRIES_EACH: Final = 4
"""How often a model is asked for each phrase that is wanted, before giving up."""


@click.group()
@json_option
def command() -> None:
    """Look at phrase packs, and let a model write one."""


@command.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
@pass_shell
def check(shell: Shell, file: Path) -> None:
    """Say everything that is wrong with the pack in FILE.

    Ends with 1 when there is anything. The format: spec/08-tasks.md, section 6.
    """
    from moltp2p.proof.pack_reading import look_at, read_pack

    data = file.read_bytes()
    wrong = look_at(data)[1]
    for problem in wrong:
        if shell.as_json:
            shell.emit({"code": "bad-pack", "message": problem})
        else:
            click.echo(f"{file}: {problem}")
    if wrong:
        _finish(shell, "bad-pack", f"{len(wrong)} things are wrong", len(wrong))
        raise click.exceptions.Exit(FAILED)
    pack = read_pack(data, str(file))
    scenes = [scene.family.value for scene in pack.scenes]
    phrases = sum(len(each) for scene in pack.scenes for each in scene.phrases.values())
    if shell.as_json:
        view = {"name": pack.name, "scenes": scenes, "phrases": phrases}
        shell.emit({"status": "ok"} | view)
        return
    click.echo(f"{pack.name}: {phrases} phrases, for {', '.join(scenes) or 'no scene'}")


def _finish(shell: Shell, status: str, words: str, count: int) -> None:
    if shell.as_json:
        shell.emit({"status": status, "count": count})
    else:
        click.echo(words)


@command.command()
@click.option("--count", default=5, show_default=True, help="How many texts.")
@json_option
@pass_shell
def sample(shell: Shell, count: int) -> None:
    """Show tasks as this node's packs would word them, with their answers."""
    import secrets

    from moltp2p.proof.dice import Dice
    from moltp2p.proof.pack_reading import load_library
    from moltp2p.proof.tasks import Worlds, draw_world
    from moltp2p.proof.wording import word
    from moltp2p.proof.world import Family

    library, dice = load_library(shell.home / "packs"), Dice(secrets.token_bytes(32))
    families = tuple(Family)
    for at in range(count):
        world = draw_world(families[at % len(families)], dice)
        text, answer = word(world, library, dice), Worlds().answer(world)
        if shell.as_json:
            view = {"family": world.family.value, "text": text, "answer": answer}
            shell.emit(view)
        else:
            click.secho(world.family.value, bold=True)
            click.echo(f"{text}\n{answer}\n")


@command.command()
@click.option(
    "--say",
    required=True,
    metavar="PROGRAM",
    help="Reads a request on stdin, and says the sentence in it in other words.",
)
@click.option(
    "--solver",
    required=True,
    metavar="PROGRAM",
    help="Reads a task on stdin, and answers it: the test of each new phrase.",
)
@click.option("--count", default=20, show_default=True, help="How many phrases.")
@click.option(
    "--limit", default=120.0, show_default=True, help="Seconds for an answer."
)
@json_option
@pass_shell
def grow(shell: Shell, say: str, solver: str, count: int, limit: float) -> None:
    """Let a model add phrases to this node's own pack.

    \b
      moltp2p packs grow --say 'llm -m my-model' --solver 'llm -m my-model'

    A phrase is kept when every name and number is still in it, and the solver
    answers three tasks that have it. They go to packs/grown.json in the home;
    kinds that have two of their own are no longer said in the built-in words.
    """  # noqa: D301 - click's mark
    import secrets

    from moltp2p.proof.dice import Dice
    from moltp2p.proof.pack_reading import built_in, load_library
    from moltp2p.proof.paraphrase import grown, paraphrased, texts_of, thinnest

    file = shell.home / "packs" / GROWN
    library, public = load_library(), texts_of(built_in())
    dice = Dice(secrets.token_bytes(32))
    ask, solve = _asking(say, limit), _asking(solver, limit)

    async def work() -> int:
        pack, kept = _pack(file, library), 0
        for _ in range(TRIES_EACH * count):
            if kept == count:
                break
            spot = thinnest(pack, public, dice)
            phrase = await paraphrased(library, pack, spot, dice, ask, solve)
            if phrase is not None:
                pack, kept = grown(pack, spot, phrase, public), kept + 1
                _write(file, pack)
                _tell(shell, pack.scenes[spot.scene].family, spot.kind, phrase.text)
        return kept

    kept = shell.run(work)
    _finish(shell, "grown", f"{kept} phrases added to {file}", kept)
    if kept < count:
        raise click.exceptions.Exit(FAILED)


def _asking(program: str, limit_s: float) -> Callable[[str], Awaitable[str]]:
    from moltp2p.proof.command import ask_command

    words = shlex.split(program)
    return lambda text: ask_command(words, text, limit_s)


def _pack(file: Path, library: Library) -> Pack:
    """Return the pack that has grown so far, or one that is about to begin."""
    from moltp2p.proof.pack import Pack
    from moltp2p.proof.pack_reading import read_pack

    if file.exists():
        return read_pack(file.read_bytes(), str(file))
    scenes = tuple(scene for each in library.scenes.values() for scene in each)
    return Pack("grown", scenes)


def _write(file: Path, pack: Pack) -> None:
    """Write a pack so that at no time half of it is there, for its owner alone."""
    import json
    import os

    from moltp2p.core.errors import LocalError
    from moltp2p.proof.pack import pack_value

    draft = file.with_suffix(".part")
    try:
        file.parent.mkdir(mode=0o700, exist_ok=True)
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as lines:
            json.dump(pack_value(pack), lines, indent=1)
        draft.replace(file)
    except OSError as error:
        raise LocalError(
            "home-failed",
            f"{file} cannot be written: {error.strerror}",
            "make room or give this user the folder",
        ) from None


def _tell(shell: Shell, family: str, kind: str, text: str) -> None:
    if shell.as_json:
        shell.emit({"family": str(family), "kind": kind, "phrase": text})
    else:
        click.echo(f"{family}, {kind}: {text}")

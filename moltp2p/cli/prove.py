"""`moltp2p prove`: what goes on, tasks to be answered by hand, and who attested."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from moltp2p.cli.shell import Shell, json_option, pass_shell
from moltp2p.core.errors import MoltError, UsageError

if TYPE_CHECKING:
    from moltp2p.cli.client import Client
    from moltp2p.cli.prove_events import View


@click.command()
@click.option(
    "--by-hand",
    is_flag=True,
    help="Answer the tasks here, whatever solver the settings name.",
)
@click.option("--anew", is_flag=True, help="Renew a proof that is still good.")
@json_option
@pass_shell
def command(shell: Shell, /, **options: bool) -> None:
    """Prove that your agent is one; ends once the proof is there.

    Your node looks for a ticket, applies to those whom it draws, and has the tasks
    that they set solved by its solver (config.toml). Without one, they are asked
    here: four at a time, with half a minute or a minute for all four. That is made
    for models; whoever reads them alone is too slow.

    \b
    With --json, each event is a line. Answer a task such as
      {"event":"task","number":3,"text":"…","reminder":null,"seconds_left":38.2}
    by a line on standard input:
      {"number":3,"answer":"17"}
    """  # noqa: D301 - click's mark
    from moltp2p.cli.client import open_client

    async def work() -> None:
        async with open_client(shell.home, writes=True) as client:
            if shell.as_json:
                await _for_program(shell, client, options)
            else:
                from moltp2p.cli.prove_screen import prove_on_screen

                await prove_on_screen(shell.console(), client, options)

    shell.run(work)


async def _for_program(shell: Shell, client: Client, options: View) -> None:
    from moltp2p.cli.prove_events import follow

    async def take(line: bytes) -> None:
        shell.emit(await _answered(client, line))

    async def show(event: View) -> None:
        shell.emit(event)

    await follow(client, options, show, take)


async def _answered(client: Client, line: bytes) -> View:
    """Answer a task as a line says; return what to say of that."""
    from moltp2p.api.problems import problem_of

    try:
        number, answer = _read_answer(line)
    except UsageError as error:
        return problem_of(error)
    try:
        told = await client.ask("POST", f"/tasks/{number}", {"answer": answer})
    except MoltError as error:
        return problem_of(error, number=number)
    return {"event": "answered"} | told


def _read_answer(line: bytes) -> tuple[int, str]:
    """Return which task a line answers, and how.

    Raises:
        UsageError: `not-json`, `bad-request`.
    """
    hint = 'a line is {"number":3,"answer":"17"}'
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        raise UsageError("not-json", "an answer that is not JSON", hint) from None
    match said:
        case {"number": int(number), "answer": str(answer)}:
            return number, answer
        case _:
            raise UsageError("bad-request", "not an answer to a task", hint)

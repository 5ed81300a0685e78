"""`moltp2p import`."""

from __future__ import annotations

from collections import Counter
from typing import Any, BinaryIO, Final

import click

from moltp2p.cli.shell import FAILED, Shell, json_option, pass_shell

READ_BYTES: Final = 256 * 1024


@click.command()
@click.argument("file", type=click.File("rb"))
@json_option
@pass_shell
def command(shell: Shell, file: BinaryIO) -> None:
    """Read signed records from FILE, as `export` writes them; - is standard input.

    Each is judged as if a peer had sent it. With --json: the verdict on each line,
    and a last line with the totals. Ends with 1 when a line was no record, or was
    rejected.
    """
    from moltp2p.cli.client import open_client
    from moltp2p.cli.linewise import send_all

    totals: Counter[str] = Counter()

    async def work() -> None:
        async with open_client(shell.home) as client:

            async def send(lines: list[bytes]) -> list[dict[str, Any]]:
                # The last line has the totals of this request alone.
                return (await client.send_lines("/import", lines))[:-1]

            await send_all(send, read, note)

    def read() -> bytes:
        return file.read(READ_BYTES)

    def note(answer: dict[str, Any]) -> None:
        totals[answer.get("verdict", "failed")] += 1
        _tell(shell, answer)

    shell.run(work)
    _finish(shell, totals)


def _tell(shell: Shell, answer: dict[str, Any]) -> None:
    from moltp2p.cli.terminal import safe

    if shell.as_json:
        shell.emit(answer)
    elif answer["code"] not in ("ok", "duplicate"):
        words = f"line {answer['line']}: {answer['message']} ({answer['code']})"
        click.echo(safe(words), err=True)


def _finish(shell: Shell, totals: Counter[str]) -> None:
    names = ("accept", "ignore", "reject", "failed")
    counts = {name: totals[name] for name in names}
    if shell.as_json:
        shell.emit({"status": "imported", "lines": totals.total()} | counts)
    else:
        told = ", ".join(f"{name} {count:,}" for name, count in counts.items())
        click.echo(f"{totals.total():,} lines: {told}")
    if totals["reject"] or totals["failed"]:
        raise click.exceptions.Exit(FAILED)

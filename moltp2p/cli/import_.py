"""`moltp2p import`."""

from __future__ import annotations

import os
import stat
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, Final

import click

from moltp2p.cli.selecting import Wanted, selecting
from moltp2p.cli.shell import FAILED, Shell, json_option, pass_shell
from moltp2p.core.errors import MoltError

if TYPE_CHECKING:
    from moltp2p.cli.client import Client, View
    from moltp2p.core.selection import Selection

READ_BYTES: Final = 256 * 1024
GROUP_RECORDS: Final = 1_000
"""Records of an archive to a request."""

_OUTCOMES: Final = ("accept", "ignore", "reject", "failed")


@click.command()
@click.argument("file", type=click.File("rb"))
@selecting
@json_option
@pass_shell
def command(shell: Shell, file: BinaryIO, wanted: Wanted) -> None:
    """Read signed records from FILE, as `export` writes them; - is standard input.

    Whether it is an archive or JSON lines is seen from its first byte. Each record is
    judged as if a peer had sent it. An import that was cut short is simply run again:
    what is held already is passed over quickly.

    With --json: the verdict on each JSON line, or of an archive on each record that
    was refused; and a last line with the totals. Ends with 1 when something was no
    record, or was rejected.
    """
    from moltp2p.cli.client import open_client

    incoming = _Incoming(shell, file, wanted.selection())

    async def work() -> None:
        async with open_client(shell.home) as client:
            with _progress(file, live=not shell.as_json) as incoming.tell_read:
                await incoming.send(client)

    try:
        shell.run(work)
    except MoltError:
        incoming.tell_totals()
        raise
    incoming.tell_totals()
    if incoming.totals["reject"] or incoming.totals["failed"]:
        raise click.exceptions.Exit(FAILED)


class _Incoming:
    """One import.

    Attributes:
        totals: how many records came to which verdict.
        tell_read: told how many bytes were read.
    """

    def __init__(self, shell: Shell, file: BinaryIO, selection: Selection) -> None:
        self.totals: Counter[str] = Counter()
        self.tell_read: Callable[[int], object] = lambda _: None
        self._shell = shell
        self._file = file
        self._selection = selection
        self._read_bytes = 0

    async def send(self, client: Client) -> None:
        """Send all of the file."""
        from moltp2p.cli.archive_files import looks_like_archive

        first = self._read()
        if looks_like_archive(first):
            await self._send_archive(client, first)
        else:
            await self._send_lines(client, first)

    async def _send_lines(self, client: Client, first: bytes) -> None:
        from moltp2p.cli.archive_files import is_wanted, wire_of
        from moltp2p.cli.linewise import send_all

        async def send(lines: list[bytes]) -> list[View]:
            # The last line has the totals of this request alone.
            return (await client.send_lines("/import", lines))[:-1]

        def wanted(text: bytes) -> bool:
            return is_wanted(wire_of(text), self._selection)

        await send_all(send, self._read, self._note, first, wanted)

    async def _send_archive(self, client: Client, first: bytes) -> None:
        from moltp2p.cli.archive_files import is_wanted
        from moltp2p.proto.archive import ArchiveReader

        reader = ArchiveReader((await client.get("/status"))["network"])
        group: list[tuple[int, bytes]] = []
        data = first
        try:
            while data:
                for wire in reader.feed(data):
                    if is_wanted(wire, self._selection):
                        group.append((reader.records, wire))
                    if len(group) == GROUP_RECORDS:
                        await self._send_group(client, group)
                data = self._read()
            reader.end()
        finally:
            # Also when what follows cannot be read: this can.
            await self._send_group(client, group)

    async def _send_group(self, client: Client, group: list[tuple[int, bytes]]) -> None:
        if not group:
            return
        *named, told = await client.send_records("/import", [wire for _, wire in group])
        for answer in named:
            self._tell(answer | {"line": group[answer["line"] - 1][0]})
        self.totals.update({name: told[name] for name in _OUTCOMES})
        group.clear()

    def _note(self, answer: View) -> None:
        self.totals[answer.get("verdict", "failed")] += 1
        self._tell(answer)

    def _tell(self, answer: View) -> None:
        from moltp2p.cli.terminal import safe

        if self._shell.as_json:
            self._shell.emit(answer)
        elif answer["code"] not in ("ok", "duplicate"):
            place = f"line {answer['line']}: " if "line" in answer else ""
            words = f"{place}{answer['message']} ({answer['code']})"
            click.echo(safe(words), err=True)

    def tell_totals(self) -> None:
        """Say what came of it."""
        counts = {name: self.totals[name] for name in _OUTCOMES}
        if self._shell.as_json:
            total = self.totals.total()
            self._shell.emit({"status": "imported", "lines": total} | counts)
        else:
            told = ", ".join(f"{name} {count:,}" for name, count in counts.items())
            click.echo(f"{self.totals.total():,} records: {told}")

    def _read(self) -> bytes:
        data = self._file.read(READ_BYTES)
        self._read_bytes += len(data)
        self.tell_read(self._read_bytes)
        return data


@contextmanager
def _progress(file: BinaryIO, *, live: bool) -> Iterator[Callable[[int], object]]:
    """Show how much of a file is read, on a terminal."""
    size = _size(file)
    if not (live and size and sys.stderr.isatty()):
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

    columns = (BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("", total=size)
        yield lambda done: bars.update(task, completed=done)


def _size(file: BinaryIO) -> int | None:
    """Return how long a file is, when that can be told beforehand."""
    try:
        found = os.fstat(file.fileno())
    except OSError:
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None

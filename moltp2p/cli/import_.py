"""`moltp2p import`."""

from __future__ import annotations

import os
import stat
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final

import click

from moltp2p.cli.bars import Bars, Tell, open_bars
from moltp2p.cli.selecting import Wanted, selecting
from moltp2p.cli.shell import FAILED, Shell, json_option, pass_shell
from moltp2p.cli.terminal import mebibytes, safe
from moltp2p.core.errors import MoltError

if TYPE_CHECKING:
    from moltp2p.cli.client import Client, View
READ_BYTES: Final = 256 * 1024
NOT_SELECTED: Final = "not-selected"
"""The node's word for what was not asked for."""

SHOWN: Final = 10
"""Refusals for one reason that are named for a person; the rest is counted."""

STRANGERS: Final = """\
  Their proofs do not count here: an empty home counts nobody. Run it until it has met
  the network; or read them in a home with admission = "open" in its config.toml.\
"""

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

    Of those that are refused for the same reason, the first ten are named.

    With --json: the verdict on each JSON line, or of an archive on each record that
    was refused; and a last line with the totals. Ends with 1 when something was no
    record, or was rejected.
    """
    from moltp2p.cli.client import open_client

    wanted.selection()  # before anything is read
    incoming = _Incoming(shell, file, wanted)

    async def work() -> None:
        async with open_client(shell.home) as client:
            with open_bars(live=not shell.as_json) as bars:
                await incoming.send(client, bars)

    try:
        shell.run(work)
    except MoltError:
        incoming.tell_totals()
        raise
    incoming.tell_totals()
    if incoming.totals["reject"] or incoming.totals["failed"]:
        raise click.exceptions.Exit(FAILED)


@dataclass(slots=True)
class _Told:
    """How often something was refused for one reason, and the first one's words."""

    words: str
    count: int = 0


class _Incoming:
    """One import.

    Attributes:
        totals: how many records came to which verdict.
    """

    def __init__(self, shell: Shell, file: BinaryIO, wanted: Wanted) -> None:
        self.totals: Counter[str] = Counter()
        self._shell = shell
        self._file = file
        self._query = wanted.query()
        self._told: dict[str, _Told] = {}
        self._bars = Bars(live=False)
        self._tell_read: Tell = lambda _done, _total: None
        self._size = _size(file)
        self._read_bytes = 0

    async def send(self, client: Client, bars: Bars) -> None:
        """Send all of the file."""
        from moltp2p.cli.archive_files import looks_like_archive

        self._bars, self._tell_read = bars, bars.add("reading", mebibytes)
        first = self._read()
        if looks_like_archive(first):
            await self._send_archive(client, first)
        else:
            await self._send_lines(client, first)

    async def _send_lines(self, client: Client, first: bytes) -> None:
        from moltp2p.cli.linewise import send_all

        async def send(lines: list[bytes]) -> list[View]:
            # The last line has the totals of this request alone.
            return (await client.send_lines("/import", lines, **self._query))[:-1]

        await send_all(send, self._read, self._note, first)

    async def _send_archive(self, client: Client, first: bytes) -> None:
        from moltp2p.proto.archive import ArchiveReader

        reader = ArchiveReader((await client.get("/status"))["network"])
        group: list[tuple[int, bytes]] = []
        data = first
        try:
            while data:
                for wire in reader.feed(data):
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
        wires = [wire for _, wire in group]
        *named, told = await client.send_records("/import", wires, **self._query)
        for answer in named:
            self._tell(answer | {"line": group[answer["line"] - 1][0]})
        self.totals.update({name: told[name] for name in _OUTCOMES})
        group.clear()

    def _note(self, answer: View) -> None:
        if answer["code"] == NOT_SELECTED:
            return
        self.totals[answer.get("verdict", "failed")] += 1
        self._tell(answer)

    def _tell(self, answer: View) -> None:
        if self._shell.as_json:
            self._shell.emit(answer)
        elif answer["code"] not in ("ok", "duplicate"):
            words = safe(f"{answer['message']} ({answer['code']})")
            place = f"line {answer['line']}: " if "line" in answer else ""
            told = self._told.setdefault(answer["code"], _Told(words))
            told.count += 1
            if told.count <= SHOWN:
                self._bars.say(f"{place}{words}", err=True)

    def tell_totals(self) -> None:
        """Say what came of it."""
        counts = {name: self.totals[name] for name in _OUTCOMES}
        if self._shell.as_json:
            total = self.totals.total()
            self._shell.emit({"status": "imported", "lines": total} | counts)
        else:
            for told in self._told.values():
                if told.count > SHOWN:
                    click.echo(f"{told.count - SHOWN:,} more: {told.words}", err=True)
            if "unverified" in self._told:
                click.echo(STRANGERS, err=True)
            totals = ", ".join(f"{name} {count:,}" for name, count in counts.items())
            click.echo(f"{self.totals.total():,} records: {totals}")

    def _read(self) -> bytes:
        data = self._file.read(READ_BYTES)
        self._read_bytes += len(data)
        self._tell_read(self._read_bytes, self._size)
        return data


def _size(file: BinaryIO) -> int:
    """Return how long a file is; 0 when that cannot be told beforehand."""
    try:
        found = os.fstat(file.fileno())
    except OSError:
        return 0
    return found.st_size if stat.S_ISREG(found.st_mode) else 0

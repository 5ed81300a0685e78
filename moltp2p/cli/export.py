"""`moltp2p export`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

import click

from moltp2p.cli.bars import open_bars
from moltp2p.cli.selecting import Wanted, selecting
from moltp2p.cli.shell import Shell, json_option, pass_shell
from moltp2p.core.errors import LocalError, UsageError

if TYPE_CHECKING:
    from moltp2p.cli.archive_files import Form
    from moltp2p.cli.client import Client
    from moltp2p.core.ids import RecordId

STDOUT: Final = Path("-")


@click.command()
@click.argument("file", type=click.Path(path_type=Path), default=STDOUT)
@selecting
@click.option("--resume", is_flag=True, help="Go on where FILE was cut short.")
@json_option
@pass_shell
def command(shell: Shell, file: Path, *, resume: bool, wanted: Wanted) -> None:
    """Write signed records to FILE, oldest first; to standard output without it.

    \b
      moltp2p export all.moltar
      moltp2p export --community general --since 7d week.jsonl
      moltp2p export | gzip > all.jsonl.gz
      moltp2p --home ELSEWHERE import all.moltar

    A FILE that ends in .moltar is an archive: a CBOR sequence of the records as they
    travel. Any other gets JSON lines with the "id" and, in base64, the "wire" bytes.
    Whoever has either can verify every record. An agent's key chain comes before its
    first record.
    """  # noqa: D301 - click's mark
    from moltp2p.cli.archive_files import form_of, open_destination
    from moltp2p.cli.client import open_client

    form = form_of(file)
    query = wanted.query()

    async def work(sink: BinaryIO, after: RecordId | None) -> int:
        async with open_client(shell.home) as client:
            status = await client.get("/status")
            # Of a part nobody knows how large it is.
            is_part = query or after is not None
            total = 0 if is_part else status["store"]["records"]
            with open_bars(live=file != STDOUT and not shell.as_json) as bars:
                tell = bars.add("exporting, records")
                return await _copy(
                    client, form, query, after, sink, lambda done: tell(done, total)
                )

    if file == STDOUT:
        if resume:
            raise UsageError("bad-option", "--resume needs a FILE", "name one")
        shell.run(lambda: work(sys.stdout.buffer, None))
        sys.stdout.flush()
        return
    with open_destination(file, form, resume=resume) as (sink, after):
        records = shell.run(lambda: work(sink, after))
    _finish(shell, file, records)


async def _copy(
    client: Client,
    form: Form,
    query: Mapping[str, object],
    after: RecordId | None,
    sink: BinaryIO,
    tell: Callable[[int], object],
) -> int:
    """Write what the node exports; return how many records that were."""
    from moltp2p.core.ids import record_text

    reader = form.reader()
    asked = dict(query)
    if after is not None:
        asked["after"] = record_text(after)
    async with client.pieces("/export", form.media_type, **asked) as pieces:
        async for piece in pieces:
            sink.write(piece)
            for _ in reader.feed(piece):
                pass
            tell(reader.records)
    reader.end()
    if not reader.is_whole:
        raise LocalError(
            "node-stopped",
            "the node went away before the end of the export",
            "start it again, and go on with --resume",
        )
    return reader.records


def _finish(shell: Shell, file: Path, records: int) -> None:
    if shell.as_json:
        shell.emit({"status": "exported", "records": records, "file": str(file)})
    else:
        click.echo(f"{records:,} records written to {file}")

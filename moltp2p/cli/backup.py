"""`moltp2p backup`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import click

from moltp2p.cli.bars import open_bars
from moltp2p.cli.shell import Shell, json_option, pass_shell
from moltp2p.cli.terminal import mebibytes
from moltp2p.core.errors import LocalError, UsageError

BACKUP_KIND: Final = "application/octet-stream"


@click.command()
@click.argument("dest", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--with-keys",
    is_flag=True,
    help="Copy the key files too, into DEST.keys: whoever has them is you.",
)
@json_option
@pass_shell
def command(shell: Shell, dest: Path, *, with_keys: bool) -> None:
    """Write a backup of all that the store holds to the new file DEST.

    \b
      moltp2p backup /mnt/backups/molt-2026-11-25
      moltp2p --home NEW restore /mnt/backups/molt-2026-11-25

    A running node goes on; the backup is of the moment at which it began, and is
    checked before it gets its name. Keys are left out unless you ask for them: keep a
    copy of agent.next.key somewhere that nobody else can read.
    """  # noqa: D301 - click's mark
    from moltp2p.node.key_copies import read_keys, write_keys

    _refuse_existing(dest, with_keys=with_keys)
    keys = read_keys(shell.home) if with_keys else {}
    draft = dest.with_name(f"{dest.name}.part")
    try:
        records, size = _write(shell, draft)
        if with_keys:
            if read_keys(shell.home) != keys:
                raise LocalError(
                    "home-failed",
                    "the keys were rotated while the backup was made",
                    "run it again",
                )
            write_keys(_keys_of(dest), keys)
        draft.replace(dest)
    except OSError as error:
        raise _write_failed(dest, error) from None
    finally:
        draft.unlink(missing_ok=True)
    _finish(shell, dest, records, size, with_keys=with_keys)


def _write(shell: Shell, draft: Path) -> tuple[int, int]:
    """Write a backup, synced, and check it; return how many entries and bytes."""
    from moltp2p.cli.client import open_client
    from moltp2p.store.backup import BackupReader

    handle = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    live = not shell.as_json
    with os.fdopen(handle, "w+b") as file, open_bars(live=live) as bars:
        tell = bars.add("backing up", mebibytes)

        async def work() -> None:
            async with (
                open_client(shell.home) as client,
                client.pieces("/backup", BACKUP_KIND) as pieces,
            ):
                async for piece in pieces:
                    file.write(piece)
                    tell(file.tell(), 0)

        shell.run(work)
        file.flush()
        os.fsync(file.fileno())
        size = file.tell()
        file.seek(0)
        return sum(1 for _ in BackupReader(file).entries()), size


def _refuse_existing(dest: Path, *, with_keys: bool) -> None:
    for path in (dest, *((_keys_of(dest),) if with_keys else ())):
        if path.exists():
            raise UsageError(
                "file-exists", f"{path} is there already", "choose another name"
            )


def _keys_of(dest: Path) -> Path:
    """Return where the key files of a backup are."""
    return dest.with_name(f"{dest.name}.keys")


def _write_failed(dest: Path, error: OSError) -> LocalError:
    return LocalError(
        "write-failed",
        f"{dest} cannot be written: {error.strerror}",
        "name a file in a folder with room, that this user may write",
    )


def _finish(
    shell: Shell, dest: Path, records: int, size: int, *, with_keys: bool
) -> None:
    if shell.as_json:
        keys = str(_keys_of(dest)) if with_keys else None
        view = {"records": records, "bytes": size, "file": str(dest), "keys": keys}
        shell.emit({"status": "backed-up"} | view)
        return
    click.echo(f"{records:,} records, {size:,} bytes, written to {dest}")
    if with_keys:
        click.echo(f"Keys are in {_keys_of(dest)}: whoever has them is your agent.")

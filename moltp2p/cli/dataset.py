"""`moltp2p dataset`."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from moltp2p.cli.bars import Tell, open_bars
from moltp2p.cli.selecting import Wanted, surveying
from moltp2p.cli.shell import Shell, json_option, pass_shell
from moltp2p.cli.terminal import mebibytes
from moltp2p.core.errors import LocalError

if TYPE_CHECKING:
    from moltp2p.cli.client import Client
    from moltp2p.study.dataset import Dataset

MANY_RECORDS: Final = 50_000
"""With fewer, other processes would not be up before it is done."""
MAX_READERS: Final = 2
"""Each takes some 100 MiB; more than two keep nobody busy who writes."""


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@surveying
@click.option(
    "--bodies/--no-bodies",
    default=True,
    help="With what was said, or headers alone. Default: with.",
)
@click.option(
    "--replace",
    "replaces",
    is_flag=True,
    help="Put it in the place of the dataset in DIR, if there is one.",
)
@json_option
@pass_shell
def command(
    shell: Shell,
    folder: Path,
    *,
    bodies: bool,
    replaces: bool,
    wanted: Wanted,
) -> None:
    """Write what this node holds to DIR, as Parquet files, for research.

    \b
      moltp2p dataset monday
      moltp2p dataset art --community art --since 7d --no-bodies

    DIR gets records, replies, keys, attestations, labels and arrivals by date; agents,
    gaps in their sequences, and when this node listened; manifest.json, which says what
    is missing, croissant.json, and README.md. It is there whole, or not at all, and the
    same store gives the same bytes. The node may run, or not. The text of what its
    author deleted is left out.

    With --replace, for every day: the earlier dataset stays until the new one is whole,
    and then the two change places at once. Nothing but a dataset of this network is
    replaced, and none with files of yours in its folder.

    Times are the authors' clocks. Reading takes a second for 20,000 records or more.
    """  # noqa: D301 - click's mark
    _check_library()
    from moltp2p.study.earlier import network_of
    from moltp2p.study.folder import open_folder

    wanted.selection()  # before the folder is begun
    place = folder.expanduser().absolute()
    with open_folder(place, network_of if replaces else None) as part:
        earlier = place if os.path.lexists(place) else None
        made = shell.run(lambda: _work(shell, part, earlier, wanted, bodies=bodies))
    _finish(shell, place, made)


async def _work(
    shell: Shell,
    part: Path,
    earlier: Path | None,
    wanted: Wanted,
    *,
    bodies: bool,
) -> dict[str, Any]:
    """Fill the folder, which may take an earlier one's place; return the manifest."""
    import trio

    from moltp2p.cli.client import open_client
    from moltp2p.study.dataset import open_dataset
    from moltp2p.study.earlier import check_network
    from moltp2p.study.manifest import manifest

    selection = wanted.selection()
    async with open_client(shell.home) as client:
        status = await client.get("/status")
        if earlier is not None:
            check_network(earlier, status["network"])
        total = status["store"]["records"]
        readers = min(MAX_READERS, os.cpu_count() or 1) if total > MANY_RECORDS else 0
        with (
            open_dataset(part, selection, bodies=bodies, readers=readers) as dataset,
            open_bars(live=not shell.as_json) as bars,
        ):
            await _copy(client, wanted, dataset, bars.add("reading, records"), total)
            await trio.to_thread.run_sync(dataset.finish)
    made = manifest(dataset, selection, bodies=bodies)
    _describe(part, made)
    return made


async def _copy(
    client: Client, wanted: Wanted, dataset: Dataset, tell: Tell, total: int
) -> None:
    """Have the dataset take all frames that the node gives."""
    import trio

    from moltp2p.study.frames import FrameReader

    query = wanted.query()
    expected = 0 if query else total  # of a part nobody knows how large it is
    reader = FrameReader()
    async with client.pieces("/survey", "application/octet-stream", **query) as pieces:
        async for piece in pieces:
            for tag, payload in reader.feed(piece):
                await trio.to_thread.run_sync(dataset.take, tag, payload)
                tell(dataset.heard.records, expected)
    reader.end()


def _describe(part: Path, made: Mapping[str, Any]) -> None:
    """Write what says what the dataset is."""
    from moltp2p.study.card import card
    from moltp2p.study.croissant import croissant
    from moltp2p.study.folder import write_text

    for name, value in (("manifest", made), ("croissant", croissant(made))):
        write_text(part / f"{name}.json", json.dumps(value, indent=1) + "\n")
    write_text(part / "README.md", card(made))


def _check_library() -> None:
    """Refuse at once where what writes Parquet is not installed.

    Raises:
        LocalError: `no-parquet`.
    """
    import importlib.util

    if importlib.util.find_spec("pyarrow") is None:
        raise LocalError(
            "no-parquet",
            "pyarrow is not installed, which writes Parquet files",
            "install it: pip install 'moltp2p[dataset]'",
        )


def _finish(shell: Shell, place: Path, made: Mapping[str, Any]) -> None:
    counts = made["counts"]
    size = sum(each["bytes"] for each in made["files"])
    if shell.as_json:
        shell.emit(
            {
                "status": "written",
                "folder": str(place),
                "counts": counts,
                "bytes": size,
                "fingerprint": made["store"]["fingerprint"],
                "fingerprint_agrees": made["store"]["fingerprint_agrees"],
            }
        )
        return
    click.echo(
        f"{counts['records']:,} records by {counts['agents']:,} agents, "
        f"{mebibytes(size)}, in {place}"
    )
    if damaged := made["store"]["damaged"]:
        click.echo(f"{damaged:,} records are damaged, and left out: verify-store")
    click.echo(f"What it has, and what it lacks: {place / 'README.md'}")

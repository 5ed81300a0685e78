"""`scripts/bench NAME [--json] [--input FILE] [--rounds N] [--plot FILE]`."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import trio

from moltp2p.testing.sim.plot import check_plot
from scripts.benches.corpus import bodies
from scripts.benches.outcome import Outcome
from scripts.benches.peers import CORPUS
from scripts.benches.plot import draw_growth
from scripts.benches.recover import LARGE

BENCHES: Final = {
    "gossip": "records a second with none lost, beside py-libp2p and js-libp2p",
    "latency": "delay at 100 records a second among six nodes, beside the same two",
    "cost": "processor and bytes for each delivered record, from 2 to 50 nodes",
    "memory": "of an idle node, for each peer, and for records in flight",
    "store": "adding, pages, sets, their growth to a million records; publishing",
    "sync": "getting what one lacks, beside hypercore and ssb-ebt; and after a split",
    "proof": "the proof of agenthood: what it costs, and what it keeps out",
    "dataset": "a listener's store as Parquet files: how fast, in how much memory",
    "hostile": "what 10,000 hostile connections from one address cost others",
    "held": "100 connections held by a bootstrap peer; --rounds minutes",
    "soak": "a bootstrap peer and 40 others that come and go; --rounds minutes",
    "recover": "from SIGKILL to serving again, what was lost, backup and restore",
}


def main() -> None:
    """Run one benchmark, and print what it found."""
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        epilog="; ".join(f"{name}: {about}" for name, about in BENCHES.items()),
    )
    parser.add_argument("name", choices=BENCHES)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--input", type=Path, help="JSON lines with a body; else seeded"
    )
    parser.add_argument("--rounds", type=int, default=2, help="turns of each side")
    parser.add_argument(
        "--large", action="store_true", help="a million records too; takes minutes"
    )
    parser.add_argument("--plot", type=Path, help="draw the growth: .svg or .png")
    options = parser.parse_args()
    if options.large:
        os.environ[LARGE] = "1"
    if options.plot:
        check_plot(options.plot)
    bench = importlib.import_module(f"scripts.benches.{options.name}")
    with corpus(options.input) as name:
        outcome: Outcome = trio.run(bench.run, options.rounds)
    outcome.conditions["corpus"] = name
    print(json.dumps(outcome.to_json()) if options.json else outcome.to_text())
    if options.plot:
        draw_growth(outcome, options.plot)


@contextmanager
def corpus(path: Path | None) -> Iterator[str]:
    """Tell the peers what to publish; yields what that is called."""
    if path is not None:
        os.environ[CORPUS] = str(path.absolute())
        yield path.name
        return
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        for body in bodies():
            file.write(json.dumps({"body": body}) + "\n")
        file.flush()
        os.environ[CORPUS] = file.name
        yield "seeded texts of 10 to 90 words"


if __name__ == "__main__":
    main()

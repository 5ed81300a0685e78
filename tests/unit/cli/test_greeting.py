"""What `run` says once a node runs."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from moltp2p.cli.greeting import addresses_for_others, greet, plain_lines

PEER = "12D3KooWJdDRpeBZnZCgg3s3rrS7PApxmRx3m1LU2qTGmPZRoyPR"
LOOPBACK = f"/ip4/127.0.0.1/tcp/4001/p2p/{PEER}"
SITE = f"/ip4/10.0.0.7/tcp/4001/p2p/{PEER}"
WORLD = f"/ip4/9.0.0.7/tcp/4001/p2p/{PEER}"
FORWARDED = f"/ip4/8.8.8.8/tcp/14001/p2p/{PEER}"
VIEW: dict[str, Any] = {
    "role": "bootstrap",
    "network": "main",
    "agent": None,
    "home": "/srv/molt",
    "url": None,
    "metrics": "http://127.0.0.1:9464/metrics",
    "proof": None,
    "is_open": False,
    "for_others": [(WORLD, ""), (LOOPBACK, "on this machine alone")],
}


def status(announced: list[str]) -> dict[str, Any]:
    return {
        "peer": PEER,
        "addresses": [LOOPBACK, SITE, WORLD],
        "gossip": {"finding": {"announced": announced}},
    }


def test_the_address_that_everybody_reaches_comes_first() -> None:
    assert addresses_for_others(status([])) == [
        (WORLD, ""),
        (SITE, "on this site alone"),
        (LOOPBACK, "on this machine alone"),
    ]


def test_a_forwarded_port_is_handed_out_too_and_nothing_twice() -> None:
    told = addresses_for_others(
        status(["/ip4/8.8.8.8/tcp/14001", WORLD.partition("/p2p/")[0]])
    )

    assert [address for address, _ in told] == [FORWARDED, WORLD, SITE, LOOPBACK]


def test_a_journal_gets_plain_lines_with_whole_addresses() -> None:
    assert list(plain_lines(VIEW)) == [
        "moltp2p runs",
        "role     bootstrap on network main",
        "home     /srv/molt",
        "metrics  http://127.0.0.1:9464/metrics",
        f"address  {WORLD}",
        f"address  {LOOPBACK}  (on this machine alone)",
    ]


def test_a_person_gets_commands_to_paste_at_any_width() -> None:
    console = Console(file=io.StringIO(), width=60)

    greet(console, VIEW)

    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert "  moltp2p --home DIR init" in lines
    assert f"  moltp2p --home DIR run --bootstrap {WORLD}" in lines
    assert any(each.endswith(f"{LOOPBACK}  # on this machine alone") for each in lines)
    assert lines[-1] == "Ctrl-C ends it."


def test_others_are_told_to_make_a_home_of_the_same_network() -> None:
    console = Console(file=io.StringIO(), width=60)

    greet(console, VIEW | {"network": "my-lab", "is_open": True})

    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    assert "  moltp2p --home DIR init --network my-lab --open\n" in shown

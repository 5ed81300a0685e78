"""Whether a peer's release and ours understand each other. Pure.

Two releases do when they have a major version of each protocol in common that both
speak at all (CONTRIBUTING.md, "A new major version of a protocol").
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from moltp2p.net.identify import AGENT
from moltp2p.proto.challenge import messages as challenge_messages
from moltp2p.proto.peers import peer_exchange
from moltp2p.proto.sync import fetch
from moltp2p.proto.sync import messages as sync_messages

# SPEC 04: "`/moltp2p/<name>/<major>.0.0`"
NAME: Final = re.compile(r"/moltp2p/([a-z0-9-]{1,32})/([0-9]{1,4})\.0\.0")

SPOKEN: Final = (
    peer_exchange.PROTOCOL,
    sync_messages.PROTOCOL,
    fetch.PROTOCOL,
    challenge_messages.PROTOCOL,
)
"""What nodes of this release speak; those without an agent do not speak the last."""

_RELEASE: Final = re.compile(rf"{AGENT}/([0-9]{{1,6}}(?:\.[0-9]{{1,6}}){{0,3}})\b.*")


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a peer's release stands to ours.

    Attributes:
        theirs: what it runs, to be shown: `moltp2p 0.9`, or whatever it calls itself.
        apart: protocols that both speak, and in no version that the other does, with
            the peer's versions; such as `reconcile 2`.
        is_newer: whether the peer's is the newer one; None where nobody can tell.
    """

    theirs: str
    apart: tuple[str, ...]
    is_newer: bool | None


def compare(
    software: str,
    protocols: Iterable[str],
    release: str,
    spoken: Iterable[str] = SPOKEN,
) -> Comparison:
    """Compare what a peer says of itself with what we are.

    Args:
        software: what it says that it runs; "" for nothing.
        protocols: what it says that it speaks.
        release: ours, such as `0.1.0`.
        spoken: what we speak.
    """
    theirs, ours = _majors(protocols), _majors(spoken)
    apart = {
        name: theirs[name] for name in sorted(ours) if not theirs[name] & ours[name]
    }
    told = [
        f"{name} {', '.join(map(str, sorted(majors)))}"
        for name, majors in apart.items()
        if majors
    ]
    numbers, own = _numbers(software), _numbers(f"{AGENT}/{release}")
    is_newer = None if not numbers or numbers == own else numbers > own
    if is_newer is None and (differing := [n for n, majors in apart.items() if majors]):
        is_newer = all(max(theirs[name]) > max(ours[name]) for name in differing)
    shown = _RELEASE.fullmatch(software)
    return Comparison(
        f"{AGENT} {shown[1]}" if shown else software, tuple(told), is_newer
    )


def _majors(protocols: Iterable[str]) -> dict[str, set[int]]:
    found: dict[str, set[int]] = defaultdict(set)
    for each in protocols:
        if match := NAME.fullmatch(each):
            found[match[1]].add(int(match[2]))
    return found


def _numbers(software: str) -> tuple[int, ...]:
    match = _RELEASE.fullmatch(software)
    return tuple(map(int, match[1].split("."))) if match else ()

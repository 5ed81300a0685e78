"""One finding of the doctor: what was looked at, what was found, what to do."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from moltp2p.core.errors import MoltError


class Health(enum.StrEnum):
    """How a check came out.

    OK: as it should be. NOTE: worth knowing, and may be meant so. FAIL: keeps the
    node from running, or from having peers. SKIPPED: could not be looked at.
    """

    OK = "ok"
    NOTE = "note"
    FAIL = "fail"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Check:
    """What came of one check.

    Attributes:
        name: what was looked at, one word.
        health: how it came out.
        says: what was found, in a sentence.
        remedy: what to do about it; empty when there is nothing to do.
        code: the registry's word for it, if there is one (spec 09).
    """

    name: str
    health: Health
    says: str
    remedy: str = ""
    code: str = ""


def ok(name: str, says: str) -> Check:
    """Return a check that found all as it should be."""
    return Check(name, Health.OK, says)


def note(name: str, says: str, remedy: str = "") -> Check:
    """Return a check that found something worth knowing."""
    return Check(name, Health.NOTE, says, remedy)


def fail(name: str, says: str, remedy: str, code: str = "") -> Check:
    """Return a check that found what keeps the node from its peers."""
    return Check(name, Health.FAIL, says, remedy, code)


def skipped(name: str, why: str) -> Check:
    """Return a check that could not be made."""
    return Check(name, Health.SKIPPED, why)


def failed_with(name: str, error: MoltError) -> Check:
    """Return a check that ended in a failure which has its own remedy."""
    return fail(name, error.message, error.hint, error.code)


@dataclass(frozen=True, slots=True)
class Probe:
    """What came of dialling one first peer.

    Attributes:
        target: as it is configured.
        code: the registry's word for the first step that failed; "" if none did.
            `dial-timed-out`, `dial-refused`, `dial-no-route` and `dial-turned-away`
            tell more of a dial.
        message: the same in words.
        seen: our IP, as the peer sees it; "" if it did not say.
        ahead_ms: how far its clock is ahead of ours.
        networks: on which networks it is; None when it did not say.
        told: how many other peers it named.
        software: what it says that it runs, in plain characters; "" for nothing.
        protocols: which protocols of ours it says that it speaks, in any version.
    """

    target: str
    code: str = ""
    message: str = ""
    seen: str = ""
    ahead_ms: int | None = None
    networks: frozenset[str] | None = None
    told: int = 0
    software: str = ""
    protocols: frozenset[str] = frozenset()

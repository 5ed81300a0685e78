"""The operator's rules on who may connect: kept in the home, and held to.

access.json   the rules; written whole or not at all, read when the node starts

A file that is damaged keeps the node from starting: to run without the rules would
let in whom they keep out.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import trio

from moltp2p.core.errors import LocalError, UsageError
from moltp2p.net.base import Network
from moltp2p.net.log import get_logger
from moltp2p.proto.access import (
    AccessRule,
    AccessRules,
    Subject,
    parse_subject,
    subject_text,
)
from moltp2p.proto.address import Address, parse_address

ACCESS_FILE: Final = "access.json"
ACCESS_FORMAT: Final = "moltp2p-access/1"
ACCESS_MODE: Final = 0o600
MAX_FILE_BYTES: Final = 64 * 2**20

LOOK_S: Final = 60.0
"""The clock may be set while we wait for a rule to end: look at least so often."""

log = get_logger(__name__)


class AccessFile:
    """The file of rules in a home.

    Args:
        home: the folder.
    """

    def __init__(self, home: Path) -> None:
        self._path = home / ACCESS_FILE

    def read(self) -> list[AccessRule]:
        """Return the rules; none when there is no file. Blocks.

        Raises:
            LocalError: `bad-access-file`.
        """
        try:
            with self._path.open("rb") as file:
                data = file.read(MAX_FILE_BYTES)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise self._bad(error.strerror or "unreadable") from None
        try:
            fields = json.loads(data)
            if fields["format"] != ACCESS_FORMAT:
                raise self._bad(f"its format is {fields['format']!r}"[:80])
            rules = [_rule(each) for each in fields["rules"]]
            AccessRules().load(rules)
        except (ValueError, KeyError, TypeError, AttributeError, UsageError) as error:
            raise self._bad(f"{type(error).__name__}: {error}"[:120]) from None
        return rules

    def write(self, rules: Sequence[AccessRule]) -> None:
        """Put the rules in place of the last ones, whole or not at all. Blocks.

        Raises:
            LocalError: `home-failed`.
        """
        fields = {"format": ACCESS_FORMAT, "rules": [rule_fields(r) for r in rules]}
        draft = self._path.with_suffix(".part")
        try:
            draft.unlink(missing_ok=True)
            handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, ACCESS_MODE)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(json.dumps(fields, indent=1) + "\n")
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._path)
            folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise LocalError(
                "home-failed",
                f"{self._path} cannot be written: {error.strerror}",
                "make room, or give this user the folder; the rules are as they were",
            ) from None

    def _bad(self, why: str) -> LocalError:
        return LocalError(
            "bad-access-file",
            f"{self._path} holds no rules of this program: {why}",
            "mend it, or move it away to start without bans; it was left as it is",
        )


def rule_fields(rule: AccessRule) -> dict[str, object]:
    """Return a rule as it stands in the file, and in the local API."""
    return {
        "subject": subject_text(rule.subject),
        "allows": rule.allows,
        "reason": rule.reason,
        "since_ms": rule.since_ms,
        "until_ms": rule.until_ms,
    }


def _rule(fields: dict[str, object]) -> AccessRule:
    match fields:
        case {
            "subject": str(subject),
            "allows": bool(allows),
            "reason": str(reason),
            "since_ms": int(since_ms),
            "until_ms": int() | None as until_ms,
        }:
            who = parse_subject(subject)
            return AccessRule(who, allows, reason, since_ms, until_ms)
        case _:
            raise ValueError("not a rule")


class AccessDesk:
    """Makes and undoes rules while the node runs.

    Args:
        file: where they are kept.
        network: who holds to them.
        now_ms: the wall clock.
    """

    def __init__(
        self, file: AccessFile, network: Network, now_ms: Callable[[], int]
    ) -> None:
        self._file = file
        self._network = network
        self._now_ms = now_ms
        self._lock = trio.Lock()
        self._changed = trio.Event()

    def rules(self) -> list[AccessRule]:
        """Return the rules in force, oldest first."""
        now_ms = self._now_ms()
        return [
            rule
            for rule in self._network.access.rules()
            if rule.until_ms is None or rule.until_ms > now_ms
        ]

    def about(self, address: Address) -> AccessRule | None:
        """Return the rule that holds of a peer at an address, if there is one."""
        rules = self._network.access
        return rules.of_peer(address.peer) or rules.of_address(address.endpoint.ip)

    async def put(
        self, subject: Subject, *, allows: bool, reason: str, for_s: float | None
    ) -> AccessRule:
        """Make a rule, in place of the subject's last; it is on disk on return.

        Whom it bans is disconnected.

        Args:
            subject: whom it is about.
            allows: whether the subject is allowed; else it is banned.
            reason: why.
            for_s: how long it holds, seconds; None for ever.

        Raises:
            UsageError: `bad-subject`, `too-many-rules`.
            LocalError: `home-failed`; nothing has changed then.
        """
        if subject == self._network.peer_id and not allows:
            raise UsageError("bad-subject", "that is this node itself")
        now_ms = self._now_ms()
        until_ms = None if for_s is None else now_ms + round(for_s * 1000)
        rule = AccessRule(subject, allows, reason, now_ms, until_ms)
        async with self._lock:
            before = self._network.access.get(subject)
            self._network.access.put(rule)
            try:
                await self._keep()
            except LocalError:
                self._restore(subject, before)
                raise
        log.info("banned" if not allows else "allowed", subject=subject_text(subject))
        await self._turn_out()
        self._changed.set()
        return rule

    async def remove(self, subject: Subject) -> AccessRule:
        """Undo the rule about exactly this subject, and return it.

        Raises:
            UsageError: `no-such-rule`.
            LocalError: `home-failed`; nothing has changed then.
        """
        async with self._lock:
            rule = self._network.access.get(subject)
            if rule is None:
                raise UsageError(
                    "no-such-rule",
                    f"there is no rule about {subject_text(subject)}",
                    "name it as `moltp2p admin bans` does; a range is one subject",
                )
            self._network.access.remove(subject)
            try:
                await self._keep()
            except LocalError:
                self._network.access.put(rule)
                raise
        # Without an allowance, a wider ban may hold of who is connected.
        await self._turn_out()
        return rule

    async def expire(self) -> None:
        """Undo rules when they end, for ever."""
        while True:
            self._changed = trio.Event()
            ends = [rule.until_ms or math.inf for rule in self.rules()]
            wait_s = (min(ends, default=math.inf) - self._now_ms()) / 1000
            with trio.move_on_after(min(max(wait_s, 0.0), LOOK_S)):
                await self._changed.wait()
            async with self._lock:
                if ended := self._network.access.expire(self._now_ms()):
                    log.info("rules have ended", count=len(ended))
                    await self._keep_if_it_can()
            if any(rule.allows for rule in ended):
                await self._turn_out()

    async def _keep_if_it_can(self) -> None:
        try:
            await self._keep()
        except LocalError as error:
            # They have ended by their own words, whether the file says so or not.
            log.warning("rules not written", code=error.code)

    async def _keep(self) -> None:
        await trio.to_thread.run_sync(self._file.write, self._network.access.rules())

    def _restore(self, subject: Subject, before: AccessRule | None) -> None:
        if before is None:
            self._network.access.remove(subject)
        else:
            self._network.access.put(before)

    async def _turn_out(self) -> None:
        """End the connections with whom the rules ban, all at once.

        Who does not read holds up the goodbye to himself, and not to the others.
        """
        async with trio.open_nursery() as nursery:
            for info in self._network.peers():
                ip = parse_address(info.address).endpoint.ip
                if self._network.access.is_banned(ip, info.peer):
                    nursery.start_soon(self._network.disconnect, info.peer)

    async def begin(self, rules: Sequence[AccessRule]) -> None:
        """Hold to the rules that were kept, but those that have ended since."""
        self._network.access.load(rules)
        self._network.access.expire(self._now_ms())
        await self._turn_out()

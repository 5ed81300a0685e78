"""Whom an operator bans or allows, by IP range or by peer id.

A rule is about one *subject*: an IP address, a range of them, or a peer id. Of the
ranges that hold an address the narrowest decides, so that one machine can be banned
within a range that is allowed, and the reverse. Each subject has one rule.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from moltp2p.core.errors import UsageError
from moltp2p.core.ids import PeerId
from moltp2p.proto.address import IpAddress, IpNetwork, parse_peer_id, unmapped

MAX_RULES: Final = 100_000
"""Rules kept; one more is refused, since the file of rules is written whole."""

MAX_REASON_CHARS: Final = 200

Subject = IpNetwork | PeerId

_HINT: Final = "write 192.0.2.7, 192.0.2.0/24, 2001:db8::/32 or a peer id 12D3Koo…"


@dataclass(frozen=True, slots=True)
class AccessRule:
    """What holds of one subject.

    Attributes:
        subject: whom it is about.
        allows: whether the subject is allowed; else it is banned.
        reason: why, in the operator's words.
        since_ms: when it was made, milliseconds since 1970 UTC.
        until_ms: when it ends; None for never.
    """

    subject: Subject
    allows: bool
    reason: str
    since_ms: int
    until_ms: int | None = None


def parse_subject(text: str) -> Subject:
    """Return whom `text` names.

    Raises:
        UsageError: `bad-subject` when it is no address, range or peer id.
    """
    if text.startswith("12D3"):
        try:
            return parse_peer_id(text)
        except UsageError:
            raise _bad(text) from None
    try:
        return _narrowed(ipaddress.ip_network(text[:80]))
    except ValueError as error:
        why = "has bits beyond its length" if "host bits" in str(error) else ""
        raise _bad(text, why) from None


def _narrowed(network: IpNetwork) -> IpNetwork:
    """Return an IPv4-mapped range as the IPv4 range that it is (`::ffff:0:0/96`)."""
    if isinstance(network, ipaddress.IPv6Network) and network.prefixlen >= 96:
        first = network.network_address.ipv4_mapped
        if first is not None:
            return ipaddress.IPv4Network((first, network.prefixlen - 96))
    return network


def _bad(text: str, why: str = "") -> UsageError:
    shown = f"{text[:80]!r}"
    return UsageError("bad-subject", f"{shown} {why or 'names nobody'}", _HINT)


def subject_text(subject: Subject) -> str:
    """Return a subject as `parse_subject` reads it; one address without its length."""
    if isinstance(subject, str):
        return subject
    is_one = subject.prefixlen == subject.max_prefixlen
    return str(subject.network_address if is_one else subject)


class AccessRules:
    """The rules in force. Looking one up costs a step for each length in use."""

    def __init__(self) -> None:
        self._peers: dict[PeerId, AccessRule] = {}
        # By family and prefix length, longest first; then by the prefix's bits.
        self._ranges: dict[tuple[int, int], dict[int, AccessRule]] = {}

    def __len__(self) -> int:
        return len(self._peers) + sum(map(len, self._ranges.values()))

    def rules(self) -> list[AccessRule]:
        """Return every rule, oldest first."""
        ranges = [rule for table in self._ranges.values() for rule in table.values()]
        found = [*self._peers.values(), *ranges]
        return sorted(found, key=lambda rule: rule.since_ms)

    def put(self, rule: AccessRule) -> None:
        """Make a rule, in place of the subject's last.

        Raises:
            UsageError: `too-many-rules`; `bad-subject` for a reason that is too long.
        """
        if len(rule.reason) > MAX_REASON_CHARS:
            raise UsageError(
                "bad-subject", f"a reason has at most {MAX_REASON_CHARS} characters"
            )
        if self.get(rule.subject) is None and len(self) >= MAX_RULES:
            raise UsageError(
                "too-many-rules",
                f"there are {MAX_RULES:,} rules already",
                "ban a wider range, or let some rules end: --for 7d",
            )
        if isinstance(rule.subject, str):
            self._peers[rule.subject] = rule
            return
        key, bits = _place(rule.subject)
        if key not in self._ranges:
            self._ranges[key] = {}
            self._ranges = dict(sorted(self._ranges.items(), reverse=True))
        self._ranges[key][bits] = rule

    def load(self, rules: Iterable[AccessRule]) -> None:
        """Make many rules."""
        for rule in rules:
            self.put(rule)

    def get(self, subject: Subject) -> AccessRule | None:
        """Return the rule about exactly this subject."""
        if isinstance(subject, str):
            return self._peers.get(subject)
        key, bits = _place(subject)
        return self._ranges.get(key, {}).get(bits)

    def remove(self, subject: Subject) -> bool:
        """Undo the rule about exactly this subject; return whether there was one."""
        if isinstance(subject, str):
            return self._peers.pop(subject, None) is not None
        key, bits = _place(subject)
        table = self._ranges.get(key, {})
        found = table.pop(bits, None) is not None
        if found and not table:
            del self._ranges[key]
        return found

    def expire(self, now_ms: int) -> list[AccessRule]:
        """Undo the rules that have ended, and return them."""
        ended = [
            rule
            for rule in self.rules()
            if rule.until_ms is not None and rule.until_ms <= now_ms
        ]
        for rule in ended:
            self.remove(rule.subject)
        return ended

    def of_address(self, ip: IpAddress) -> AccessRule | None:
        """Return the rule that decides about an IP address."""
        if not self._ranges:
            return None
        ip = unmapped(ip)
        number, width = int(ip), ip.max_prefixlen
        for (family, length), table in self._ranges.items():
            if family == ip.version and (rule := table.get(number >> (width - length))):
                return rule
        return None

    def of_peer(self, peer: PeerId) -> AccessRule | None:
        """Return the rule about a peer."""
        return self._peers.get(peer)

    def is_banned(self, ip: IpAddress, peer: PeerId | None = None) -> bool:
        """Tell whether nobody is to be connected there, or to that peer."""
        rules = (self.of_address(ip), self._peers.get(peer) if peer else None)
        return any(rule is not None and not rule.allows for rule in rules)

    def is_allowed(self, ip: IpAddress, peer: PeerId | None = None) -> bool:
        """Tell whether limits leave this address, or this peer, alone."""
        rules = (self.of_address(ip), None if peer is None else self.of_peer(peer))
        return any(rule is not None and rule.allows for rule in rules)


def _place(network: IpNetwork) -> tuple[tuple[int, int], int]:
    length = network.prefixlen
    bits = int(network.network_address) >> (network.max_prefixlen - length)
    return (network.version, length), bits

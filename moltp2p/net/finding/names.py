"""Looking up first peers by name: A, AAAA, and the TXT records of `dnsaddr`.

A list may lead to further lists, so depth, questions and addresses are bounded
(libp2p's `dnsaddr`, in its addressing specification).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import trio

from moltp2p.core.errors import LocalError, UsageError
from moltp2p.proto.address import Address, Endpoint, can_be_dialled, parse_ip
from moltp2p.proto.peers.bootstrap import (
    MAX_BOOTSTRAP_CHARS,
    Bootstrap,
    HostName,
    Name,
    NameList,
    parse_bootstrap,
)

if TYPE_CHECKING:
    from dns.asyncresolver import Resolver

MAX_DEPTH: Final = 4
"""Lists within lists. Deeper ones are passed over."""

MAX_QUESTIONS: Final = 32
"""Questions asked for one name, all lists together; what is beyond is passed over."""

MAX_ADDRESSES: Final = 64
"""Addresses taken for one name; what is beyond is passed over."""

QUESTION_S: Final = 5.0
"""How long one question may take, all servers and attempts together."""

LOOKUP_S: Final = 20.0
"""How long one name may take, with all that it leads to."""

PREFIX: Final = "dnsaddr="


class Names:
    """Looks up names.

    Args:
        servers: IP addresses of the name servers; empty for the system's.
        port: theirs.
    """

    def __init__(self, servers: Sequence[str] = (), port: int = 53) -> None:
        self._servers = list(servers)
        self._port = port

    async def look_up(self, name: Name) -> list[Address]:
        """Return the addresses behind a name, in no order.

        Raises:
            LocalError: `name-unknown` when there is no such name, or nothing that
                we can dial behind it; `name-server-failed` when nobody answers.
        """
        lookup = _Lookup(self._resolver())
        with trio.move_on_after(LOOKUP_S) as patience:
            await lookup.follow(name, MAX_DEPTH)
        if lookup.found:
            return list(lookup.found)[:MAX_ADDRESSES]
        if patience.cancelled_caught:
            raise _server_failed(str(name), f"no end after {LOOKUP_S:g} s")
        if lookup.failures:
            raise lookup.failures[0]
        raise LocalError(
            "name-unknown",
            f"{name} leads to no address that this node could dial",
            "it needs records such as dnsaddr=/ip4/…/tcp/…/p2p/<peer id>",
        )

    def _resolver(self) -> Resolver:
        # It takes a tenth of a second to import, and most nodes have no use for it.
        from dns.asyncresolver import Resolver  # noqa: PLC0415
        from dns.resolver import NoResolverConfiguration  # noqa: PLC0415

        try:
            resolver = Resolver(configure=not self._servers)
        except NoResolverConfiguration:
            raise LocalError(
                "name-server-failed",
                "this machine has no name servers",
                "see /etc/resolv.conf, or name first peers by their IP addresses",
            ) from None
        if self._servers:
            resolver.nameservers = list(self._servers)
            resolver.port = self._port
        return resolver


@dataclass(slots=True)
class _Lookup:
    """One name's lookup: what was found, and what is left to spend."""

    resolver: Resolver
    found: dict[Address, None] = field(default_factory=dict)
    failures: list[LocalError] = field(default_factory=list)
    questions: int = MAX_QUESTIONS
    seen: set[str] = field(default_factory=set)

    async def follow(self, target: Bootstrap, depth: int) -> None:
        match target:
            case Address():
                if len(self.found) < MAX_ADDRESSES:
                    self.found[target] = None
            case HostName():
                await self._host(target)
            case NameList() if depth and target.name not in self.seen:
                self.seen.add(target.name)
                await self._list(target, depth)

    async def _host(self, host: HostName) -> None:
        for family in host.families:
            kind = "A" if family == 4 else "AAAA"
            for text in await self._ask(host.name, kind):
                endpoint = Endpoint(parse_ip(text), host.port)
                if can_be_dialled(endpoint):
                    await self.follow(Address(endpoint, host.peer), 0)

    async def _list(self, names: NameList, depth: int) -> None:
        for text in await self._ask(f"_dnsaddr.{names.name}", "TXT"):
            target = _entry(text)
            # "/dnsaddr/x/p2p/A" means A alone, also through lists that name others.
            if isinstance(target, NameList) and target.peer is None:
                target = NameList(target.name, names.peer)
            if target and (names.peer is None or target.peer == names.peer):
                await self.follow(target, depth - 1)

    async def _ask(self, name: str, kind: str) -> list[str]:
        """Return the answers to one question; none when it cannot be answered."""
        from dns.exception import DNSException  # noqa: PLC0415
        from dns.resolver import NXDOMAIN, NoAnswer  # noqa: PLC0415

        if not self.questions:
            return []
        self.questions -= 1
        try:
            answer = await self.resolver.resolve(name, kind, lifetime=QUESTION_S)
        except (NXDOMAIN, NoAnswer):
            self.failures.append(
                LocalError(
                    "name-unknown",
                    f"the name servers know no {kind} record of {name}",
                    "is the name spelt as its owner spells it?",
                )
            )
            return []
        except (DNSException, OSError) as error:
            self.failures.append(_server_failed(name, str(error)))
            return []
        return [_text(each) for each in answer]


def _text(record: object) -> str:
    """Return an answer's text; the pieces of a TXT record belong together."""
    pieces = getattr(record, "strings", None)
    if pieces is None:
        return str(record)
    return b"".join(pieces).decode("ascii", "replace")


def _entry(text: str) -> Bootstrap | None:
    """Return what one line of a list names; None when it is not for us."""
    if not text.startswith(PREFIX) or len(text) > MAX_BOOTSTRAP_CHARS:
        return None
    try:
        return parse_bootstrap(text.removeprefix(PREFIX))
    except UsageError:
        return None


def _server_failed(name: str, why: str) -> LocalError:
    return LocalError(
        "name-server-failed",
        f"no name server answers about {name}: {why[:200]}",
        "is this machine online? see /etc/resolv.conf, or name peers by IP address",
    )

"""First peers as an operator writes them: addresses, or names that lead to some.

    /ip4/192.0.2.1/tcp/4001/p2p/12D3Koo…           an address
    /dns4/boot.example.org/tcp/4001/p2p/12D3Koo…   a host's name; also dns6, dns
    /dnsaddr/boot.example.org[/p2p/12D3Koo…]       a list, kept in TXT records

Names are for the operator alone: a name that a stranger tells is never looked up.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from moltp2p.core.errors import UsageError
from moltp2p.core.ids import PeerId
from moltp2p.proto.address import Address, parse_address, parse_peer_id

MAX_NAME_CHARS: Final = 253  # RFC 1035, section 2.3.4
MAX_BOOTSTRAP_CHARS: Final = 512
_LABEL: Final = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_FAMILIES: Final = {"dns4": (4,), "dns6": (6,), "dns": (4, 6)}

HINT: Final = (
    "write /ip4/…/tcp/…/p2p/<peer id>, /dns4/<name>/tcp/…/p2p/<peer id>, "
    "or /dnsaddr/<name>"
)


@dataclass(frozen=True, slots=True)
class HostName:
    """A peer at a host's name.

    Attributes:
        name: of the host.
        families: which IP versions to look for.
        port: its TCP port.
        peer: who answers there.
    """

    name: str
    families: tuple[int, ...]
    port: int
    peer: PeerId

    def __str__(self) -> str:
        kinds = {families: kind for kind, families in _FAMILIES.items()}
        kind = kinds[self.families]
        return f"/{kind}/{self.name}/tcp/{self.port}/p2p/{self.peer}"


@dataclass(frozen=True, slots=True)
class NameList:
    """A list of peers behind a name: TXT records at `_dnsaddr.<name>`.

    Attributes:
        name: where the list is.
        peer: the only one that is meant; None for all of them.
    """

    name: str
    peer: PeerId | None

    def __str__(self) -> str:
        return f"/dnsaddr/{self.name}" + (f"/p2p/{self.peer}" if self.peer else "")


Name = HostName | NameList
Bootstrap = Address | Name


def parse_bootstrap(text: str) -> Bootstrap:
    """Return the first peers that a multiaddr names.

    Raises:
        UsageError: `bad-address`.
    """
    parts = text.split("/") if len(text) <= MAX_BOOTSTRAP_CHARS else []
    match parts:
        case ["", "dns" | "dns4" | "dns6" as kind, name, "tcp", port, "p2p", peer]:
            families = _FAMILIES[kind]
            return HostName(_name(name), families, _port(port), parse_peer_id(peer))
        case ["", "dnsaddr", name]:
            return NameList(_name(name), None)
        case ["", "dnsaddr", name, "p2p", peer]:
            return NameList(_name(name), parse_peer_id(peer))
        case ["", "ip4" | "ip6", *_]:
            return parse_address(text)
        case _:
            raise UsageError("bad-address", f"not a first peer: {text[:200]!r}", HINT)


def _name(text: str) -> str:
    labels = text.removesuffix(".").split(".")
    if len(text) > MAX_NAME_CHARS or not all(map(_LABEL.fullmatch, labels)):
        raise UsageError("bad-address", f"not a host's name: {text[:200]!r}", HINT)
    return text.removesuffix(".").lower()


def _port(text: str) -> int:
    good = text.isascii() and text.isdigit() and len(text) <= 5
    if not good or not 0 < int(text) < 65536:
        raise UsageError("bad-address", f"not a TCP port: {text[:20]!r}", HINT)
    return int(text)

"""Where a node can be reached: TCP over IPv4 or IPv6, and who answers there.

The text form is a multiaddr: `/ip4/192.0.2.1/tcp/4001/p2p/12D3Koo…` (spec 04), or
`/ip4/192.0.2.1/tcp/4001/p2p/RELAY/p2p-circuit/p2p/12D3Koo…` for who is behind a relay.
"""

from __future__ import annotations

import enum
import ipaddress
from dataclasses import dataclass
from typing import Final

import base58

from moltp2p.core.errors import UsageError
from moltp2p.core.ids import PeerId, PublicKey

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

# SPEC 04: "The bytes of a peer id are `002408011220` and the 32 bytes of the key."
PEER_ID_PREFIX: Final = bytes.fromhex("002408011220")

# SPEC 04: "at most 256 characters"
MAX_ADDRESS_CHARS: Final = 256

_IP4, _IP6, _TCP = b"\x04", b"\x29", b"\x06"
"""Codes of multiaddr's table: ip4 and 4 bytes, ip6 and 16, tcp and 2."""

_P2P, _CIRCUIT = b"\xa5\x03\x26", b"\xa2\x02"
"""p2p with the 38 bytes of an Ed25519 peer id, and p2p-circuit."""

_LISTEN_HINT: Final = "write /ip4/<address>/tcp/<port> or /ip6/<address>/tcp/<port>"
_DIAL_HINT: Final = f"{_LISTEN_HINT} and end it with /p2p/<peer id>"


class Scope(enum.IntEnum):
    """From where an address can be reached, narrowest first."""

    NOWHERE = 0  # unspecified, multicast, reserved, link-local
    MACHINE = 1
    SITE = 2
    WORLD = 3


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An IP address and a TCP port; port 0 asks for any free one."""

    ip: IpAddress
    port: int

    def __str__(self) -> str:
        return f"/ip{self.ip.version}/{self.ip}/tcp/{self.port}"


@dataclass(frozen=True, slots=True)
class Address:
    """An endpoint, and the peer that answers there.

    Attributes:
        endpoint: where to dial.
        peer: who is meant.
        relay: who answers at the endpoint in the peer's place, and passes on.
    """

    endpoint: Endpoint
    peer: PeerId
    relay: PeerId | None = None

    def __str__(self) -> str:
        by = f"/p2p/{self.relay}/p2p-circuit" if self.relay else ""
        return f"{self.endpoint}{by}/p2p/{self.peer}"


def peer_id_of(key: PublicKey) -> PeerId:
    """Return the peer id of a node's Ed25519 key (spec 04)."""
    return PeerId(base58.b58encode(PEER_ID_PREFIX + key).decode())


def parse_peer_id(text: str) -> PeerId:
    """Return the peer id that `text` spells.

    Raises:
        UsageError: `bad-address` when it is not that of an Ed25519 key.
    """
    try:
        raw = base58.b58decode(text) if len(text) <= 64 else b""
    except ValueError:
        raw = b""
    if len(raw) != len(PEER_ID_PREFIX) + 32 or not raw.startswith(PEER_ID_PREFIX):
        raise UsageError(
            "bad-address",
            f"not the peer id of an Ed25519 key: {text[:80]!r}",
            "a peer id is written 12D3Koo…",
        )
    return PeerId(text)


def parse_address(text: str) -> Address:
    """Return the address that a multiaddr with `/p2p/` spells.

    Raises:
        UsageError: `bad-address` when nobody could dial it.
    """
    parts = text.split("/") if len(text) <= MAX_ADDRESS_CHARS else []
    match parts[5:]:
        case ["p2p", peer]:
            relay = None
        case ["p2p", by, "p2p-circuit", "p2p", peer] if by != peer:
            relay = parse_peer_id(by)
        case _:
            raise _bad(text, _DIAL_HINT)
    endpoint = _endpoint(text, parts[:5], _DIAL_HINT)
    if not can_be_dialled(endpoint):
        raise _bad(text, "name the port and the address of one machine")
    return Address(endpoint, parse_peer_id(peer), relay)


def parse_endpoint(text: str) -> Endpoint:
    """Return the endpoint that a multiaddr without `/p2p/` spells, to listen on.

    Raises:
        UsageError: `bad-address`.
    """
    parts = text.split("/") if len(text) <= MAX_ADDRESS_CHARS else []
    return _endpoint(text, parts, _LISTEN_HINT)


def _endpoint(text: str, parts: list[str], hint: str) -> Endpoint:
    match parts:
        case ["", "ip4", ip, "tcp", port]:
            family: type[IpAddress] = ipaddress.IPv4Address
        case ["", "ip6", ip, "tcp", port] if "%" not in ip:
            family = ipaddress.IPv6Address
        case _:
            raise _bad(text, hint)
    # int() also reads "+1", " 1" and digits of other scripts.
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) < 65536):
        raise _bad(text, "a port is a number from 0 to 65535")
    try:
        return Endpoint(family(ip), int(port))
    except ValueError:
        raise _bad(text, hint) from None


def _bad(text: str, hint: str) -> UsageError:
    return UsageError("bad-address", f"not an address: {text[:200]!r}", hint)


def parse_ip(text: str) -> IpAddress:
    """Return the IP address of a socket's name, its IPv6 zone left out."""
    return ipaddress.ip_address(text.partition("%")[0])


def scope_of(ip: IpAddress) -> Scope:
    """Return from where `ip` can be reached."""
    ip = unmapped(ip)
    if ip.is_loopback:
        return Scope.MACHINE
    if ip.is_unspecified or ip.is_multicast or ip.is_link_local or ip.is_reserved:
        return Scope.NOWHERE
    # What customers of a carrier share (RFC 6598) is neither private nor global.
    is_old = ip.version == 6 and ip.is_site_local  # fec0::/10, until RFC 3879
    return Scope.SITE if is_old or not ip.is_global else Scope.WORLD


def subnet_of(ip: IpAddress) -> IpNetwork:
    """Return the /24 (IPv4) or /64 (IPv6) that `ip` belongs to.

    One customer commonly holds that much, so limits count it as one stranger.
    """
    ip = unmapped(ip)
    return ipaddress.ip_network((ip, 24 if ip.version == 4 else 64), strict=False)


def group_of(endpoint: Endpoint) -> str:
    """Return the network group of an endpoint: its /16 (IPv4) or /32 (IPv6).

    Whoever holds one such range holds every address in it, so that addresses of one
    group count as one source of luck (as in Bitcoin's addrman). On this machine or
    site an endpoint is a group of its own: no stranger can add to those.
    """
    ip = unmapped(endpoint.ip)
    if scope_of(ip) is not Scope.WORLD:
        return f"{ip}:{endpoint.port}"
    return str(ipaddress.ip_network((ip, 16 if ip.version == 4 else 32), strict=False))


def endpoint_bytes(endpoint: Endpoint) -> bytes:
    """Return the binary multiaddr of an endpoint, as peer records hold it."""
    code = _IP4 if endpoint.ip.version == 4 else _IP6
    return code + endpoint.ip.packed + _TCP + endpoint.port.to_bytes(2)


def without_peer(data: bytes, peer: PeerId) -> bytes:
    """Return a binary multiaddr without that peer at its end, if it is there."""
    return data.removesuffix(_P2P + base58.b58decode(peer))


def read_endpoint(data: bytes) -> Endpoint | None:
    """Return the endpoint of a binary multiaddr; None when it is of another form."""
    code, packed, tcp, port = data[:1], data[1:-3], data[-3:-2], data[-2:]
    if tcp != _TCP or (code, len(packed)) not in {(_IP4, 4), (_IP6, 16)}:
        return None
    return Endpoint(ipaddress.ip_address(packed), int.from_bytes(port))


def address_bytes(address: Address) -> bytes:
    """Return the binary multiaddr of an address, without the peer at its end."""
    data = endpoint_bytes(address.endpoint)
    if address.relay is None:
        return data
    return data + _P2P + base58.b58decode(address.relay) + _CIRCUIT


def read_address(data: bytes, peer: PeerId) -> Address | None:
    """Return the peer's address in a binary multiaddr; None when of another form."""
    relay = None
    if data.endswith(_CIRCUIT):
        data, key = data[: -len(_CIRCUIT) - 41], data[-len(_CIRCUIT) - 41 :]
        prefix = _P2P + PEER_ID_PREFIX
        if not key.startswith(prefix):
            return None
        relay = peer_id_of(PublicKey(key[len(prefix) : -len(_CIRCUIT)]))
        if relay == peer:  # as in text: nobody is behind itself
            return None
    endpoint = read_endpoint(data)
    return None if endpoint is None else Address(endpoint, peer, relay)


def can_be_dialled(endpoint: Endpoint) -> bool:
    """Tell whether an endpoint names the port and the address of one machine."""
    ip = endpoint.ip
    return bool(endpoint.port) and not (ip.is_unspecified or ip.is_multicast)


def origin_of(ip: IpAddress) -> IpNetwork:
    """Return the addresses that one stranger is taken to hold: one of IPv4, a /64."""
    ip = unmapped(ip)
    return ipaddress.ip_network((ip, 32 if ip.version == 4 else 64), strict=False)


def site_of(ip: IpAddress) -> IpNetwork:
    """Return the /24 (IPv4) or /48 (IPv6) that `ip` belongs to.

    So many addresses one may have for little or nothing, though each counts alone.
    """
    ip = unmapped(ip)
    return ipaddress.ip_network((ip, 24 if ip.version == 4 else 48), strict=False)


def unmapped(ip: IpAddress) -> IpAddress:
    """Return the IPv4 address inside an IPv4-mapped IPv6 one, else `ip` itself."""
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    return ip

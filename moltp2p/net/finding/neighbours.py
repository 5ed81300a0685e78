"""Peers on the local network, found by multicast DNS as libp2p's mDNS discovery does.

Each node answers for a service whose name is made from the network's, so that two
networks on one site do not meet, with its addresses as `dnsaddr=` texts. What is
found there is hearsay like any other: it is dialled, and the peer proves itself.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import trio

from moltp2p.core.errors import UsageError
from moltp2p.net.base import Network
from moltp2p.net.log import get_logger
from moltp2p.proto.address import Address, Scope, parse_address, scope_of

if TYPE_CHECKING:
    from zeroconf import Zeroconf

log = get_logger(__name__)

PREFIX: Final = b"dnsaddr="
MAX_WAITING: Final = 64
"""Names heard and not yet asked about; one more is passed over, and heard again."""

MAX_TEXTS: Final = 8
"""Addresses taken from one name."""

ASK_MS: Final = 3_000
"""How long to ask about one name."""

AGAIN_S: Final = 60.0
"""How often a node without peers looks around anew. The library asks ever more rarely,
in the end once an hour (RFC 6762, 5.2), and a line may have been out until now."""


@dataclass(frozen=True, slots=True)
class NeighbourSettings:
    """How to look around.

    Attributes:
        network: the id of the network whose nodes are meant.
        anywhere: whether to look around in the world, too (`is_at_home`).
        scope: of the addresses to tell and to believe.
        interfaces: IP addresses to do it on; empty for all.
    """

    network: str
    anywhere: bool = False
    scope: Scope = Scope.SITE
    interfaces: tuple[str, ...] = ()


def is_at_home(addresses: Iterable[str]) -> bool:
    """Tell whether a machine that listens there is at home.

    One in the world stands in somebody's hall, whose owner takes multicast for an
    attack.
    """
    scopes = {scope_of(parse_address(each).endpoint.ip) for each in addresses}
    return Scope.SITE in scopes and Scope.WORLD not in scopes


def service_of(network: str) -> str:
    """Return the service that the nodes of a network answer for."""
    return f"_molt-{hashlib.sha256(network.encode()).hexdigest()[:8]}._udp.local."


@asynccontextmanager
async def open_neighbours(
    network: Network, settings: NeighbourSettings, found: Callable[[Address], None]
) -> AsyncIterator[None]:
    """Look for neighbours, and answer theirs, for the length of the block.

    A machine without multicast is told of in the log, and goes without.

    Args:
        network: whose addresses are told.
        settings: where to look, and for whom.
        found: called with each address, again and again; must not block.
    """
    try:
        zeroconf = await trio.to_thread.run_sync(_open, settings.interfaces)
    except OSError as error:
        log.warning("no-multicast", error=str(error))
        yield
        return
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_tell, zeroconf, network, settings)
            nursery.start_soon(_listen, zeroconf, network, settings, found)
            yield
            nursery.cancel_scope.cancel()
    finally:
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(zeroconf.close)


def _open(interfaces: Sequence[str]) -> Zeroconf:
    # It takes a fifth of a second to import, and most nodes have no use for it.
    from zeroconf import InterfaceChoice, Zeroconf  # noqa: PLC0415

    return Zeroconf(interfaces=list(interfaces) or InterfaceChoice.All)


async def _tell(
    zeroconf: Zeroconf, network: Network, settings: NeighbourSettings
) -> None:
    """Answer for our addresses; the library does so from now on."""
    from zeroconf import ServiceInfo  # noqa: PLC0415

    listening = [parse_address(each) for each in network.addresses()]
    mine = [each for each in listening if scope_of(each.endpoint.ip) is settings.scope]
    if not mine:
        return
    service = service_of(settings.network)
    label = secrets.token_hex(16)  # libp2p: "a random string of 32 or more"
    info = ServiceInfo(
        service,
        f"{label}.{service}",
        port=mine[0].endpoint.port,
        addresses=[each.endpoint.ip.packed for each in mine[:MAX_TEXTS]],
        properties=texts_of(mine),
        server=f"{label}.local.",
    )
    # Without asking first whether the label is taken: nobody has it by chance, and
    # whoever hears the question could say so.
    register = partial(zeroconf.register_service, info, cooperating_responders=True)
    await _contained(register)


def texts_of(addresses: Iterable[Address]) -> bytes:
    """Return a TXT record's bytes: each text after its length."""
    texts = [PREFIX + str(each).encode() for each in addresses][:MAX_TEXTS]
    return b"".join(bytes((len(each),)) + each for each in texts)


def read_texts(data: bytes, scope: Scope) -> list[Address]:
    """Return the addresses of that scope in a TXT record's bytes."""
    found: list[Address] = []
    while data and len(found) < MAX_TEXTS:
        text, data = data[1 : 1 + data[0]], data[1 + data[0] :]
        if text.startswith(PREFIX):
            try:
                address = parse_address(text.removeprefix(PREFIX).decode("ascii"))
            except (UsageError, UnicodeDecodeError):
                continue
            if scope_of(address.endpoint.ip) is scope:
                found.append(address)
    return found


async def _listen(
    zeroconf: Zeroconf,
    network: Network,
    settings: NeighbourSettings,
    found: Callable[[Address], None],
) -> None:
    """Ask about each name that is heard, for ever."""
    service = service_of(settings.network)
    heard, names = trio.open_memory_channel[str](MAX_WAITING)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(
            _look, zeroconf, network, service, _Ear(heard, f".{service}")
        )
        async for name in names:
            ask = partial(zeroconf.get_service_info, service, name, ASK_MS)
            info = await _contained(ask)
            # Others answer with texts alone, which the library takes for less
            # than an answer, and keeps all the same.
            text = getattr(info, "text", None) or b""
            for address in read_texts(text, settings.scope):
                found(address)


async def _look(zeroconf: Zeroconf, network: Network, service: str, ear: _Ear) -> None:
    """Let the library look around, for ever; anew while nobody is found."""
    from zeroconf import ServiceBrowser  # noqa: PLC0415

    listener: Any = ear  # as the library wants it, if not of its class
    while True:
        browser = ServiceBrowser(zeroconf, service, listener)
        try:
            await trio.sleep(AGAIN_S)
            while network.peers():  # noqa: ASYNC110 - once a minute
                await trio.sleep(AGAIN_S)
        finally:
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(browser.cancel)


async def _contained(call: Callable[[], Any]) -> Any:  # noqa: ANN401 - the library's
    """Call the library in a thread; None when it fails, which neighbours can cause."""
    from zeroconf import Error  # noqa: PLC0415

    try:
        return await trio.to_thread.run_sync(call)
    except (Error, OSError) as error:
        log.debug("multicast-failed", error=repr(error))
        return None


class _Ear:
    """Hears names in the library's thread, and passes them on to trio's.

    Args:
        heard: where they go.
        ending: how they end; the library passes on whatever else was said, too, and
            then refuses to ask about it.
    """

    def __init__(self, heard: trio.MemorySendChannel[str], ending: str) -> None:
        self._heard = heard
        self._ending = ending
        self._token = trio.lowlevel.current_trio_token()

    def add_service(self, _zeroconf: Any, _service: str, name: str) -> None:  # noqa: ANN401 - the library's
        try:
            self._token.run_sync_soon(self._hear, name)
        except trio.RunFinishedError:
            return

    update_service = add_service

    def remove_service(self, _zeroconf: Any, _service: str, _name: str) -> None:  # noqa: ANN401
        """Do nothing: who is gone does not answer a dial."""

    def _hear(self, name: str) -> None:
        if not name.lower().endswith(self._ending):
            return
        try:
            self._heard.send_nowait(name)
        except (trio.WouldBlock, trio.ClosedResourceError, trio.BrokenResourceError):
            return

"""First peers that are configured: addresses as they are, names as they now lead."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Final

import trio

from moltp2p.core.errors import LocalError
from moltp2p.net.finding.names import Names
from moltp2p.net.log import get_logger
from moltp2p.proto.address import Address
from moltp2p.proto.peers.address_book import AddressBook
from moltp2p.proto.peers.bootstrap import Bootstrap, Name
from moltp2p.proto.peers.entry import redial_delay_s
from moltp2p.proto.peers.status import NameStatus

log = get_logger(__name__)

LOOK_AGAIN_S: Final = 600.0
"""How often a name is looked up whose servers answered; else sooner, as for dials."""


class FirstPeers:
    """Keeps the addresses of first peers in a book.

    Args:
        configured: as the operator wrote them.
        book: gets the addresses now, and those of names once they are looked up.
        servers: looks them up.
        rng: for jitter.

    Attributes:
        names: those that must be looked up.
    """

    def __init__(
        self,
        configured: Iterable[Bootstrap],
        book: AddressBook,
        servers: Names,
        rng: random.Random,
    ) -> None:
        written = list(dict.fromkeys(configured))
        self.names: list[Name] = [
            each for each in written if not isinstance(each, Address)
        ]
        self._addresses = {each for each in written if isinstance(each, Address)}
        self._found: dict[Name, list[Address]] = {}
        self._failures: dict[Name, LocalError] = {}
        self._book = book
        self._servers = servers
        self._rng = rng
        for each in written:
            if isinstance(each, Address):
                book.add_bootstrap(each)

    async def keep(self, name: Name, changed: Callable[[], None]) -> None:
        """Look a name up again and again, for ever; `changed` when it led somewhere."""
        failures = 0
        while True:
            try:
                found = await self._servers.look_up(name)
            except LocalError as error:
                failures += 1
                # What it led to before may well be right.
                self._failures[name] = error
                log.info("name-failed", host=str(name), code=error.code)
                await trio.sleep(redial_delay_s(failures, self._rng))
            else:
                failures = 0
                self._failures.pop(name, None)
                self._put(name, found)
                changed()
                await trio.sleep(self._rng.uniform(0.5, 1.0) * LOOK_AGAIN_S)

    def _put(self, name: Name, found: list[Address]) -> None:
        self._found[name] = found
        for address in found:
            self._book.add_bootstrap(address)
        wanted = self._addresses.union(*self._found.values())
        self._book.drop_bootstrap(wanted.__contains__)

    def status(self) -> list[NameStatus]:
        """Return where each name leads."""
        return [self._status(each) for each in self.names]

    def _status(self, name: Name) -> NameStatus:
        error = self._failures.get(name)
        return NameStatus(
            name=str(name),
            addresses=len(self._found.get(name, ())),
            last_error="" if error is None else error.code,
            message="" if error is None else error.message,
        )

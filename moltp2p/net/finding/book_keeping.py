"""The address book from one run of a node to the next."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final, Protocol

import trio

from moltp2p.core.errors import LocalError
from moltp2p.core.ids import PeerId
from moltp2p.net.log import get_logger
from moltp2p.proto.peers.address_book import AddressBook
from moltp2p.proto.peers.book_file import encode_book, read_secret, restore_book
from moltp2p.proto.peers.dial_plan import DialPlan
from moltp2p.proto.peers.tables import SECRET_BYTES

log = get_logger(__name__)

KEEP_S: Final = (60.0, 300.0)
"""The book is written after the first, and then every so often: what is learned in
between is lost when the machine loses power."""

GOODBYE_S: Final = 5.0
"""How long writing the book may take at the end."""


class Shelf(Protocol):
    """Where the book lies while the node does not run; both calls block."""

    def read(self) -> bytes:
        """Return what was written last; `b""` if nothing was.

        Raises:
            LocalError: `home-failed`.
        """

    def write(self, data: bytes) -> None:
        """Put the book in place whole, or not at all.

        Raises:
            LocalError: `home-failed`.
        """


class BookKeeper:
    """Fetches the book, and puts it away.

    Args:
        shelf: where it lies; None to begin anew, and to forget it at the end.
        clock_ms: the wall clock, milliseconds since 1970 UTC.
    """

    def __init__(self, shelf: Shelf | None, clock_ms: Callable[[], int]) -> None:
        self._shelf = shelf
        self._clock_ms = clock_ms

    async def open(self, own: PeerId, rng: random.Random) -> tuple[AddressBook, bytes]:
        """Return an empty book with its secret, and what is to be restored into it."""
        saved = b""
        if self._shelf is not None:
            try:
                saved = await trio.to_thread.run_sync(self._shelf.read)
            except LocalError as error:
                log.warning("address-book-not-read", error=error.message)
        secret = read_secret(saved) or rng.randbytes(SECRET_BYTES)
        return AddressBook(own, secret), saved

    def restore(self, book: AddressBook, saved: bytes) -> None:
        """Put saved addresses into a book."""
        now, wall_s = trio.current_time(), self._clock_ms() // 1000
        if damaged := restore_book(book, saved, now, wall_s):
            log.warning("address-book-damaged", lines=damaged)

    async def keep(self, book: AddressBook, plan: DialPlan) -> None:
        """Put the book away every now and then, for ever."""
        first_s, then_s = KEEP_S
        await trio.sleep(first_s)
        while True:
            await self._put_away(book, plan)
            await trio.sleep(then_s)

    async def finish(self, book: AddressBook, plan: DialPlan) -> None:
        """Put the book away while everybody is still connected."""
        with trio.move_on_after(GOODBYE_S, shield=True):
            await self._put_away(book, plan)

    async def _put_away(self, book: AddressBook, plan: DialPlan) -> None:
        if self._shelf is None:
            return
        now, wall_s = trio.current_time(), self._clock_ms() // 1000
        data = encode_book(book, plan, now, wall_s)
        try:
            await trio.to_thread.run_sync(self._shelf.write, data)
        except LocalError as error:
            log.warning("address-book-not-written", error=error.message)

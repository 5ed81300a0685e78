"""What the switch needs of whatever carries the bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from moltp2p.core.ids import PeerId
    from moltp2p.net.base import Stream
    from moltp2p.net.containment import Offer
    from moltp2p.proto.address import Address


class Connection(Protocol):
    """A secured connection to one peer."""

    @property
    def address(self) -> Address:
        """The other end, and who it proved to be."""

    @property
    def outbound(self) -> bool:
        """Whether we dialled."""

    async def run(self, offered: Callable[[Offer], Awaitable[None]]) -> None:
        """Carry streams until the connection ends, whoever ended it."""

    async def open_stream(self, protocols: Sequence[str]) -> Stream:
        """Open a stream (`net.base.Network.open_stream`)."""

    async def close(self) -> None:
        """End it, and `run` with it. Never raises, never hangs; may be repeated."""


class Transport(Protocol):
    """A way to make connections."""

    def addresses(self) -> list[Address]:
        """Return where we listen."""

    async def dial(self, address: Address) -> Connection:
        """Return a secured connection.

        Raises:
            PeerError: `dial-failed` or `wrong-peer`.
        """

    async def reserve(self, relay: PeerId) -> int:
        """Let a connected peer be our relay (`net.base.Network.reserve`)."""

    async def punch(self, targets: Sequence[Address], *, leads: bool) -> Connection:
        """Return a secured connection to one of a peer's addresses.

        Args:
            targets: where, all of one peer.
            leads: whether to speak first, as who dials does (`net.base.Network.punch`).

        Raises:
            PeerError: `dial-failed` or `wrong-peer`.
        """

    async def try_out(self, address: Address) -> None:
        """Make a connection under a key of its own, and end it.

        Raises:
            PeerError: `dial-failed` or `wrong-peer`.
        """

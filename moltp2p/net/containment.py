"""Serving a stranger's stream so that nothing it causes ends more than the stream.

Contains C1 of libp2p 0.8.1: there, any exception in a stream's handler or in
the agreement on its protocol ends the whole Swarm, and with it the node
(`host/basic_host.py:1554`, `network/connection/swarm_connection.py:308`,
`tools/anyio_service/trio_manager.py:359`; tests/tripwire/test_swarm.py).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

import trio

from moltp2p.core.errors import PeerError
from moltp2p.net.log import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from moltp2p.net.base import Stream, StreamHandler

log = get_logger(__name__)

BLAMELESS: Final = frozenset(
    {"not-connected", "protocol-unsupported", "stream-reset", "too-many-streams"}
)
"""Codes of what happens among honest peers: counted, and held against nobody."""


@dataclass(slots=True)
class Counts:
    """What was refused, wrong or buggy, by code or protocol."""

    refused: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    handler_bugs: Counter[str] = field(default_factory=Counter)

    def bug(self, where: str, error: BaseException) -> None:
        """Count a bug of ours, and log it the first, second, fourth … time.

        Whoever found the bug may repeat it at will, and must not fill the disk.
        """
        self.handler_bugs[where] += 1
        count = self.handler_bugs[where]
        if count.bit_count() == 1:
            log.error("bug", where=where, count=count, exc_info=error)


class Offer(Protocol):
    """A stream that a peer wants to open with us, its protocol not yet agreed."""

    async def accept(self, protocols: Collection[str]) -> Stream:
        """Agree on one of `protocols`; raises PeerError."""

    async def reset(self) -> None:
        """Refuse it. Never raises, never hangs."""


async def serve(
    offer: Offer,
    handlers: Mapping[str, StreamHandler],
    negotiate_s: float,
    report: Callable[[str], None],
    counts: Counts,
) -> None:
    """Agree on a protocol and run its handler, containing whatever comes of it.

    Args:
        offer: the stream; closed or reset at the end.
        handlers: by protocol.
        negotiate_s: how long agreeing may take.
        report: told the code of what the peer did wrong.
        counts: where our own bugs are counted.
    """
    try:
        stream = await _accept(offer, handlers, negotiate_s)
    except PeerError as error:
        report(error.code)
        await offer.reset()
        return
    handler = handlers[stream.protocol]
    try:
        await handler(stream)
        await stream.close()
    # A handler with a nursery raises groups, and may raise one while cancelled:
    # `except*` takes our part of it and lets trio's pass.
    except* PeerError as group:
        report(_first(group).code)
        await stream.reset()
    except* Exception as group:  # noqa: BLE001 — every kind (C1): a bug in one
        # handler must not end the node.
        counts.bug(stream.protocol, group)
        await stream.reset()


async def _accept(
    offer: Offer, handlers: Mapping[str, StreamHandler], negotiate_s: float
) -> Stream:
    with trio.move_on_after(negotiate_s):
        return await offer.accept(handlers)
    raise PeerError("too-slow", f"no protocol agreed on within {negotiate_s:g} s")


def _first(group: BaseExceptionGroup[PeerError]) -> PeerError:
    inner = group.exceptions[0]
    return inner if isinstance(inner, PeerError) else _first(inner)

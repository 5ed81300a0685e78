"""Looks for a ticket beside the node's own work: in one thread, at low priority."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from moltp2p.core.challenge.work import (
    Searched,
    Ticket,
    find_ticket,
    price,
    ticket_value,
)
from moltp2p.core.ids import AgentId
from moltp2p.node.proving.verify_stream import Compute

SLICE: Final = 32
"""Tries between two looks whether anybody still wants the ticket: half a second."""
NICE: Final = 10
"""How far the search stands back behind everything else on the machine."""


@dataclass(frozen=True, slots=True)
class Found:
    """A ticket that is paid for, and its value."""

    ticket: Ticket
    value: bytes


async def search(
    network: str,
    subject: AgentId,
    start: Ticket,
    seek: Compute,
    on_tries: Callable[[int], None] = lambda _: None,
) -> Found:
    """Look for a ticket until it is found; half a minute of one core, about.

    Args:
        network: the network's name.
        subject: who applies.
        start: where to begin.
        seek: runs a slice off the loop.
        on_tries: told how many have been tried.
    """
    at = start
    while True:
        found = await seek(_try, network, subject, at)
        if isinstance(found, Found):
            return found
        at = found
        on_tries(at.nonce - start.nonce)


def tries_on_average(network: str) -> int:
    """Return how many tries a ticket takes, on the average."""
    return int(math.ldexp(1, price(network).bits))


def _try(network: str, subject: AgentId, at: Ticket) -> Found | Ticket:
    """Try a slice, in a thread of its own: a thread cannot be made less nice again."""
    results: list[Found | Ticket] = []

    def work() -> None:
        with suppress(OSError):  # then it is as fast as everything else
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
        found = find_ticket(network, subject, at, SLICE)
        if isinstance(found, Searched):
            results.append(found.then)
        else:
            results.append(Found(found, ticket_value(network, subject, found)))

    thread = threading.Thread(target=work, name="ticket", daemon=True)
    thread.start()
    thread.join()
    return results[0]

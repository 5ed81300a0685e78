"""The ticket of an application: work that is paid, and the lottery it is paid for.

A ticket is the Argon2id of who applies, when, and a nonce. It costs its finder many
tries, and whoever checks it one; and it draws by lot which challengers may attest for
it, so that friends cannot be chosen, only paid for, try by try (spec 07).
"""

from __future__ import annotations

import functools
import hashlib
import math
from dataclasses import dataclass
from typing import Final

from nacl.pwhash import argon2id

from moltp2p.core.challenge.statements import digest
from moltp2p.core.ids import AgentId

EPOCH_LENGTH_MS: Final = 3_600_000  # SPEC 07: "An epoch is 3,600 seconds"
TICKET_LIFE_MS: Final = (
    2 * EPOCH_LENGTH_MS
)  # SPEC 07: "for 2 epochs from its beginning"
TICKET_EARLY_MS: Final = 600_000  # SPEC 07: "600 seconds before its epoch begins"
DRAWN: Final = 7  # SPEC 07: "draws 7 challengers"
SMALL_NETWORK: Final = 16  # SPEC 07: "fewer than 16 of those of less depth"
MAX_SIZE: Final = 2**40  # SPEC 07: "from 1 to 2^40"
MAX_NONCE: Final = 2**63 - 1
TICKET_BYTES: Final = 32
MEMO_TICKETS: Final = 1_024
"""How many checked tickets are remembered; a forgotten one costs its Argon2 again."""


@dataclass(frozen=True, slots=True)
class Price:
    """What a ticket costs.

    Attributes:
        memory_bytes: of one Argon2id, at one pass.
        bits: leading zero bits of the outcome.
    """

    memory_bytes: int
    bits: int


# SPEC 07: "16 MiB and 11 zero bits"
PRICE: Final = Price(16 * 2**20, 11)
# SPEC 07: "8 KiB and 4 zero bits"
TEST_PRICE: Final = Price(8 * 2**10, 4)
TEST_PREFIX: Final = "test-"  # SPEC 07: "whose name begins with `test-`"


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a ticket is computed from, but for who applies.

    Attributes:
        epoch: hours since 1970 UTC.
        size: how many challengers there are, as far as who applies knows.
        nonce: what was searched for.
    """

    epoch: int
    size: int
    nonce: int


def price(network: str) -> Price:
    """Return what a ticket costs on a network."""
    return TEST_PRICE if network.startswith(TEST_PREFIX) else PRICE


def epoch_of(time_ms: int) -> int:
    """Return the epoch of a time."""
    return time_ms // EPOCH_LENGTH_MS


def is_current(epoch: int, now_ms: int) -> bool:
    """Tell whether a ticket of this epoch may be applied with now."""
    begun_ms = epoch * EPOCH_LENGTH_MS
    return begun_ms - TICKET_EARLY_MS <= now_ms < begun_ms + TICKET_LIFE_MS


@functools.lru_cache(MEMO_TICKETS)
def ticket_value(network: str, subject: AgentId, ticket: Ticket) -> bytes:
    """Return the 32 bytes of a ticket: one Argon2id, 14 ms on a common machine."""
    return _argon2(network, subject, ticket)


def find_ticket(
    network: str, subject: AgentId, start: Ticket, tries: int
) -> Ticket | Searched:
    """Look for a ticket that is paid for.

    Args:
        network: the network's name.
        subject: who applies.
        start: where to begin; its nonce is the first that is tried.
        tries: how many Argon2id to spend at most in this call.

    Returns:
        The ticket, or where to go on.
    """
    for nonce in range(start.nonce, start.nonce + tries):
        ticket = Ticket(start.epoch, start.size, nonce)
        if is_paid(network, _argon2(network, subject, ticket)):
            return ticket
    return Searched(Ticket(start.epoch, start.size, start.nonce + tries))


@dataclass(frozen=True, slots=True)
class Searched:
    """No ticket among those tried; `then` is where to go on."""

    then: Ticket


def is_paid(network: str, value: bytes) -> bool:
    """Tell whether a ticket's value begins with as many zero bits as it must."""
    return int.from_bytes(value) < 1 << 8 * TICKET_BYTES - price(network).bits


def is_eligible(value: bytes, size: int, challenger: AgentId) -> bool:
    """Tell whether the ticket drew this challenger.

    The odds are 7 in `size`. In a small network everybody is drawn, for all are needed.
    """
    if size < SMALL_NETWORK:
        return True  # SPEC 07: "with a `size` less than 16 it draws everybody"
    lot = int.from_bytes(digest("eligible", value, challenger)[:8])
    return lot < (DRAWN << 64) // size


def least_size(challengers: int) -> int:
    """Return the least size that one who knows so many challengers accepts.

    Any, while there are few: everybody is needed. Later the known number over the
    root of two, since no two nodes know exactly the same challengers.
    """
    if challengers < SMALL_NETWORK:
        return 1
    # SPEC 07: "less than the number it knows divided by the square root of 2"
    return math.isqrt((challengers * challengers - 1) // 2) + 1


def usual_size(challengers: int) -> int:
    """Return the size to apply with when one knows so many challengers."""
    return max(1, challengers)


def _argon2(network: str, subject: AgentId, ticket: Ticket) -> bytes:
    password = (
        subject
        + ticket.epoch.to_bytes(8)
        + ticket.size.to_bytes(8)
        + ticket.nonce.to_bytes(8)
    )
    salt = hashlib.sha256(b"moltp2p/ticket/1" + network.encode()).digest()
    return argon2id.kdf(
        TICKET_BYTES,
        password,
        salt[: argon2id.SALTBYTES],
        opslimit=1,
        memlimit=price(network).memory_bytes,
    )

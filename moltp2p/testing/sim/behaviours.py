"""What Sybils do: small habits, to be worn one on top of the other.

A Sybil runs the same router as an honest node, and behaves well wherever its
habits say nothing: it subscribes, grafts, forwards, and honours backoffs. So each
attack below is as hard to tell from honesty as it can be.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import Annotated, Final, Literal, Protocol
from zlib import crc32

from pydantic import Field
from pydantic.dataclasses import dataclass

from moltp2p.core.ids import MessageId, PeerId
from moltp2p.proto.gossip.rpc import (
    MAX_RPC_MESSAGES,
    MESSAGE_ID_BYTES,
    IHave,
    Message,
    Rpc,
)
from moltp2p.testing.sim.latency import STRICT, Share

PerBeat = Annotated[int, Field(ge=1, le=10_000)]
"""How many of something to each peer at each heartbeat."""

_IDS_PER_RPC: Final = 1000


class Liar(Protocol):
    """What a habit sees of the Sybil that has it."""

    rng: random.Random
    salt: int
    topics: list[str]

    def peers(self) -> Sequence[PeerId]:
        """Return the honest nodes that it is connected to."""

    def say(self, peer: PeerId, rpc: Rpc) -> None:
        """Send an RPC past the router."""

    def remembered(self) -> Sequence[Message]:
        """Return the valid messages that it met, oldest first."""

    def remembered_ids(self) -> Sequence[MessageId]:
        """Return their ids."""

    def mark(self, data: bytes) -> bytes:
        """Return what tells a valid message from any other."""

    def is_victims(self, data: bytes) -> bool:
        """Return whether the victim published a valid message."""

    def forge(self) -> bytes:
        """Return a message that no judge accepts, unlike any other."""


class Habit:
    """To behave well: keep and pass on everything valid, and do nothing besides."""

    def keeps(self, liar: Liar, data: bytes) -> bool:
        """Return whether a valid message is passed on, announced and served."""
        del liar, data
        return True

    def acts(self, liar: Liar) -> None:
        """Do something of its own, at a heartbeat."""


@dataclass(frozen=True, config=STRICT)
class Silent(Habit):
    """Stay in the mesh, take everything, and give nothing."""

    name: Literal["silent"] = "silent"

    def keeps(self, liar: Liar, data: bytes) -> bool:
        """Keep nothing."""
        del liar, data
        return False


@dataclass(frozen=True, config=STRICT)
class Dropper(Habit):
    """Give nothing of a share of the messages."""

    share: Share
    name: Literal["dropper"] = "dropper"

    def keeps(self, liar: Liar, data: bytes) -> bool:
        """Choose by chance, another choice for each Sybil."""
        return crc32(liar.mark(data), liar.salt) / 2**32 >= self.share


@dataclass(frozen=True, config=STRICT)
class Censor(Habit):
    """Give nothing of what the victim says."""

    name: Literal["censor"] = "censor"

    def keeps(self, liar: Liar, data: bytes) -> bool:
        """Keep what others say."""
        return not liar.is_victims(data)


@dataclass(frozen=True, config=STRICT)
class InvalidFlood(Habit):
    """Send messages that no judge accepts."""

    per_beat: PerBeat = 10
    name: Literal["invalid-flood"] = "invalid-flood"

    def acts(self, liar: Liar) -> None:
        """Send everybody their own."""
        for peer in liar.peers():
            forged = [liar.forge() for _ in range(self.per_beat)]
            topic = liar.rng.choice(liar.topics)
            _send(liar, peer, [Message(topic, data) for data in forged])


@dataclass(frozen=True, config=STRICT)
class Replay(Habit):
    """Send everybody again what was valid once."""

    per_beat: PerBeat = 10
    name: Literal["replay"] = "replay"

    def acts(self, liar: Liar) -> None:
        """Send a sample of all that was ever met."""
        met = liar.remembered()
        for peer in liar.peers():
            _send(liar, peer, liar.rng.sample(met, min(self.per_beat, len(met))))


@dataclass(frozen=True, config=STRICT)
class IHaveFlood(Habit):
    """Announce messages that do not exist."""

    per_beat: PerBeat = 1000
    name: Literal["ihave-flood"] = "ihave-flood"

    def acts(self, liar: Liar) -> None:
        """Announce the same to everybody; whoever asks for it gets nothing."""
        topic = liar.rng.choice(liar.topics)
        for ids in _chunks(_fresh_ids(liar.rng, self.per_beat)):
            for peer in liar.peers():
                liar.say(peer, Rpc(ihave=(IHave(topic, ids),)))


@dataclass(frozen=True, config=STRICT)
class IWantFlood(Habit):
    """Ask for everything, again and again, and for what does not exist."""

    per_beat: PerBeat = 1000
    name: Literal["iwant-flood"] = "iwant-flood"

    def acts(self, liar: Liar) -> None:
        """Ask everybody for what is new, and fill up with what is not."""
        known = tuple(liar.remembered_ids()[-self.per_beat :])
        wanted = known + _fresh_ids(liar.rng, self.per_beat - len(known))
        for peer in liar.peers():
            for ids in _chunks(wanted):
                liar.say(peer, Rpc(iwant=ids))


@dataclass(frozen=True, config=STRICT)
class GraftFlood(Habit):
    """Send GRAFT whatever was answered to the last one."""

    per_beat: PerBeat = 10
    name: Literal["graft-flood"] = "graft-flood"

    def acts(self, liar: Liar) -> None:
        """Graft to everybody, in as many RPCs."""
        rpc = Rpc(graft=tuple(liar.topics))
        for peer in liar.peers():
            for _ in range(self.per_beat):
                liar.say(peer, rpc)


@dataclass(frozen=True, config=STRICT)
class IDontWantFlood(Habit):
    """Refuse messages that nobody has offered."""

    per_beat: PerBeat = 3000
    name: Literal["idontwant-flood"] = "idontwant-flood"

    def acts(self, liar: Liar) -> None:
        """Refuse the same to everybody."""
        for ids in _chunks(_fresh_ids(liar.rng, self.per_beat)):
            for peer in liar.peers():
                liar.say(peer, Rpc(idontwant=ids))


Behaviour = Annotated[
    Silent
    | Dropper
    | Censor
    | InvalidFlood
    | Replay
    | IHaveFlood
    | IWantFlood
    | GraftFlood
    | IDontWantFlood,
    Field(discriminator="name"),
]


def _send(liar: Liar, peer: PeerId, messages: Sequence[Message]) -> None:
    for start in range(0, len(messages), MAX_RPC_MESSAGES):
        part = messages[start : start + MAX_RPC_MESSAGES]
        liar.say(peer, Rpc(messages=tuple(part)))


def _fresh_ids(rng: random.Random, count: int) -> tuple[MessageId, ...]:
    return tuple(MessageId(rng.randbytes(MESSAGE_ID_BYTES)) for _ in range(count))


def _chunks(ids: Sequence[MessageId]) -> Iterable[tuple[MessageId, ...]]:
    for start in range(0, len(ids), _IDS_PER_RPC):
        yield tuple(ids[start : start + _IDS_PER_RPC])

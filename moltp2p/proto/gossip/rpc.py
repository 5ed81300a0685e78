"""The gossip RPC: what two routers say to each other (spec 05).

These are the meshsub protobufs as plain values. `net/gossip/rpc_codec.py` turns bytes
into them and back; nothing here knows how they are spelt on the wire.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from moltp2p.core.ids import MessageId

MAX_RPC_MESSAGES: Final = 64
# SPEC 05: "| messages in one RPC | 64 |"
MAX_RPC_SUBSCRIPTIONS: Final = 1024
# SPEC 05: "| subscriptions in one RPC | 1,024 |"
MAX_RPC_LINKS: Final = 1024
# SPEC 05: "| GRAFT, PRUNE and IHAVE entries in one RPC, each | 1,024 |"
MAX_RPC_IDS: Final = 8192
# SPEC 05: "| message ids in one RPC | 8,192 |"
MAX_TOPIC_BYTES: Final = 128
# SPEC 05: "| topic | 128 bytes |"
MAX_MESSAGE_BYTES: Final = 66_560
# SPEC 05: "| data of one message | 66,560 bytes |"
MESSAGE_ID_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Subscription:
    """A peer's announcement that it joins (`subscribed`) or leaves a topic."""

    topic: str
    subscribed: bool


@dataclass(frozen=True, slots=True)
class Message:
    """One published message, as it stood in an RPC.

    Attributes:
        topic: where it was published.
        data: its payload, in this network a record's wire bytes.
        stamped: whether it bears any of `from`, `seqno`, `signature` and `key`,
            which StrictNoSign forbids.
    """

    topic: str
    data: bytes
    stamped: bool = False


@dataclass(frozen=True, slots=True)
class IHave:
    """Messages that the sender holds and would send when asked."""

    topic: str
    ids: tuple[MessageId, ...]


@dataclass(frozen=True, slots=True)
class Prune:
    """The end of a mesh link; `backoff_s` is None where the sender gave none."""

    topic: str
    backoff_s: int | None


@dataclass(frozen=True, slots=True)
class Rpc:
    """One RPC. Ids of several IWANT or IDONTWANT entries are joined in order."""

    subscriptions: tuple[Subscription, ...] = ()
    messages: tuple[Message, ...] = ()
    ihave: tuple[IHave, ...] = ()
    iwant: tuple[MessageId, ...] = ()
    graft: tuple[str, ...] = ()
    prune: tuple[Prune, ...] = ()
    idontwant: tuple[MessageId, ...] = ()

    def is_within_limits(self) -> bool:
        """Return whether every count is one that spec 05 allows."""
        ids = len(self.iwant) + len(self.idontwant)
        return (
            len(self.messages) <= MAX_RPC_MESSAGES
            and len(self.subscriptions) <= MAX_RPC_SUBSCRIPTIONS
            and len(self.graft) <= MAX_RPC_LINKS
            and len(self.prune) <= MAX_RPC_LINKS
            and len(self.ihave) <= MAX_RPC_LINKS
            and ids + sum(len(ihave.ids) for ihave in self.ihave) <= MAX_RPC_IDS
        )

"""Control for several peers, gathered so that each gets few and small RPCs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from moltp2p.core.ids import MessageId, PeerId
from moltp2p.proto.gossip.events import Send
from moltp2p.proto.gossip.rpc import IHave, Prune, Rpc, Subscription
from moltp2p.proto.gossip.settings import (
    IDONTWANT_IDS_PER_RPC,
    IHAVE_IDS_PER_RPC,
)


@dataclass(slots=True)
class _Control:
    subscriptions: list[Subscription] = field(default_factory=list)
    graft: list[str] = field(default_factory=list)
    prune: list[Prune] = field(default_factory=list)
    ihave: list[IHave] = field(default_factory=list)
    iwant: list[tuple[MessageId, ...]] = field(default_factory=list)
    idontwant: list[MessageId] = field(default_factory=list)


class Outgoing:
    """Gathers control by peer while one event is handled."""

    def __init__(self) -> None:
        self._by_peer: dict[PeerId, _Control] = {}

    def subscribe(self, peer: PeerId, topic: str, *, subscribed: bool) -> None:
        """Tell the peer that we join or leave a topic."""
        self._of(peer).subscriptions.append(Subscription(topic, subscribed))

    def graft(self, peer: PeerId, topic: str) -> None:
        """Tell the peer that it is in our mesh."""
        self._of(peer).graft.append(topic)

    def prune(self, peer: PeerId, topic: str, backoff_s: int) -> None:
        """Tell the peer that it is not in our mesh, and for how long to stay out."""
        self._of(peer).prune.append(Prune(topic, backoff_s))

    def ihave(self, peer: PeerId, topic: str, ids: Sequence[MessageId]) -> None:
        """Announce messages to the peer."""
        self._of(peer).ihave.append(IHave(topic, tuple(ids)))

    def iwant(self, peer: PeerId, ids: Sequence[MessageId]) -> None:
        """Ask the peer for messages, in an RPC of their own."""
        self._of(peer).iwant.append(tuple(ids))

    def idontwant(self, peer: PeerId, message_id: MessageId) -> None:
        """Tell the peer not to send a message."""
        self._of(peer).idontwant.append(message_id)

    def sends(self) -> list[Send]:
        """Return the RPCs, peers in the order in which each was first named."""
        return [
            Send(peer, rpc)
            for peer, control in self._by_peer.items()
            for rpc in _split(control)
        ]

    def _of(self, peer: PeerId) -> _Control:
        return self._by_peer.setdefault(peer, _Control())


def _split(control: _Control) -> Iterator[Rpc]:
    """Yield RPCs within what a writer may put into one.

    Announcements come last and alone: a driver may send them after messages.
    """
    links = Rpc(
        subscriptions=tuple(control.subscriptions),
        graft=tuple(control.graft),
        prune=tuple(control.prune),
    )
    if links != Rpc():
        yield links
    for wanted in control.iwant:
        yield Rpc(iwant=wanted)
    for start in range(0, len(control.idontwant), IDONTWANT_IDS_PER_RPC):
        ids = control.idontwant[start : start + IDONTWANT_IDS_PER_RPC]
        yield Rpc(idontwant=tuple(ids))
    for announced in _split_ihave(control.ihave):
        yield Rpc(ihave=announced)


def _split_ihave(entries: list[IHave]) -> list[tuple[IHave, ...]]:
    """Return the entries in groups of `IHAVE_IDS_PER_RPC` ids, the last one smaller."""
    groups: list[tuple[IHave, ...]] = []
    group: list[IHave] = []
    room = IHAVE_IDS_PER_RPC
    for entry in entries:
        ids = entry.ids
        while ids:
            group.append(IHave(entry.topic, ids[:room]))
            taken, ids = ids[:room], ids[room:]
            room -= len(taken)
            if not room:
                groups.append(tuple(group))
                group, room = [], IHAVE_IDS_PER_RPC
    return [*groups, tuple(group)] if group else groups

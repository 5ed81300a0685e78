"""What we want, of whom we asked it by IWANT, and whom to ask next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import takewhile

from moltp2p.core.ids import MessageId, PeerId
from moltp2p.proto.gossip_settings import MAX_HOLDERS, MAX_PROMISES, PROMISE_S


@dataclass(slots=True)
class _Promise:
    by: PeerId
    due: float
    others: list[PeerId] = field(default_factory=list)


class Promises:
    """Each wanted id is asked of one peer at a time, so that it comes once.

    An id is either *asked for*, and then stands in the order of falling due, or
    it *waits* until one of those who announced it may be asked.
    """

    def __init__(self) -> None:
        self._asked: dict[MessageId, _Promise] = {}
        self._waiting: dict[MessageId, list[PeerId]] = {}

    def __len__(self) -> int:
        return len(self._asked) + len(self._waiting)

    def __contains__(self, message_id: MessageId) -> bool:
        return message_id in self._asked or message_id in self._waiting

    def is_full(self) -> bool:
        """Return whether nothing more can be wanted at present."""
        return len(self) >= MAX_PROMISES

    def want(self, message_id: MessageId, holder: PeerId) -> None:
        """Note that a message is wanted, and who announced it."""
        self._waiting[message_id] = [holder]

    def add_holder(self, message_id: MessageId, peer: PeerId) -> None:
        """Note who else announced a message that is wanted already."""
        if promise := self._asked.get(message_id):
            known, others = {promise.by, *promise.others}, promise.others
        else:
            others = self._waiting[message_id]
            known = {*others}
        if peer not in known and len(others) < MAX_HOLDERS:
            others.append(peer)

    def waiting(self) -> Iterator[tuple[MessageId, list[PeerId]]]:
        """Yield what nobody was asked for yet, and who could be."""
        yield from list(self._waiting.items())

    def ask(self, message_id: MessageId, peer: PeerId, now: float) -> None:
        """Note that a peer is asked for what waited."""
        others = [other for other in self._waiting.pop(message_id) if other != peer]
        self._asked[message_id] = _Promise(peer, now + PROMISE_S, others)

    def keep(self, message_id: MessageId) -> None:
        """Note that the message came, from whomever; or give it up."""
        if self._asked or self._waiting:
            self._asked.pop(message_id, None)
            self._waiting.pop(message_id, None)

    def break_overdue(self, now: float) -> list[PeerId]:
        """Return who did not send what it was asked for, once for each message.

        A message that others announced waits again, for one of them.
        """
        items = self._asked.items()
        late = [key for key, _ in takewhile(lambda item: item[1].due <= now, items)]
        broken_by = []
        for message_id in late:
            promise = self._asked.pop(message_id)
            broken_by.append(promise.by)
            if promise.others:
                self._waiting[message_id] = promise.others
        return broken_by

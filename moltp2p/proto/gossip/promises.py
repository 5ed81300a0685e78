"""What we want, of whom we asked it by IWANT, and whom to ask next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import takewhile

from moltp2p.core.ids import MessageId, PeerId
from moltp2p.proto.gossip.settings import (
    MAX_HOLDERS,
    MAX_PROMISES,
    PROMISE_S,
    RETRY_S,
)


@dataclass(slots=True)
class _Want:
    """A wanted id.

    Attributes:
        holders: who announced it, and was not asked for it.
        asked: who was asked and owes it still, the last one last.
    """

    holders: list[PeerId]
    asked: list[PeerId] = field(default_factory=list)


class Promises:
    """Each wanted id is asked of one peer at a time, so that it comes once.

    An id *waits* until one of its holders may be asked. Whoever is asked owes it
    for `PROMISE_S`, even if another is asked meanwhile.

    Args:
        score: of a peer; of two holders, the better one is asked.
    """

    def __init__(self, score: Callable[[PeerId], float]) -> None:
        self._score = score
        self._wants: dict[MessageId, _Want] = {}
        self._waiting: dict[MessageId, None] = {}
        self._due: dict[tuple[MessageId, PeerId], float] = {}  # in the order of time

    def __len__(self) -> int:
        return len(self._wants)

    def __contains__(self, message_id: MessageId) -> bool:
        return message_id in self._wants

    def is_full(self) -> bool:
        """Return whether nothing more can be wanted at present."""
        return len(self) >= MAX_PROMISES

    def want(self, message_id: MessageId, holder: PeerId) -> None:
        """Note that a message is wanted, and who announced it."""
        self._wants[message_id] = _Want([holder])
        self._waiting[message_id] = None

    def add_holder(self, message_id: MessageId, peer: PeerId) -> None:
        """Note who else announced a message that is wanted already.

        When too many have, one with a better score takes the place of the worst:
        else those who announce all and send nothing could fill the places.
        """
        want = self._wants[message_id]
        holders = want.holders
        if peer in holders or peer in want.asked:
            return
        if len(holders) >= MAX_HOLDERS:
            worst = min(holders, key=self._score)
            if self._score(peer) <= self._score(worst):
                return
            holders.remove(worst)
        holders.append(peer)

    def waiting(self) -> Iterator[tuple[MessageId, list[PeerId]]]:
        """Yield what is to be asked for, and who could be asked, the best first."""
        for message_id in list(self._waiting):
            holders = self._wants[message_id].holders
            yield message_id, sorted(holders, key=self._score, reverse=True)

    def ask(self, message_id: MessageId, peer: PeerId, now: float) -> None:
        """Note that a peer is asked for what waited."""
        want = self._wants[message_id]
        want.holders.remove(peer)
        want.asked.append(peer)
        self._due[message_id, peer] = now + PROMISE_S
        del self._waiting[message_id]

    def keep(self, message_id: MessageId) -> None:
        """Note that the message came, from whomever."""
        want = self._wants.pop(message_id, None)
        if want is not None:
            self._waiting.pop(message_id, None)
            for peer in want.asked:
                del self._due[message_id, peer]

    def give_up(self, message_id: MessageId) -> None:
        """Wait no longer for somebody to be asked: nobody is there."""
        self._waiting.pop(message_id, None)
        want = self._wants[message_id]
        want.holders.clear()
        if not want.asked:
            del self._wants[message_id]

    def hurry(self, now: float, is_idle: Callable[[PeerId], bool]) -> None:
        """Let another be asked for what a peer that brings nothing was asked for.

        Args:
            now: seconds.
            is_idle: whether a peer has brought nothing new for a heartbeat. One
                that has is busy; to ask others too would only add to the load.
        """
        for message_id, peer in self._due_until(now + PROMISE_S - RETRY_S):
            want = self._wants[message_id]
            if want.holders and want.asked[-1] == peer and is_idle(peer):
                self._waiting[message_id] = None

    def break_overdue(self, now: float) -> Counter[PeerId]:
        """Return who did not send what it was asked for, and how many messages.

        What others announced waits again, for one of them.
        """
        broken: Counter[PeerId] = Counter()
        for message_id, peer in self._due_until(now):
            del self._due[message_id, peer]
            broken[peer] += 1
            want = self._wants[message_id]
            want.asked.remove(peer)
            if want.holders and not want.asked:
                self._waiting[message_id] = None
            elif not want.asked:
                self._waiting.pop(message_id, None)
                del self._wants[message_id]
        return broken

    def _due_until(self, time: float) -> list[tuple[MessageId, PeerId]]:
        items = self._due.items()
        return [key for key, _ in takewhile(lambda item: item[1] <= time, items)]

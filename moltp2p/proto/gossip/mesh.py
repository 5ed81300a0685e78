"""The mesh of each topic we joined: who is in it, and who must stay out for now."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from moltp2p.core.ids import PeerId
from moltp2p.proto.gossip.score_settings import OPPORTUNISTIC_THRESHOLD
from moltp2p.proto.gossip.settings import (
    BACKOFF_SLACK_S,
    MAX_BACKOFFS,
    Degrees,
)


class Backoffs:
    """Until when a peer must not be in a topic's mesh.

    Kept when the peer leaves: coming back is no way around it. When there are
    too many, the oldest entry goes.
    """

    def __init__(self) -> None:
        self._until: dict[tuple[str, PeerId], float] = {}

    def __len__(self) -> int:
        return len(self._until)

    def extend(self, topic: str, peer: PeerId, until: float) -> None:
        """Keep the peer out until `until`, or longer where that stood already."""
        until = max(until, self._until.pop((topic, peer), until))
        if len(self._until) >= MAX_BACKOFFS:
            del self._until[next(iter(self._until))]
        self._until[topic, peer] = until

    def forbids(self, topic: str, peer: PeerId, now: float) -> bool:
        """Return whether a GRAFT from the peer comes too early."""
        return now < self._until.get((topic, peer), now)

    def forbids_us(self, topic: str, peer: PeerId, now: float) -> bool:
        """Return whether a GRAFT of ours might come too early for the peer.

        We wait `BACKOFF_SLACK_S` longer than agreed: the peer's clock started
        later than ours, by the time that the PRUNE was under way.
        """
        return self.forbids(topic, peer, now - BACKOFF_SLACK_S)

    def forget(self, now: float) -> None:
        """Drop what binds nobody any more."""
        limit = now - BACKOFF_SLACK_S
        if any(until <= limit for until in self._until.values()):
            self._until = {
                key: until for key, until in self._until.items() if until > limit
            }


@dataclass(frozen=True, slots=True)
class Change:
    """Whom a heartbeat adds to a mesh, and whom it lets go."""

    graft: list[PeerId]
    prune: list[PeerId]


class Mesh:
    """The mesh of one topic.

    Args:
        rng: chooses among peers that are as good as each other.
        is_outbound: whether we dialled a peer.
        score: a peer's score; below zero it does not stay.
    """

    def __init__(
        self,
        rng: random.Random,
        is_outbound: Callable[[PeerId], bool],
        score: Callable[[PeerId], float],
    ) -> None:
        self.peers: dict[PeerId, None] = {}
        self._rng = rng
        self._is_outbound = is_outbound
        self._score = score

    def __contains__(self, peer: PeerId) -> bool:
        return peer in self.peers

    def __len__(self) -> int:
        return len(self.peers)

    def add(self, peers: Iterable[PeerId]) -> None:
        """Put peers in."""
        self.peers.update(dict.fromkeys(peers))

    def remove(self, peer: PeerId) -> bool:
        """Take a peer out; return whether it was in."""
        was_in = peer in self.peers
        self.peers.pop(peer, None)
        return was_in

    def has_room_for(self, peer: PeerId, degrees: Degrees) -> bool:
        """Return whether a peer that grafts itself is let in.

        A full mesh takes only peers that we dialled, so that inbound strangers
        cannot take it over; and when it does little, peers better than most in it,
        or those who squat there would keep the others out.
        """
        if len(self.peers) < degrees.high or self._is_outbound(peer):
            return True
        if not self.peers:
            return False
        median = self._median()
        return median < OPPORTUNISTIC_THRESHOLD and self._score(peer) > median

    def pick(self, candidates: list[PeerId], count: int) -> list[PeerId]:
        """Return up to `count` of the candidates, by chance."""
        return self._rng.sample(candidates, max(0, min(count, len(candidates))))

    def maintain(self, candidates: list[PeerId], degrees: Degrees) -> Change:
        """Bring the size back into bounds, and the share of outbound peers.

        Args:
            candidates: peers outside the mesh that may be grafted now.
            degrees: the sizes aimed at.
        """
        graft: list[PeerId] = []
        prune = [peer for peer in self.peers if self._score(peer) < 0]
        for peer in prune:
            self.remove(peer)
        if len(self.peers) < degrees.low:
            graft = self.pick(candidates, degrees.wanted - len(self.peers))
        elif len(self.peers) > degrees.high:
            surplus = self._surplus(degrees)
            prune += surplus
            for peer in surplus:
                self.remove(peer)
        self.add(graft)
        if len(self.peers) >= degrees.low:
            more = self._outbound_wanted(candidates, degrees)
            self.add(more)
            graft += more
        return Change(graft, prune)

    def improve(self, candidates: list[PeerId], count: int) -> list[PeerId]:
        """Add up to `count` peers better than most in a mesh that does little.

        Args:
            candidates: peers outside the mesh that may be grafted now.
            count: how many at most.
        """
        if not self.peers:
            return []
        median = self._median()
        if median >= OPPORTUNISTIC_THRESHOLD:
            return []
        better = [peer for peer in candidates if self._score(peer) > median]
        chosen = self.pick(better, count)
        self.add(chosen)
        return chosen

    def _median(self) -> float:
        return sorted(map(self._score, self.peers))[len(self.peers) // 2]

    def _surplus(self, degrees: Degrees) -> list[PeerId]:
        """Return whom to let go: all but D.

        D_score with the best scores stay, and others by chance, so that newcomers
        have one too; of all who stay, D_out are outbound if there are so many.
        """
        shuffled = self.pick(list(self.peers), len(self.peers))
        ranked = sorted(shuffled, key=self._score, reverse=True)
        best = ranked[: degrees.best]
        order = best + [peer for peer in shuffled if peer not in best]
        stay, go = order[: degrees.wanted], order[degrees.wanted :]
        missing = degrees.outbound - sum(map(self._is_outbound, stay))
        saved = [peer for peer in go if self._is_outbound(peer)][: max(0, missing)]
        inbound = [peer for peer in reversed(stay) if not self._is_outbound(peer)]
        return [peer for peer in go if peer not in saved] + inbound[: len(saved)]

    def _outbound_wanted(
        self, candidates: list[PeerId], degrees: Degrees
    ) -> list[PeerId]:
        have = sum(map(self._is_outbound, self.peers))
        if have >= degrees.outbound:
            return []
        fit = [p for p in candidates if self._is_outbound(p) and p not in self.peers]
        return self.pick(fit, degrees.outbound - have)

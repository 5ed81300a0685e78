"""Who should have got which message, and what became of that."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from moltp2p.testing.sim.honest import HonestNode
from moltp2p.testing.sim.messages import Published
from moltp2p.testing.sim.scenario import Scenario


@dataclass(frozen=True, slots=True)
class Deliveries:
    """What became of some messages.

    Attributes:
        published: how many messages there were.
        expected: deliveries expected, one for each message and node that should
            have got it.
        delivered: how many of these were made, at any time.
        p50_s: within how long half of those were made.
        p99_s: all but one in a hundred.
        max_s: all.
    """

    published: int
    expected: int
    delivered: int
    p50_s: float
    p99_s: float
    max_s: float

    @property
    def share(self) -> float:
        """The deliveries made of those expected; 1 when there was nothing to do."""
        return self.delivered / self.expected if self.expected else 1.0


Selection = Callable[[Published, int], bool]
"""Whether a delivery, of a message to a node, is to be counted."""


def everyone(message: Published, node: int) -> bool:
    """Select every delivery."""
    del message, node
    return True


class Expectations:
    """Says who should have got which message.

    A node should have, when it was online without a break from `arrive_s` before
    the message was published until `stay_s` after it, and on the publisher's side
    of a partition that lasted at any moment from then until `stay_s` later.

    Args:
        scenario: the times, and the partition.
        nodes: the honest nodes, by index.
    """

    def __init__(self, scenario: Scenario, nodes: Sequence[HonestNode]) -> None:
        self._scenario = scenario
        self._nodes = nodes

    def count(
        self, messages: Iterable[Published], selected: Selection = everyone
    ) -> Deliveries:
        """Return what became of messages."""
        published = expected = 0
        delays: list[float] = []
        for message in messages:
            published += 1
            nodes = {n for n in self.receivers(message) if selected(message, n)}
            expected += len(nodes)
            arrivals = zip(message.receivers, message.delays_s, strict=True)
            delays += [delay_s for node, delay_s in arrivals if node in nodes]
        delays.sort()
        return Deliveries(
            published=published,
            expected=expected,
            delivered=len(delays),
            p50_s=quantile(delays, 0.5),
            p99_s=quantile(delays, 0.99),
            max_s=quantile(delays, 1.0),
        )

    def receivers(self, message: Published) -> Iterable[int]:
        """Return the nodes that should have got a message."""
        from_s = message.at_s - self._scenario.arrive_s
        until_s = message.at_s + self._scenario.stay_s
        side = self._nodes[message.publisher].side
        parted = self._is_parted(message.at_s, until_s)
        for node in self._nodes:
            if node.index == message.publisher or (parted and node.side != side):
                continue
            if node.was_online(from_s, until_s):
                yield node.index

    def _is_parted(self, from_s: float, until_s: float) -> bool:
        partition = self._scenario.partition
        if partition is None:
            return False
        return partition.at_s <= until_s and from_s < partition.until_s


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return the least value that so many do not exceed; 0 when there is none."""
    return ordered[math.ceil(share * len(ordered)) - 1] if ordered else 0.0

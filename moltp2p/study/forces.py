"""Where to draw the nodes of a small graph: springs between friends, room for all.

Fruchterman and Reingold, "Graph drawing by force-directed placement" (1991), with a
pull to the middle, so that parts that know nothing of each other stay on the page. It
begins on a circle and throws no dice: the same graph is drawn the same way.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Final

ROUNDS: Final = 220
PULL: Final = 0.09
TIES: Final = 3
"""A node's edges pull as much as so many do, however many they are."""
MAX_GROUPS: Final = 6

Place = tuple[float, float]
Edge = tuple[int, int, int]


def place(size: int, edges: Sequence[Edge]) -> list[Place]:
    """Return a place for each of so many nodes, within a square from -1 to 1.

    Args:
        size: how many nodes there are.
        edges: two nodes, and how strongly they hold together.
    """
    turn = math.pi * (3 - math.sqrt(5))
    spots = [
        complex(math.cos(n * turn), math.sin(n * turn)) * math.sqrt((n + 1) / size)
        for n in range(size)
    ]
    room = 1.6 / math.sqrt(max(size, 1))
    for number in range(ROUNDS):
        reach = 0.12 * (1 - number / ROUNDS)
        moves = _pushes(spots, room)
        _pull(moves, spots, edges, room)
        spots = [
            spot + _short(move - spot * PULL, reach)
            for spot, move in zip(spots, moves, strict=True)
        ]
    return _fitted(spots)


def groups(size: int, edges: Sequence[Edge]) -> list[int]:
    """Return a group for each node, from 0 for the largest: who talks to whom most.

    Each node takes the label that weighs most among its neighbours, in turn, until
    none changes (Raghavan, Albert and Kumara, 2007); equal ones by their number.
    """
    near: list[Counter[int]] = [Counter() for _ in range(size)]
    for one, other, times in edges:
        near[one][other] += times
        near[other][one] += times
    labels = list(range(size))
    for _ in range(20):
        changed = False
        for node in range(size):
            label = _heaviest(near[node], labels)
            if label is not None and label != labels[node]:
                labels[node], changed = label, True
        if not changed:
            break
    order = [label for label, _ in Counter(labels).most_common()]
    return [min(order.index(label), MAX_GROUPS - 1) for label in labels]


def _heaviest(near: Counter[int], labels: Sequence[int]) -> int | None:
    weights: Counter[int] = Counter()
    for other, times in near.items():
        weights[labels[other]] += times
    return max(weights, key=lambda label: (weights[label], -label), default=None)


def _pushes(spots: Sequence[complex], room: float) -> list[complex]:
    """Return how each node is pushed by all others."""
    moves = [0j] * len(spots)
    for one, spot in enumerate(spots):
        for other in range(one):
            apart = spot - spots[other]
            push = apart * (room * room / max(abs(apart) ** 2, 1e-4))
            moves[one] += push
            moves[other] -= push
    return moves


def _pull(
    moves: list[complex],
    spots: Sequence[complex],
    edges: Sequence[Edge],
    room: float,
) -> None:
    """Add how nodes that have an edge pull each other.

    The more edges a node has, the less each pulls: those in the middle of a crowd would
    be drawn into one heap, and all others to the edge of the page.
    """
    ends = Counter(end for edge in edges for end in edge[:2])
    for one, other, times in edges:
        apart = spots[one] - spots[other]
        share = TIES / math.sqrt(max(ends[one], TIES) * max(ends[other], TIES))
        weight = min(1 + math.log(times), 4) * 0.25 * share
        pull = apart * (abs(apart) / room) * weight
        moves[one] -= pull
        moves[other] += pull


def _short(move: complex, reach: float) -> complex:
    return move if abs(move) <= reach else move / abs(move) * reach


def _fitted(spots: Sequence[complex]) -> list[Place]:
    """Stretch to the whole square, each way for itself."""

    def stretched(values: list[float]) -> list[float]:
        low, high = min(values, default=0), max(values, default=0)
        width = high - low or 1.0
        return [2 * (value - low) / width - 1 for value in values]

    columns = (stretched([s.real for s in spots]), stretched([s.imag for s in spots]))
    return list(zip(*columns, strict=True))

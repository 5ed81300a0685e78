"""A topic's set, or the part of it in a window of time, as reconciling sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import islice, takewhile
from typing import Final

from moltp2p.proto.sync.reconcile import END, START, Bound, Item, SetSum
from moltp2p.store import layout, set_tree
from moltp2p.store.engine import Reader
from moltp2p.store.set_tree import LEAF_RECORDS, way

CACHED_NODES: Final = 256
"""Nodes whose children one view keeps: about 1 MiB. Those near the root are read for
every place that is looked for."""
CACHED_SUMS: Final = 1_024
"""Positions of which one view knows the sum before them; then it begins anew."""
CACHED_LEAVES: Final = 32
"""Leaves that one view keeps: about 0.3 MiB. A range's end is its neighbour's begin."""


class SetView:
    """A `ReconcileSet`: the records of one topic in a window of time.

    A place is found from the root down, by the digits of its way or by counting, and
    what stands to the left is added up meanwhile.

    Args:
        topic: its number.
        since_ms: the first time in the window.
        until_ms: the first time behind it.
        held: a view of the store, for as long as this is used.
    """

    def __init__(self, topic: int, since_ms: int, until_ms: int, held: Reader) -> None:
        self._topic = topic
        self._held = held
        self._root = set_tree.read_sum(topic, "", held)
        self._children = lru_cache(CACHED_NODES)(
            lambda digits: set_tree.read_children(topic, digits, held)
        )
        self._leaf = lru_cache(CACHED_LEAVES)(
            lambda digits, count: set_tree.read_leaf(topic, digits, count, held)
        )
        self._sums: dict[int, SetSum] = {}
        self._begin = self._before(Bound(since_ms))
        self._end = self._before(Bound(max(since_ms, until_ms)))

    def size(self) -> int:
        """Return how many items there are."""
        return self._end.count - self._begin.count

    def sum(self) -> SetSum:
        """Return the sum of all items."""
        return self._end - self._begin

    def item(self, index: int) -> Item:
        """Return the item at that position."""
        count = self._begin.count + index
        passed, leaf = self._pass(lambda _, passed: passed <= count)
        return _item(self._leaf(*leaf)[count - passed.count])

    def items(self, begin: int, end: int) -> Iterator[Item]:
        """Yield the items from `begin` to before `end`, in order."""
        if begin == end:
            return
        count = self._begin.count + begin
        passed, (digits, _) = self._pass(lambda _, passed: passed <= count)
        skipped = count - passed.count
        members = set_tree.read_from(self._topic, digits, self._held)
        for place in islice(members, skipped, skipped + end - begin):
            yield _item(place)

    def rank(self, bound: Bound) -> int:
        """Return how many items stand before the bound."""
        rank = self._before(bound).count - self._begin.count
        return min(max(rank, 0), self.size())

    def fingerprint(self, begin: int, end: int) -> bytes:
        """Return the fingerprint of the items from `begin` to before `end`."""
        return (self._first(end) - self._first(begin)).fingerprint()

    def _before(self, bound: Bound) -> SetSum:
        """Return the sum of the topic's records before a bound."""
        if bound <= START or bound >= END:
            return SetSum() if bound <= START else self._root
        place = layout.number(bound.time_ms) + bound.prefix
        digits = way(place)
        passed, (leaf, count) = self._pass(lambda node, _: node < digits[: len(node)])
        members = islice(set_tree.read_from(self._topic, leaf, self._held), count)
        return self._noted(passed + _sum(takewhile(place.__gt__, members)))

    def _first(self, index: int) -> SetSum:
        """Return the sum of the topic's records before a position of this window."""
        if index in (0, self.size()):
            return self._end if index else self._begin
        count = self._begin.count + index
        if count in self._sums:
            return self._sums[count]
        passed, leaf = self._pass(lambda _, passed: passed <= count)
        return self._noted(passed + _sum(self._leaf(*leaf)[: count - passed.count]))

    def _noted(self, sum_before: SetSum) -> SetSum:
        """Keep a sum: where one range ends the next begins, and ranks are asked of."""
        if len(self._sums) == CACHED_SUMS:
            self._sums.clear()
        self._sums[sum_before.count] = sum_before
        return sum_before

    def _pass(
        self, is_passed: Callable[[str, int], bool]
    ) -> tuple[SetSum, tuple[str, int]]:
        """Pass nodes from the left, and go into the first that is not passed.

        Args:
            is_passed: whether a node is, by its digits and by the number of records
                passed with it.

        Returns:
            The sum of the nodes passed; and of the leaf that was reached, the digits
            and the number of records, none when the last on the way was passed too.
        """
        passed, digits, node = SetSum(), "", self._root
        while node.count > LEAF_RECORDS:
            children = self._children(digits)
            for digits, node in children:
                if not is_passed(digits, passed.count + node.count):
                    break
                passed += node
            else:
                return passed, (digits, 0)
        return passed, (digits, node.count)


def _sum(places: Iterable[bytes]) -> SetSum:
    return SetSum.of(map(layout.placed_record, places))


def _item(place: bytes) -> Item:
    return Item(int.from_bytes(place[:8], "big"), layout.placed_record(place))

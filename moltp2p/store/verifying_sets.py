"""Whether the trees of sums agree with the sets of which they are sums.

Each node is held against what stands right below it, so that none needs more than
that to be read: a node that is off is named, and nothing under it need be.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, takewhile

from moltp2p.core.errors import LocalError
from moltp2p.core.topics import NetworkParams
from moltp2p.proto.sync.reconcile import SetSum
from moltp2p.store import layout, set_tree
from moltp2p.store.base import Damage
from moltp2p.store.engine import Hole, Reader


def check_node(topic: int, digits: str, value: bytes, view: Reader) -> Iterator[Damage]:
    """Report that a node is not the sum of its children, or a leaf of its members."""
    node = layout.unpack_sum(value)
    try:
        faults = list(_faults(topic, digits, node, view))
    except LocalError as error:
        if error.code not in layout.DAMAGE:
            raise
        return  # said of what is below it
    for fault in faults:
        yield _astray(f"the set of topic {topic}, node {digits!r}: {fault}")


def check_roots(view: Reader, network: NetworkParams) -> Iterator[Damage]:
    """Report trees that are missing as a whole."""
    for topic in range(network.shards + 1):
        has_root = view.get(layout.sum_key(topic, "")) is not None
        member = next(view.scan(layout.members_prefix(topic)), None)
        if member is not None and not isinstance(member, Hole) and not has_root:
            yield _astray(f"the set of topic {topic} has members and no sum")


def _faults(topic: int, digits: str, node: SetSum, view: Reader) -> Iterator[str]:
    children = set_tree.find_children(topic, digits, view)
    if node.count > set_tree.LEAF_RECORDS:
        below = sum((child for _, child in children), SetSum())
    else:
        below = SetSum.of(map(layout.placed_record, _some_under(topic, digits, view)))
        if children:
            yield "a leaf that has children"
    if below != node:
        yield f"not the sum of the {below.count} below it"
    parent = layout.sum_key(topic, set_tree.parent_digits(digits))
    if digits and view.get(parent) is None:
        yield "it hangs on nothing"


def _some_under(topic: int, digits: str, view: Reader) -> Iterator[bytes]:
    """Yield the members under a leaf, and at most one that is too many."""
    places = set_tree.read_from(topic, digits, view)
    under = takewhile(lambda place: set_tree.way(place).startswith(digits), places)
    return islice(under, set_tree.LEAF_RECORDS + 1)


def _astray(message: str) -> Damage:
    return Damage("damaged-index", None, message)

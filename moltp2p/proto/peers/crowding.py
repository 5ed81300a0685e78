"""Who has to leave a node that is nearly full: the last from where most come from.

Connections cost a stranger nothing but addresses, and whoever has some hundred of them
could take every place. So a few are kept free, at the expense of the largest network
group alone: each group keeps what a fair share leaves it, and who comes from a group
of its own always finds a place, until there are as many groups as places.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

FREE_SHARES: Final = 16
"""One of so many places is kept free, and one at least."""


def is_crowded(held: int, limit: int) -> bool:
    """Tell whether so many connections leave too few places free.

    Args:
        held: how many there are, the newest among them.
        limit: how many there may be.
    """
    return held > limit - max(1, limit // FREE_SHARES)


def crowded_out(groups: Sequence[str]) -> int | None:
    """Return which connection has to go; None while no group has more than one.

    Args:
        groups: the network group of each (`proto.address.group_of`), the oldest first.
    """
    if not groups:
        return None
    ((group, count),) = Counter(groups).most_common(1)
    return (
        None
        if count == 1
        else max(index for index, each in enumerate(groups) if each == group)
    )

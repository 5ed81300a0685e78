"""Which of many addresses to dial, so that peers are spread over the network."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection, Iterable

from moltp2p.proto.peers.entry import Entry


def group_limit(slots: int, entries: Iterable[Entry]) -> int:
    """Return how many outbound peers one network group may have.

    Its share among the groups in which peers were reached: one, as soon as there
    are enough groups; all, where the whole network is in one.
    """
    groups = {entry.group for entry in entries if entry.tried}
    return max(1, slots // max(1, len(groups)))


def choose(
    ready: Collection[Entry], taken: Counter[str], limit: int, rng: random.Random
) -> Entry | None:
    """Return the address to dial next; None when every group has its share.

    Args:
        ready: addresses that may be dialled now.
        taken: outbound peers by network group, those being dialled included.
        limit: how many of one group there may be.
        rng: for all that is left to choose.
    """
    pool = [each for each in ready if taken[each.group] < limit]
    if not pool:
        return None
    anchors = [each for each in pool if each.is_anchor]
    pool = anchors or pool
    direct = [each for each in pool if each.address.relay is None]
    pool = direct or pool  # a relay carries what somebody else pays for
    fewest = min(taken[each.group] for each in pool)
    pool = [each for each in pool if taken[each.group] == fewest]
    return pick(pool, rng)


def pick(pool: Collection[Entry], rng: random.Random) -> Entry:
    """Return one of the addresses, by table, then bucket, then address.

    As often one that worked as one that somebody told of: the first would keep us
    among those we know, the second would let whoever tells most choose our peers.
    """
    tried = [each for each in pool if each.tried]
    told = [each for each in pool if not each.tried]
    table = tried if tried and (not told or rng.random() < 0.5) else told
    bucket = rng.choice(sorted({each.bucket for each in table}))
    return rng.choice([each for each in table if each.bucket == bucket])

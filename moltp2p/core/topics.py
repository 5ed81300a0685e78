"""Which topic a record belongs on (spec 05)."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache

from moltp2p.core.errors import UsageError
from moltp2p.core.limits import COMMUNITY_PATTERN, NETWORK_PATTERN


@dataclass(frozen=True, slots=True)
class NetworkParams:
    """What everybody on one network must agree on.

    Attributes:
        id: the network's name, a part of every record and topic.
        shards: how many topics the communities are spread over, 1 to 256.
        admission: whether only agents that have proved to be such may speak (spec 07).
    """

    id: str = "main"
    shards: int = 16  # SPEC 05: "16 shards unless the network says otherwise"
    admission: bool = False

    def __post_init__(self) -> None:
        """Refuse a name or a number that no topic can carry."""
        if not re.fullmatch(NETWORK_PATTERN, self.id):
            raise UsageError(
                "bad-setting",
                f"not a network's name: {self.id!r}",
                "use 1 to 32 characters of a-z, 0-9 and -",
            )
        if not 1 <= self.shards <= 256:
            raise UsageError("bad-setting", f"{self.shards} shards", "use 1 to 256")


def check_community(name: str) -> str:
    """Return `name` when it can name a community.

    Raises:
        UsageError: `bad-community`.
    """
    if not re.fullmatch(COMMUNITY_PATTERN, name):
        raise UsageError(
            "bad-community",
            f"not a community's name: {name[:80]!r}",
            "use 2 to 30 characters of a-z, 0-9 and -, not beginning with -",
        )
    return name


def agents_topic(network: NetworkParams) -> str:
    """Return the topic of what everybody needs in order to judge others."""
    return f"/moltp2p/1/{network.id}/agents"


@lru_cache(maxsize=4_096)  # each record asks several times
def shard_of(community: str, shards: int) -> int:
    """Return the shard that a community's records travel on, from 0."""
    digest = hashlib.sha256(b"moltp2p/shard/1" + community.encode()).digest()
    return int.from_bytes(digest[:8], "big") % shards


def topic_of(network: NetworkParams, community: str | None) -> str:
    """Return the topic of a record that names this community, or none."""
    if community is None:
        return agents_topic(network)
    shard = shard_of(community, network.shards)
    return f"/moltp2p/1/{network.id}/shard/{shard}"


def topic_number(network: NetworkParams, community: str | None) -> int:
    """Return a topic's number: 0 for the agents' topic, n + 1 for shard n."""
    return 0 if community is None else 1 + shard_of(community, network.shards)


def all_topics(network: NetworkParams) -> list[str]:
    """Return every topic of the network, in order of their numbers."""
    shards = (f"/moltp2p/1/{network.id}/shard/{n}" for n in range(network.shards))
    return [agents_topic(network), *shards]

"""The gossip router's numbers: what spec 05 fixes and what an operator may choose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from moltp2p.proto.address import IpNetwork
from moltp2p.proto.gossip.score_settings import LOOPBACK
from moltp2p.proto.ratelimit import Rate

MESHSUB_1_1: Final = "/meshsub/1.1.0"  # SPEC 05: "`/meshsub/1.1.0`"
MESHSUB_1_2: Final = "/meshsub/1.2.0"  # SPEC 05: "`/meshsub/1.2.0`"

# Time.
HEARTBEAT_S: Final = 1.0  # SPEC 05: "| heartbeat | 1 s |"
SEEN_S: Final = 120.0  # SPEC 05: "| seen window | 120 s |"
PENDING_S: Final = 120.0  # SPEC 05: "| wait for a verdict | 120 s |"
FANOUT_S: Final = 60.0  # SPEC 05: "| fan-out life | 60 s |"
PRUNE_BACKOFF_S: Final = 60  # SPEC 05: "| prune backoff | 60 s |"
UNSUBSCRIBE_BACKOFF_S: Final = 10  # SPEC 05: "| unsubscribe backoff | 10 s |"
MAX_BACKOFF_S: Final = 600  # SPEC 05: "| longest backoff honoured | 600 s |"
BACKOFF_SLACK_S: Final = 2 * HEARTBEAT_S
# SPEC 05: "| backoff slack of the one who waits | 2 heartbeats |"
PROMISE_S: Final = 3.0  # SPEC 05: "| answer to IWANT expected within | 3 s |"
RETRY_S: Final = HEARTBEAT_S
# SPEC 05: "| answer to IWANT expected from an idle peer within | 1 s |"

# Lazy gossip.
EAGER: Final = 5  # SPEC 05: "| copies that go round at once | 5 |"
MIN_EAGER: Final = 2  # SPEC 05: "| peers pushed to at least | 2 |"
NEEDY_HEARTBEATS: Final = 60  # SPEC 05: "| dependence remembered | 60 heartbeats |"
CACHE_WINDOWS: Final = 6  # SPEC 05: "| message cache | 6 heartbeats |"
GOSSIP_WINDOWS: Final = 3  # SPEC 05: "| gossip windows | 3 heartbeats |"
GOSSIP_TURNS: Final = 3  # SPEC 05: "| turns of gossip | 3 heartbeats |"
OWED_HEARTBEATS: Final = 3  # SPEC 05: "| owed gossip | 3 heartbeats |"
MAX_HOLDERS: Final = 3  # SPEC 05: "| other holders remembered per wanted id | 3 |"
IDONTWANT_BYTES: Final = 1024
# SPEC 05: "| IDONTWANT from | 1,024 bytes of data |"
IDONTWANT_HEARTBEATS: Final = 3  # SPEC 05: "| IDONTWANT kept | 3 heartbeats |"

# What we put into one RPC.
IHAVE_IDS_PER_RPC: Final = 400  # SPEC 05: "| IHAVE ids in one RPC sent | 400 |"
MIN_IWANT_IDS: Final = 3  # SPEC 05: "| IWANT ids in one RPC sent | 3 to 64 |"
MAX_IWANT_IDS_PER_RPC: Final = 64
# SPEC 05: "| IWANT ids in one RPC sent | 3 to 64 |"
IWANT_RPCS: Final = 10
# SPEC 05: "| RPCs with IWANT sent to one peer within 1.1 s | 10 |"
IWANT_WINDOW_S: Final = 1.1
# SPEC 05: "| RPCs with IWANT sent to one peer within 1.1 s | 10 |"
IWANT_ANSWER_BYTES: Final = 131_072
# SPEC 05: "| answer to one IWANT aimed at | 131,072 bytes |"
IDONTWANT_IDS_PER_RPC: Final = 10
# SPEC 05: "| IDONTWANT ids in one RPC sent | 10 |"

# What one peer may ask of us in one heartbeat.
MAX_IHAVE_RPCS: Final = 10  # SPEC 05: "| RPCs with IHAVE | 10 |"
MAX_IHAVE_IDS: Final = 5000  # SPEC 05: "| IHAVE ids | 5,000 |"
MAX_IWANT_IDS: Final = 5000  # SPEC 05: "| IWANT ids | 5,000 |"
MAX_IWANT_BYTES: Final = 2_097_152
# SPEC 05: "| data served by IWANT | 2,097,152 bytes |"
MAX_SERVED: Final = 3  # SPEC 05: "MUST serve one id at most three times to one peer"
MAX_CONTROL_ENTRIES: Final = 2048
# SPEC 05: "| subscriptions, GRAFTs and PRUNEs | 2,048 |"
MAX_DONT_WANT: Final = 1000  # SPEC 05: "| IDONTWANT ids held | 1,000 |"
MAX_SPARED: Final = 4000  # SPEC 05: "| ids spared to it | 4,000 |"
MAX_PEER_TOPICS: Final = 256  # SPEC 05: "| topics held | 256 |"

# What the router holds in all.
MAX_SEEN: Final = 131_072  # SPEC 05: "| ids in the seen window | 131,072 |"
MAX_REFUSED: Final = 16_384
# SPEC 05: "| rejected messages remembered | 16,384 |"
MAX_PENDING: Final = 16_384  # SPEC 05: "| messages waiting for a verdict | 16,384 |"
MAX_PROMISES: Final = 16_384  # SPEC 05: "| ids asked for | 16,384 |"
MAX_BACKOFFS: Final = 16_384  # SPEC 05: "| backoffs | 16,384 |"
MAX_CACHE_MESSAGES: Final = 32_768
# SPEC 05: "| messages in the cache | 32,768 |"
MAX_CACHE_BYTES: Final = 16_777_216
# SPEC 05: "| bytes in the cache | 16,777,216 |"


PEER_RATE: Final = Rate(per_s=4096, burst=16_384)
# SPEC 05: "4,096 units a second are pushed on, and 16,384 at once"

# What goes beyond bounds and is held against a peer.
FLOOD_FACTOR: Final = 2
# SPEC 05: "more than twice what section 7 allows in one heartbeat"
LATE_S: Final = 2 * HEARTBEAT_S
# SPEC 05: "when it is itself more than 2 heartbeats late"
OPPORTUNISTIC_HEARTBEATS: Final = 60
# SPEC 05: "| opportunistic graft every | 60 heartbeats |"
OPPORTUNISTIC_PEERS: Final = 2
# SPEC 05: "| peers grafted then | 2 |"
MAX_RATED_PEERS: Final = 1024
# SPEC 05: "| peers and agents whose rate is kept | 1,024 and 16,384 |"


@dataclass(frozen=True, slots=True)
class Degrees:
    """How many mesh peers a topic wants.

    Attributes:
        wanted: D, what the mesh is brought back to.
        low: D_lo, below which peers are added.
        high: D_hi, above which peers are let go.
        outbound: D_out, how many must be peers that we dialled.
        best: D_score, how many with the best scores stay when others are let go.
    """

    wanted: int
    low: int
    high: int
    outbound: int
    best: int = 6


@dataclass(frozen=True, slots=True)
class GossipSettings:
    """What an operator, or a test, may choose. The defaults are those of spec 05.

    Attributes:
        degrees: of the mesh in a network of any size.
        small_degrees: of the mesh while fewer than `small_below` peers are known.
        small_below: where a network stops being small.
        lazy: D_lazy, the least number of peers outside the mesh to gossip to.
        flood_publish: whether our own messages go to every peer in the topic.
        eager: how many copies of a message are to go round at once, whoever sends
            them; a mesh peer that gets none is told that there is one.
        shared: networks whose addresses many honest peers share: how many come
            from there is held against nobody.
        peer_rate: how much of what one peer brings is pushed on, in units of
            1,024 bytes; what exceeds it is only announced.
    """

    degrees: Degrees = Degrees(8, 6, 12, 3, 6)
    # SPEC 05: "| D, D_lo, D_hi, D_out, D_score | 8, 6, 12, 3, 6 |"
    small_degrees: Degrees = Degrees(6, 5, 12, 3, 4)
    # SPEC 05: "| the same with fewer than 20 peers known | 6, 5, 12, 3, 4 |"
    small_below: int = 20
    # SPEC 05: "| the same with fewer than 20 peers known | 6, 5, 12, 3, 4 |"
    lazy: int = 6
    # SPEC 05: "| D_lazy | 6 |"
    flood_publish: bool = True
    eager: int = EAGER
    shared: tuple[IpNetwork, ...] = LOOPBACK
    peer_rate: Rate = PEER_RATE

    def degrees_for(self, known_peers: int) -> Degrees:
        """Return the mesh degrees for a network in which we know so many peers."""
        return self.small_degrees if known_peers < self.small_below else self.degrees

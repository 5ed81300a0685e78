"""Late, lossy and thin lines between hosts, by `tc`: packets, and not gossip.

On a host's own end an HTB class holds its whole uplink, and has one child for each
host that it sends to, with netem in it; the bridge's end holds the downlink.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from moltp2p.core.ids import PeerId
from moltp2p.testing.faults.conditions import Orders
from moltp2p.testing.hosts.commands import run, works
from moltp2p.testing.hosts.namespaces import Host, Hosts

ANY_MBIT: Final = 10_000.0
"""As fast as any line between namespaces needs to be."""

QUEUE_PACKETS: Final = 10_000
"""What may be on its way on one line; netem drops beyond."""


async def has_netem(hosts: Hosts) -> bool:
    """Tell whether packets can be made late or lost here: whether there is netem."""
    at = ("tc", "-n", hosts.switch, "qdisc")
    if not await works(*at, "add", "dev", "br0", "root", "netem", "delay", "1ms"):
        return False
    await run(*at, "delete", "dev", "br0", "root")
    return True


async def shape(
    hosts: Hosts, peers: Sequence[PeerId], orders: Sequence[Orders]
) -> None:
    """Let every line be as ordered.

    Args:
        hosts: where the nodes run.
        peers: who they are, by index.
        orders: what each has to bear; latency and loss need netem.

    Raises:
        LocalError: `no-hosts`.
    """
    for host, order in zip(hosts.hosts, orders, strict=False):
        for words in uplink(host, hosts.hosts, peers, order):
            await run(*words)
        for words in downlink(hosts.switch, host, order):
            await run(*words)


def uplink(
    host: Host, hosts: Sequence[Host], peers: Sequence[PeerId], orders: Orders
) -> list[tuple[str, ...]]:
    """Return the commands that shape what a host sends."""
    if not (orders.latency_s or orders.loss or orders.uplink_mbit):
        return []
    tc, dev = ("tc", "-n", host.name), ("dev", "eth0")
    rate = ("htb", "rate", f"{orders.uplink_mbit or ANY_MBIT:g}mbit", "quantum", "1514")
    commands: list[tuple[str, ...]] = [
        (*tc, "qdisc", "add", *dev, "root", "handle", "1:", "htb", "default", "1"),
        (*tc, "class", "add", *dev, "parent", "1:", "classid", "1:f", *rate),
        (*tc, "class", "add", *dev, "parent", "1:f", "classid", "1:1", *rate),
    ]
    for index, (peer, other) in enumerate(zip(peers, hosts, strict=False), 16):
        netem = _netem(orders, orders.latency_s.get(peer, 0.0))
        if other is host or not netem:
            continue
        leaf = f"1:{index:x}"
        match = ("u32", "match", "ip", "dst", f"{other.ip}/32", "flowid", leaf)
        commands += [
            (*tc, "class", "add", *dev, "parent", "1:f", "classid", leaf, *rate),
            (*tc, "qdisc", "add", *dev, "parent", leaf, *netem),
            (*tc, "filter", "add", *dev, "parent", "1:", "protocol", "ip", *match),
        ]
    return commands


def downlink(switch: str, host: Host, orders: Orders) -> list[tuple[str, ...]]:
    """Return the commands that shape what a host takes."""
    if not orders.downlink_mbit:
        return []
    tc, dev = ("tc", "-n", switch), ("dev", host.port)
    rate = ("htb", "rate", f"{orders.downlink_mbit:g}mbit", "quantum", "1514")
    return [
        (*tc, "qdisc", "add", *dev, "root", "handle", "1:", "htb", "default", "1"),
        (*tc, "class", "add", *dev, "parent", "1:", "classid", "1:1", *rate),
    ]


def _netem(orders: Orders, latency_s: float) -> tuple[str, ...]:
    words: list[str] = []
    if latency_s:
        # netem spreads evenly around the delay; a scenario's jitter comes on top.
        spread_ms = latency_s * orders.jitter * 1000 / 2
        words += ["delay", f"{latency_s * 1000 + spread_ms:.3f}ms"]
        words += [f"{spread_ms:.3f}ms"] if spread_ms else []
    if orders.loss:
        words += ["loss", f"{orders.loss:.4%}"]
    return ("netem", *words, "limit", str(QUEUE_PACKETS)) if words else ()

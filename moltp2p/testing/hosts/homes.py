"""Hosts at home: behind a router that lets everybody out, and nobody in."""

from __future__ import annotations

from moltp2p.testing.hosts.commands import run
from moltp2p.testing.hosts.namespaces import Host

RULES = """
table ip home {
    chain out {
        type nat hook postrouting priority srcnat;
        oifname "eth0" masquerade %s
    }
    chain through {
        type filter hook forward priority filter; policy drop;
        iifname "home0" accept
        ct state established,related accept
    }
    chain in {
        type filter hook input priority filter; policy drop;
        ct state established,related accept
    }
}
"""
"""What strangers send is dropped without a word, as most routers at home do."""


async def add_home(router: Host, *, keeps_ports: bool = True) -> Host:
    """Make a router of a host, and return a new host behind it.

    Every home has the same addresses, as in the world.

    Args:
        router: a host, of which nothing else is asked from now on.
        keeps_ports: whether what leaves a port inside leaves the same port outside;
            else any port, another to each destination.

    Raises:
        LocalError: `no-hosts`.
    """
    home = Host(f"{router.name}-home", "192.168.1.2", "home0")
    at_router, at_home = ("ip", "-n", router.name), ("ip", "-n", home.name)
    await run("ip", "netns", "add", home.name)
    veth = ("type", "veth", "peer", "name", "eth0", "netns", home.name)
    await run(*at_router, "link", "add", home.port, *veth)
    await run(*at_router, "addr", "add", "192.168.1.1/24", "dev", home.port)
    await run(*at_router, "link", "set", home.port, "up")
    await run(*at_home, "addr", "add", f"{home.ip}/24", "dev", "eth0")
    await run(*at_home, "link", "set", "eth0", "up")
    await run(*at_home, "link", "set", "lo", "up")
    await run(*at_home, "route", "add", "default", "via", "192.168.1.1")
    forward = "echo 1 > /proc/sys/net/ipv4/ip_forward"
    await run(*router.prefix, "sh", "-c", forward)
    await run(*router.prefix, "nft", RULES % ("" if keeps_ports else "fully-random"))
    return home

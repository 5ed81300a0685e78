"""Hosts on this machine: network namespaces, and the lines between them.

    host 0 ── eth0 ══ port0 ┐
    host 1 ── eth0 ══ port1 ┼ bridge, in a namespace of its own
    host 2 ── eth0 ══ port2 ┘
      └ home0 ══ eth0 ── home of host 2, which is then its router

Nothing of it is seen from the machine's own network. It needs root, `ip` and `tc`
(Debian: iproute2), and for homes `nft` (nftables).
"""

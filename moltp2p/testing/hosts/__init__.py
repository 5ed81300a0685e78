"""Hosts on this machine: network namespaces, and the lines between them.

    host 0 ── eth0 ══ port0 ┐
    host 1 ── eth0 ══ port1 ┼ bridge, in a namespace of its own
    host 2 ── eth0 ══ port2 ┘

Nothing of it is seen from the machine's own network. It needs root, and `ip` and
`tc` (Debian: iproute2).
"""

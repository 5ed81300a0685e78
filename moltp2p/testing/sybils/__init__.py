"""Sybils among real nodes: the simulator's habits, on real connections.

    den (one process) ── liar: habits ── router ── gossip driver ── libp2p ──► nodes

A Sybil runs the same router and driver as an honest node; its habits decide what
that router is told to keep, and what is said besides. It speaks gossip, and finds
peers, but stores and reconciles nothing.
"""

"""What goes wrong between real nodes, on purpose and by a seed.

    flags, TOML ──► Scenario ──► schedule ──► injector ──► each node's Faults
                    (sim.scenario)                              │
                    node ──► FaultyNetwork ──► net/host.py or net/memory.py

`flags` and `wanted` say what is to go wrong, `schedule` when, and `injector` does it;
`conditions`, `network`, `streams` and `loss` are the fault itself, between a node and
the network that it was given; `recovery` watches when gossip is whole again.
"""

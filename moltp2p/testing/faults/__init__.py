"""What goes wrong between real nodes, on purpose and by a seed.

    flags, TOML ──► Scenario ──► schedule ──► injector ──► each node's Faults
                    (sim.scenario)                              │
                    node ──► FaultyNetwork ──► net/host.py or net/memory.py

`flags` and `support` say what is wanted, `schedule` when, `injector` does it, and
`conditions`, `network` and `streams` are the fault itself, between a node and the
network that it was given.
"""

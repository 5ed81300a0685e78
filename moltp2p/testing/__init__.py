"""Networks for tests, of what you build on moltp2p and of moltp2p itself.

    open_mesh(n)          real nodes: on sockets, in processes, or in memory
    mesh.part, .heal      faults between them; `Orders` for latency, loss, thin lines
    mesh.kill, .restart   nodes that die and come back with their store
    mesh.members          each node from outside, in whatever process it runs
    TestAgent             agents and signed records from a name, without a node
    MemoryHub             the bare network inside one process, for peers of your own
    simulate              the protocol's own machines in virtual time, by a scenario

All times are seconds and all sizes bytes, unless a name says otherwise. Everything
here is trio's; `README.md` has a whole test to copy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from moltp2p.net.memory import MemoryHub, memory_peer_id, open_memory_network
    from moltp2p.testing.factories import EPOCH_MS, TestAgent, signer
    from moltp2p.testing.faults.conditions import Faults, Orders
    from moltp2p.testing.members import Member, Text
    from moltp2p.testing.mesh import Mesh
    from moltp2p.testing.opening import open_mesh
    from moltp2p.testing.sim.library import load as load_scenario
    from moltp2p.testing.sim.library import shipped as shipped_scenarios
    from moltp2p.testing.sim.report import Report as SimulationReport
    from moltp2p.testing.sim.scenario import Scenario
    from moltp2p.testing.simulator import simulate

__all__ = [
    "EPOCH_MS",
    "Faults",
    "Member",
    "MemoryHub",
    "Mesh",
    "Orders",
    "Scenario",
    "SimulationReport",
    "TestAgent",
    "Text",
    "load_scenario",
    "memory_peer_id",
    "open_memory_network",
    "open_mesh",
    "shipped_scenarios",
    "signer",
    "simulate",
]

_PLACES: Final = {
    "EPOCH_MS": "factories.EPOCH_MS",
    "Faults": "faults.conditions.Faults",
    "Member": "members.Member",
    "MemoryHub": "moltp2p.net.memory.MemoryHub",
    "Mesh": "mesh.Mesh",
    "Orders": "faults.conditions.Orders",
    "Scenario": "sim.scenario.Scenario",
    "SimulationReport": "sim.report.Report",
    "TestAgent": "factories.TestAgent",
    "Text": "members.Text",
    "load_scenario": "sim.library.load",
    "memory_peer_id": "moltp2p.net.memory.memory_peer_id",
    "open_memory_network": "moltp2p.net.memory.open_memory_network",
    "open_mesh": "opening.open_mesh",
    "shipped_scenarios": "sim.library.shipped",
    "signer": "factories.signer",
    "simulate": "simulator.simulate",
}
"""Where each stands. They are imported when they are asked for: libp2p takes a
second, and neither the simulator nor a test agent needs it."""


def __getattr__(name: str) -> object:
    """Return a public name, importing what it stands in."""
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = place.rpartition(".")
    if not module.startswith("moltp2p."):
        module = f"{__name__}.{module}"
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    """Return the public names."""
    return __all__

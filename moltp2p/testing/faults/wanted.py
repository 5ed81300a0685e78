"""What a tester wants to go wrong: flags over a scenario's file, as one scenario.

A field that only the simulator can do is refused by its name, and not passed over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from moltp2p.core.errors import UsageError
from moltp2p.testing.faults import flags
from moltp2p.testing.sim.library import build, put, read_table, refuse
from moltp2p.testing.sim.scenario import PHASES, Nodes, Scenario

MAX_NODES: Final = 200

DEFAULT_NODES: Final = 5

DEFAULT_SPAN_S: Final = 20.0
"""How long agents post among faults without an end of their own."""

AFTER_S: Final = 5.0
"""How long they go on after the last fault that has one."""

REST_S: Final = 10.0
"""How long a scenario lasts after the last post at least."""

MAX_RUN_S: Final = 86_400.0

MESH_LACKS: Final = {
    "judge": "its nodes verify and store as they do",
    "nodes.start_within_s": "its nodes take as long as they take",
    "nodes.max_inbound": "its nodes have their own limits",
    "sample_s": "it looks twice a second",
    "sybils.per_address": "its Sybils have this machine's address",
    **{
        f"check.{phase}.{check}": reason
        for phase in PHASES
        for check, reason in (
            ("duplicates", "its nodes count copies, but not by when or by whom"),
            ("victim_delivered", "it does not count the victim apart"),
            ("victim_p99_s", "it does not count the victim apart"),
        )
    },
}
"""What only the simulator can do, and why."""

HOSTS_LACK: Final = {
    "partition.notice_s": "its nodes give up a connection when they do",
    "nodes.nat_share": "every host can be reached",
}
"""What a mesh can do on one machine's network alone, and why."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the flags say; None or empty where they are silent.

    Attributes:
        file: the name or path of a scenario.
        nodes: how many nodes.
        posts: how many posts in all.
        rate: posts a second.
        burst: whether they are posted as fast as it goes, in place of a rate.
        duration_s: for how long.
        loss: `--loss`, and so on.
        hosts: whether each node has a network of its own.
    """

    file: str | None = None
    nodes: int | None = None
    posts: int | None = None
    rate: float | None = None
    burst: bool = False
    duration_s: float | None = None
    loss: float | None = None
    latency: str | None = None
    partitions: Sequence[str] = ()
    kill: str | None = None
    slow: str | None = None
    hosts: bool = False
    sybils: int | None = None
    behaviours: Sequence[str] = ()

    @property
    def is_calm(self) -> bool:
        """Whether nothing is to go wrong."""
        flags = (self.loss, self.latency, self.kill, self.slow, self.sybils, self.file)
        lists = (*self.partitions, *self.behaviours)
        return not lists and all(each is None for each in flags)


def scenario_of(wanted: Wanted, default_rate: float) -> Scenario | None:
    """Return what is to go wrong; None for nothing.

    Args:
        wanted: what the flags say.
        default_rate: posts a second, where neither flag nor file says it.

    Raises:
        UsageError: `bad-option`, `bad-scenario`, `unknown-scenario`, or
            `unsupported-setting` for what only the simulator can do.
    """
    if wanted.is_calm:
        return None
    table = _base() if wanted.file is None else read_table(wanted.file)
    for dotted, value in _overrides(wanted).items():
        put(table, dotted, value)
    if wanted.sybils is not None or wanted.behaviours:
        table["sybils"] = _sybils(wanted, table)
    refuse(table, MESH_LACKS, "a mesh of real nodes")
    if wanted.hosts:
        refuse(table, HOSTS_LACK, "a mesh on hosts")
    if wanted.file is None:
        _put_end(table, wanted, default_rate)
    scenario = build(table, wanted.file or "the flags")
    if wanted.file is not None:
        scenario = _stretched(scenario, wanted)
    _check_size(scenario)
    return scenario


def _check_size(scenario: Scenario) -> None:
    """Refuse what is more than a machine can run."""
    if scenario.nodes.count > MAX_NODES:
        raise UsageError(
            "bad-scenario",
            f"nodes.count: a mesh has at most {MAX_NODES} nodes",
            "give fewer with --nodes",
        )
    if scenario.sybil_count > MAX_NODES:
        raise UsageError("bad-scenario", f"a mesh has at most {MAX_NODES} Sybils")
    if scenario.virtual_s > MAX_RUN_S:
        raise UsageError("bad-scenario", f"a mesh runs for {MAX_RUN_S:g} s at most")


def _base() -> dict[str, Any]:
    """Return a scenario in which nothing goes wrong."""
    return {
        "about": "as the flags say",
        "nodes": {"count": DEFAULT_NODES, "bootstrap": 1},
        "network": {"latency": {"model": "constant", "ms": 0}, "uplink_mbit": 0},
        "load": {"from_s": 0},
    }


def _overrides(wanted: Wanted) -> Mapping[str, object]:
    """Return what the flags put in place of the file's, by dotted name."""
    if len(wanted.partitions) > 1:
        raise UsageError(
            "bad-option",
            "one --partition a run",
            "it may have more than two sides: 0-1|2-3|4@10s-40s",
        )
    plain = {
        "nodes.count": wanted.nodes,
        "load.per_s": wanted.rate,
        "network.loss": wanted.loss,
    }
    found: dict[str, object] = {n: v for n, v in plain.items() if v is not None}
    if wanted.latency is not None:
        found["network.latency"] = flags.latency(wanted.latency)
    if wanted.kill is not None:
        found["churn"] = flags.kills(wanted.kill)
    if wanted.slow is not None:
        found["slow"] = flags.slow(wanted.slow)
    for text in wanted.partitions:
        found["partition"] = flags.partition(text)
    return found


def _sybils(wanted: Wanted, table: Mapping[str, Any]) -> Mapping[str, object]:
    """Return the attackers that the flags ask for."""
    if wanted.sybils is None or not wanted.behaviours:
        raise UsageError(
            "bad-option",
            "--sybils and --behaviour go together",
            "as in: --sybils 8 --behaviour invalid-flood --behaviour dropper,share=0.5",
        )
    nodes = table.get("nodes", {})
    count = nodes.get("count", Nodes().count) if isinstance(nodes, dict) else 0
    # Whatever is no number of nodes is refused with the rest of the table.
    honest = count if isinstance(count, int) and count > 0 else 1
    return {
        "per_honest": wanted.sybils / honest,
        "behaviours": [flags.behaviour(text) for text in wanted.behaviours],
        "attack_s": 0,
    }


def _put_end(table: dict[str, Any], wanted: Wanted, default_rate: float) -> None:
    """Let the agents post until a while after the last fault, and all they shall."""
    partition = table.get("partition")
    healed_s = partition["until_s"] if partition else 0.0
    until_s = healed_s + AFTER_S if partition else DEFAULT_SPAN_S
    rate = table["load"].setdefault("per_s", default_rate)
    if wanted.duration_s is not None:
        until_s = wanted.duration_s
    elif wanted.posts is not None and not wanted.burst:
        if partition and wanted.rate is None:  # some of them in each of its phases
            rate = table["load"]["per_s"] = min(rate, max(wanted.posts, 1) / until_s)
        posts_s = wanted.posts / rate
        until_s = max(until_s, posts_s) if partition else posts_s
    table["load"]["until_s"] = until_s
    if "sybils" in table:
        table["sybils"]["until_s"] = until_s
    table["virtual_s"] = max(until_s, healed_s) + REST_S


def _stretched(scenario: Scenario, wanted: Wanted) -> Scenario:
    """Return a file's scenario with as much, or as long, a load as the flags say."""
    load = scenario.load
    if wanted.duration_s is not None:
        until_s = load.from_s + wanted.duration_s
    elif wanted.posts is not None:
        until_s = max(scenario.load_until_s, load.from_s + wanted.posts / load.per_s)
    else:
        return scenario
    lasts_s = max(scenario.virtual_s, until_s + REST_S)
    return replace(scenario, load=replace(load, until_s=until_s), virtual_s=lasts_s)

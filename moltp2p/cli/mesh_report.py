"""What came of a mesh, for people and for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table

from moltp2p.proto.gossip.settings import HEARTBEAT_S
from moltp2p.testing.faults.injector import whom
from moltp2p.testing.plan import Faced, Injected, Report
from moltp2p.testing.sim.deliveries import Deliveries
from moltp2p.testing.sim.report import Finding

MAX_FAULTS: Final = 20
"""Faults shown to a person; a program gets all."""

COUNTED: Final = {
    "lost": "messages and announcements lost",
    "delayed": "reads delayed",
    "held": "reads held back by a partition",
    "refused": "dials and streams into nothing",
    "hung-up": "connections given up",
    "killed": "nodes killed",
    "said": "RPCs that Sybils said besides",
    "forged": "records that Sybils forged",
    "kept-back": "valid messages that Sybils kept back",
    "rejected": "messages that nodes rejected",
}
"""What was counted, in words."""

CHECKED: Final = {
    "delivered": "posts in every store",
    "distinct-sets": "different sets among the stores, in the end",
    "invalid-records": "invalid records kept",
    "told-twice": "records told twice",
    "acknowledged-kept": "posts kept by whoever acknowledged them",
    "healthy_within": "heartbeats until all meshes were whole again",
}
"""What had to hold, in words; a scenario's own checks have their names."""


def summary(report: Report) -> RenderableType:
    """Return the report for a person."""
    if report.faced is None:
        return _figures(report)
    faced, nodes = report.faced, report.nodes
    parts = [_figures(report), _injected(faced, nodes), _phases(faced), _held(faced)]
    return Group(*parts)


def _figures(report: Report) -> Table:
    latency = report.latency_ms
    table = Table(title="What came of it", show_header=False)
    each = ", each on its own host" if report.hosts else ""
    connected = f"connected in {report.connect_s:.1f} s"
    table.add_row("nodes", f"{report.nodes}{each}, {connected}")
    if report.prove_s is not None:
        table.add_row(
            "proved",
            f"{report.verified} of {report.nodes} agents in {report.prove_s:.1f} s",
        )
    table.add_row("posts", f"{report.posts} in {report.wall_s:.1f} s")
    table.add_row(
        "delivered",
        f"{report.delivered} of {report.expected} to stores"
        f" ({report.delivery_ratio:.2%})",
    )
    table.add_row(
        "latency",
        f"p50 {latency['p50']:.0f} ms, p99 {latency['p99']:.0f} ms,"
        f" max {latency['max']:.0f} ms",
    )
    table.add_row("processor", f"{report.cpu_s:.1f} s")
    table.add_row("memory", f"{report.rss_mb:.0f} MB")
    table.add_row("dropped", f"{report.dropped} by gossip")
    return table


def report_fields(report: Report) -> dict[str, object]:
    """Return the report for a program."""
    fields: dict[str, object] = {
        "passed": report.passed,
        "nodes": report.nodes,
        "hosts": report.hosts,
        "posts": report.posts,
        "expected": report.expected,
        "delivered": report.delivered,
        "delivery_ratio": round(report.delivery_ratio, 6),
        "latency_ms": dict(report.latency_ms),
        "connect_s": round(report.connect_s, 3),
        "prove_s": None if report.prove_s is None else round(report.prove_s, 3),
        "verified": report.verified,
        "wall_s": round(report.wall_s, 3),
        "cpu_s": round(report.cpu_s, 3),
        "rss_mb": round(report.rss_mb, 1),
        "dropped": report.dropped,
    }
    return fields if report.faced is None else fields | _faced(report)


def _injected(faced: Faced, nodes: int) -> Table:
    """Return what went wrong on purpose."""
    table = Table(title=f"What was injected (seed {faced.seed})", show_header=False)
    for each in faced.injected[:MAX_FAULTS]:
        detail = each.detail or whom(each.nodes, nodes)
        table.add_row(f"{each.done_s:.1f} s", each.fault, detail)
    more = len(faced.injected) - MAX_FAULTS
    if more > 0:
        table.add_row("…", f"and {more} more")
    for name, count in faced.counts.items():
        if count:
            table.add_row("in all", f"{count:,}", COUNTED.get(name, name))
    if faced.skipped:
        table.add_row(
            "in all", f"{faced.skipped:,}", "posts skipped, their author down"
        )
    return table


def _phases(faced: Faced) -> Table:
    """Return what became of the posts of each phase."""
    table = Table(title="By when it was posted")
    table.caption = "expected of nodes up, on the author's side, around that time"
    for name in ("phase", "posts", "expected", "delivered", "p50", "p99", "max"):
        table.add_column(name, justify="left" if name == "phase" else "right")
    for name, done in faced.phases.items():
        if not done.published:
            continue
        spans = (done.p50_s, done.p99_s, done.max_s)
        table.add_row(
            name,
            str(done.published),
            str(done.expected),
            f"{done.share:.2%}",
            *(f"{each_s:.3f} s" for each_s in spans),
        )
    return table


def _held(faced: Faced) -> Table:
    """Return what had to hold, and whether it did."""
    table = Table(title="What held", show_header=False)
    for each in faced.findings:
        words = CHECKED.get(each.check, each.check)
        table.add_row("held" if each.passed else "FAILED", words, _found(each))
    healed = "never" if faced.healed_s is None else f"after {faced.healed_s:.1f} s"
    table.add_row("", "what was older than the last fault was everywhere", healed)
    if any(each.fault in {"heal", "leave"} for each in faced.injected):
        took = faced.healthy_after  # nobody waits for it, unless that is checked
        whole = "not yet" if took is None else f"after {took * HEARTBEAT_S:g} s"
        table.add_row("", "all nodes gossiped with as many as they should", whole)
    return table


def _found(each: Finding) -> str:
    """Return what was found, and what was wanted where that does not go without."""
    if each.found is None:
        return "never"
    if each.check.endswith("_s"):
        return f"{each.found:.3f} of {each.wanted:g} s"
    if each.check.endswith("_within"):
        return f"{each.found:g} of {each.wanted:g}"
    if each.check.endswith(".delivered"):
        return f"{each.found:.2%} of {100 * each.wanted:g}%"
    found = f"{each.found:,.6g}"
    return found if each.wanted in {0, 1} else f"{found} of {each.wanted:,.6g}"


def _faced(report: Report) -> dict[str, object]:
    faced = report.faced
    if faced is None:
        return {}
    healed_s = faced.healed_s
    return {
        "seed": faced.seed,
        "injected": [_fault(each) for each in faced.injected],
        "counts": dict(faced.counts),
        "skipped": faced.skipped,
        "phases": [
            {"name": name, **_deliveries(done)} for name, done in faced.phases.items()
        ],
        "healed_s": None if healed_s is None else round(healed_s, 3),
        "healthy_after_heartbeats": faced.healthy_after,
        "held": [asdict(each) for each in faced.findings],
    }


def _fault(each: Injected) -> dict[str, object]:
    fields = asdict(each) | {"nodes": list(each.nodes)}
    return fields | {"at_s": round(each.at_s, 3), "done_s": round(each.done_s, 3)}


def _deliveries(done: Deliveries) -> dict[str, object]:
    return {**asdict(done), "share": round(done.share, 6)}

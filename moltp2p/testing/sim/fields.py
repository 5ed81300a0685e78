"""A report as one JSON object: every figure of it, and nothing of this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Final

from moltp2p.testing.sim.deliveries import Deliveries
from moltp2p.testing.sim.report import Moment, PhaseReport, Report
from moltp2p.testing.sim.samples import Sample

DECIMALS: Final = 6
"""Of every figure: microseconds, and parts in a million."""


def report_fields(report: Report) -> dict[str, object]:
    """Return the report; two runs with one seed give the same bytes of JSON."""
    fields = {
        "about": report.about,
        "seed": report.seed,
        "virtual_s": report.virtual_s,
        "nodes": {"honest": report.honest, "sybils": report.sybils},
        "events": report.events,
        "passed": report.passed,
        "healthy_after_heartbeats": report.healthy_after,
        "safety": asdict(report.safety),
        "checks": [asdict(finding) for finding in report.findings],
        "phases": [_phase(phase) for phase in report.phases],
        "series": [_moment(moment) for moment in report.moments],
    }
    return {name: _rounded(value) for name, value in fields.items()}


def _phase(phase: PhaseReport) -> dict[str, object]:
    return {
        "name": phase.name,
        "from_s": phase.from_s,
        "until_s": phase.until_s,
        **_deliveries(phase.deliveries),
        "victim": _deliveries(phase.victim),
        "duplicates_per_delivery": phase.duplicates,
        "bytes_per_delivery": phase.bytes_per_delivery,
        "control_share": phase.control_share,
        "traffic": asdict(phase.traffic),
    }


def _moment(moment: Moment) -> dict[str, object]:
    return {
        **_sample(moment.sample),
        **_deliveries(moment.deliveries),
        "traffic": asdict(moment.traffic),
    }


def _sample(sample: Sample) -> dict[str, object]:
    fields = asdict(sample)
    del fields["traffic"]
    return fields


def _deliveries(deliveries: Deliveries) -> dict[str, object]:
    return {**asdict(deliveries), "share": deliveries.share}


def _rounded(value: object) -> object:
    match value:
        case float():
            return round(value, DECIMALS)
        case Mapping():
            return {name: _rounded(each) for name, each in value.items()}
        case Sequence() if not isinstance(value, str):
            return [_rounded(each) for each in value]
        case _:
            return value

"""Metrics as Prometheus reads them, by way of its own client library."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from moltp2p.api.loop_lag import BUCKETS_S, LoopLag
from moltp2p.api.metrics.families import PREFIX, Family

if TYPE_CHECKING:
    from prometheus_client.core import Metric

TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"


def exposition(families: Iterable[Family], lag: LoopLag, now: float) -> bytes:
    """Return the metrics of a node as text, those of its process included."""
    # A quarter of a second, which only who is scraped has to pay.
    from prometheus_client import ProcessCollector  # noqa: PLC0415
    from prometheus_client.exposition import generate_latest  # noqa: PLC0415
    from prometheus_client.registry import CollectorRegistry  # noqa: PLC0415

    class Figures(CollectorRegistry):
        def collect(self) -> Iterator[Metric]:
            yield from map(_metric, families)
            yield from _lag(lag, now)
            yield _build()
            yield from ProcessCollector(PREFIX.rstrip("_"), registry=None).collect()

    return generate_latest(Figures())


def _metric(family: Family) -> Metric:
    from prometheus_client.core import (  # noqa: PLC0415
        CounterMetricFamily,
        GaugeMetricFamily,
    )

    make = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    labels = [family.label] if family.label else []
    metric = make(PREFIX + family.name, family.meaning, labels=labels)
    for word, value in family.samples.items():
        metric.add_metric([word] if family.label else [], value)
    return metric


def _lag(lag: LoopLag, now: float) -> Iterator[Metric]:
    from prometheus_client.core import (  # noqa: PLC0415
        GaugeMetricFamily,
        HistogramMetricFamily,
    )

    ends = [*map(str, BUCKETS_S), "+Inf"]
    buckets = list(zip(ends, map(float, accumulate(lag.counts)), strict=True))
    name = f"{PREFIX}loop_lag_seconds"
    histogram = HistogramMetricFamily(name, "How late the event loop was.")
    histogram.add_metric([], buckets, lag.sum_s)
    yield histogram
    worst = GaugeMetricFamily(
        f"{PREFIX}loop_lag_worst_seconds", "The most of the last minute."
    )
    worst.add_metric([], lag.worst_s(now))
    yield worst


def _build() -> Metric:
    from prometheus_client.core import GaugeMetricFamily  # noqa: PLC0415

    build = GaugeMetricFamily(
        f"{PREFIX}build_info", "1 for the version that runs.", labels=["version"]
    )
    build.add_metric([importlib.metadata.version("moltp2p")], 1)
    return build

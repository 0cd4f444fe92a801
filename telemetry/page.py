"""Counted metrics as Prometheus reads them. Import it when somebody asks, not before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, UntypedMetricFamily
from prometheus_client.metrics_core import Metric

from telemetry.counting import Family, Metrics

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_KINDS: dict[str, Any] = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily, "untyped": UntypedMetricFamily}


class Page:
    """The families of `metrics`, and what the system knows of the process."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def text(self) -> bytes:
        """In the text format, version 0.0.4."""
        return generate_latest(self._registry)

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        for prepare in self._metrics.before:
            prepare()
        for family in self._metrics.families:
            yield _shown(family)


def _shown(family: Family) -> Metric:
    if family.kind == "histogram":
        made = HistogramMetricFamily(family.name, family.text, labels=family.labels)
        for labels, histogram in list(family.histograms.items()):
            made.add_metric(labels, histogram.buckets(), histogram.sum)
        return made
    plain = _KINDS[family.kind](family.name, family.text, labels=family.labels)
    for labels, value in list(family.values.items()):
        plain.add_metric(labels, value)
    found: Metric = plain
    return found

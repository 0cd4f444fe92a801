"""The counters as Prometheus reads them. Imported when somebody first asks: most clusters never do, and memory counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

from dnsserver.metrics import Metrics

Row = tuple[str, str, dict[str, str], float]  # name, help, labels, value


class Exposition:
    """`gauges` gives what is known only when it is asked for; rows of one name follow each other."""

    def __init__(self, metrics: Metrics, gauges: Callable[[], Iterable[Row]]) -> None:
        self._metrics, self._gauges = metrics, gauges
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def text(self) -> bytes:
        """In the text format, version 0.0.4."""
        return generate_latest(self._registry)

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        self._metrics.before()
        for family in (_questions, _answers, _cache, _forwards, _own):
            yield from family(self._metrics)
        found: dict[str, Metric] = {}
        for name, text, labels, value in self._gauges():
            gauge = found.setdefault(name, GaugeMetricFamily(name, text, labels=list(labels)))
            gauge.add_metric(list(labels.values()), value)  # type: ignore[attr-defined]
        yield from found.values()


def _questions(metrics: Metrics) -> Iterator[Metric]:
    family = CounterMetricFamily("coredns_dns_requests", "Questions asked.",
                                 labels=["server", "zone", "view", "proto", "family", "type"])
    for (zone, *rest), count in metrics.requests.items():
        family.add_metric([metrics.server, zone, "", *rest], count)
    yield family
    secured = CounterMetricFamily("coredns_dns_do_requests", "Questions with the DO bit set.",
                                 labels=["server", "zone", "view"])
    for zone, count in metrics.secured.items():
        secured.add_metric([metrics.server, zone, ""], count)
    yield secured


def _answers(metrics: Metrics) -> Iterator[Metric]:
    family = CounterMetricFamily("coredns_dns_responses", "Answers given.",
                                 labels=["server", "zone", "view", "rcode", "plugin"])
    for (zone, *rest), count in metrics.responses.items():
        family.add_metric([metrics.server, zone, "", *rest], count)
    yield family
    durations = HistogramMetricFamily("coredns_dns_request_duration_seconds", "Time a question took.",
                                      labels=["server", "zone", "view"])
    for zone, histogram in metrics.durations.items():
        durations.add_metric([metrics.server, zone, ""], *histogram.buckets())
    yield durations
    for at, name, text in ((0, "request", "Size of questions."), (1, "response", "Size of answers.")):
        shown = HistogramMetricFamily(f"coredns_dns_{name}_size_bytes", text,
                                      labels=["server", "zone", "view", "proto"])
        for (zone, proto), pair in metrics.sizes.items():
            shown.add_metric([metrics.server, zone, "", proto], *pair[at].buckets())
        yield shown


def _cache(metrics: Metrics) -> Iterator[Metric]:
    common = [metrics.server, ".", ""]
    hits = CounterMetricFamily("coredns_cache_hits", "Questions answered from a cache.",
                               labels=["server", "type", "zones", "view"])
    for kind in ("success", "denial"):
        hits.add_metric([metrics.server, kind, ".", ""], metrics.cached[kind])
    misses = CounterMetricFamily("coredns_cache_misses", "Questions that no cache could answer.",
                                 labels=["server", "zones", "view"])
    misses.add_metric(common, metrics.cached["misses"])
    requests = CounterMetricFamily("coredns_cache_requests", "Questions that a cache was asked for.",
                                   labels=["server", "zones", "view"])
    requests.add_metric(common, metrics.cached.total())
    yield from (hits, misses, requests)


def _forwards(metrics: Metrics) -> Iterator[Metric]:
    totals: Counter[str] = Counter()
    responses = CounterMetricFamily("coredns_forward_responses", "Answers of upstream servers.",
                                    labels=["to", "rcode"])
    for (server, rcode), count in metrics.forwards.items():
        totals[server] += count
        responses.add_metric([server, rcode], count)
    requests = CounterMetricFamily("coredns_forward_requests", "Questions to upstream servers.", labels=["to"])
    for server, count in totals.items():
        requests.add_metric([server], count)
    times = HistogramMetricFamily("coredns_proxy_request_duration_seconds", "Time upstream servers took.",
                                  labels=["proxy_name", "to", "rcode"])
    for (server, rcode), histogram in metrics.forward_times.items():
        times.add_metric(["forward", server, rcode], *histogram.buckets())
    yield from (requests, responses, times)


def _own(metrics: Metrics) -> Iterator[Metric]:
    for name, value, text in (
            ("coredns_panics", metrics.panics, "Questions that ended in an unforeseen error."),
            ("coredns_reload_failed", metrics.reloads_failed, "Configurations that could not be used.")):
        yield CounterMetricFamily(name, text, value)
    programming = HistogramMetricFamily(
        "coredns_kubernetes_dns_programming_duration_seconds",
        "Time from a change of endpoints to the change of answers.", labels=["service_kind"])
    for kind, histogram in metrics.programming.items():
        programming.add_metric([kind], *histogram.buckets())
    yield programming

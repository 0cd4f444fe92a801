"""Counters under the names that CoreDNS gives them, so that its dashboards and alerts work.

Counting is adding to a dictionary; `prometheus_client` renders them when they are asked for.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

DURATIONS = tuple(0.00025 * 2**i for i in range(16))
SIZES = (0, 100, 200, 300, 400, 511, 1023, 2047, 4095, 8291, 16e3, 32e3, 48e3, 64e3)
PROGRAMMING = tuple(0.001 * 2**i for i in range(20))
TYPES = {1: "A", 2: "NS", 5: "CNAME", 6: "SOA", 12: "PTR", 15: "MX", 16: "TXT", 28: "AAAA", 33: "SRV", 35: "NAPTR",
         43: "DS", 46: "RRSIG", 47: "NSEC", 48: "DNSKEY", 64: "SVCB", 65: "HTTPS", 255: "ANY"}
RCODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED", 16: "BADVERS"}


class About(NamedTuple):
    """What is counted of one question and its answer. `qtype` 0 when the packet could not be read."""

    zone: str
    proto: str
    family: str
    qtype: int
    do: bool
    rcode: int
    asked: int     # bytes
    answered: int  # bytes
    plugin: str


class Histogram:
    """Counts by bucket, and the sum."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds, self._counts, self._sum = bounds, [0] * (len(bounds) + 1), 0.0

    def add(self, value: float, times: int = 1) -> None:
        self._counts[bisect_left(self._bounds, value)] += times
        self._sum += value * times

    def buckets(self) -> tuple[list[tuple[str, float]], float]:
        """Cumulative counts by upper bound, and the sum."""
        total, rows = 0, []
        for bound, count in zip((*self._bounds, float("inf")), self._counts, strict=True):
            total += count
            rows.append(("+Inf" if bound == float("inf") else repr(float(bound)), float(total)))
        return rows, self._sum


class Metrics:
    """Everything that is counted. `server` is the label of that name: `dns://:53`."""

    def __init__(self, server: str) -> None:
        self.server = server
        self.gauges: Callable[[], Iterable[Metric]] = lambda: ()  # what is known only when it is asked for
        self.before: Callable[[], None] = lambda: None            # called first: adds up what is counted elsewhere
        self.panics = self.reloads_failed = 0
        self._requests: Counter[tuple[str, str, str, str]] = Counter()
        self._secured: Counter[str] = Counter()
        self._responses: Counter[tuple[str, str, str]] = Counter()
        self._cached: Counter[str] = Counter()
        self._sizes: dict[tuple[str, str], tuple[Histogram, Histogram]] = {}
        self._durations: dict[str, Histogram] = {}
        self._forwarded: Counter[tuple[str, str]] = Counter()
        self._forward_times: dict[tuple[str, str], Histogram] = {}
        self._programming: dict[str, Histogram] = {}

    # -- counting -------------------------------------------------------------------------------------------------------

    def answered(self, about: About, seconds: float) -> None:
        self._count(about, 1)
        self._cached["misses" if about.plugin != "cache" else "denial" if about.rcode else "success"] += 1
        self._duration(about.zone).add(seconds)

    def repeated(self, about: object, times: int) -> None:
        """Answers out of the answer cache, which take less than the shortest bucket."""
        if times and isinstance(about, About):
            self._count(about, times)
            self._cached["denial" if about.rcode else "success"] += times
            self._duration(about.zone).add(0.00001, times)

    def _count(self, about: About, times: int) -> None:
        # Types and sizes are the askers' to choose: they are grouped here, so that nobody can make this grow.
        self._requests[about.zone, about.proto, about.family, TYPES.get(about.qtype, "other")] += times
        self._responses[about.zone, RCODES.get(about.rcode, "other"), about.plugin] += times
        self._secured[about.zone] += times * about.do
        pair = self._sizes.get((about.zone, about.proto))
        if pair is None:
            pair = self._sizes[about.zone, about.proto] = (Histogram(SIZES), Histogram(SIZES))
        pair[0].add(about.asked, times)
        pair[1].add(about.answered, times)

    def _duration(self, zone: str) -> Histogram:
        found = self._durations.get(zone)
        if found is None:
            found = self._durations[zone] = Histogram(DURATIONS)
        return found

    def forwarded(self, server: tuple[str, int], rcode: int, seconds: float) -> None:
        key = (f"{server[0]}:{server[1]}", RCODES.get(rcode, str(rcode)))
        self._forwarded[key] += 1
        self._forward_times.setdefault(key, Histogram(DURATIONS)).add(seconds)

    def forward_failed(self, server: tuple[str, int], why: str) -> None:
        self._forwarded[f"{server[0]}:{server[1]}", why] += 1

    def programmed(self, kind: str, seconds: float) -> None:
        """`kind` of service: headless_with_selector or headless_without_selector."""
        self._programming.setdefault(kind, Histogram(PROGRAMMING)).add(seconds)

    # -- showing --------------------------------------------------------------------------------------------------------

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        self.before()
        yield from self._questions()
        yield from self._answers()
        yield from self._forwards()
        for name, value, text in (
                ("coredns_panics", self.panics, "Questions that ended in an unforeseen error."),
                ("coredns_reload_failed", self.reloads_failed, "Configurations that could not be used.")):
            yield CounterMetricFamily(name, text, value)
        yield from self._cache()
        programming = HistogramMetricFamily(
            "coredns_kubernetes_dns_programming_duration_seconds",
            "Time from a change of endpoints to the change of answers.", labels=["service_kind"])
        for kind, histogram in self._programming.items():
            programming.add_metric([kind], *histogram.buckets())
        yield programming
        yield from self.gauges()

    def _questions(self) -> Iterator[Metric]:
        family = CounterMetricFamily("coredns_dns_requests", "Questions asked.",
                                     labels=["server", "zone", "view", "proto", "family", "type"])
        for (zone, *rest), count in self._requests.items():
            family.add_metric([self.server, zone, "", *rest], count)
        yield family
        family = CounterMetricFamily("coredns_dns_do_requests", "Questions with the DO bit set.",
                                     labels=["server", "zone", "view"])
        for zone, count in self._secured.items():
            family.add_metric([self.server, zone, ""], count)
        yield family

    def _answers(self) -> Iterator[Metric]:
        family = CounterMetricFamily("coredns_dns_responses", "Answers given.",
                                     labels=["server", "zone", "view", "rcode", "plugin"])
        for (zone, *rest), count in self._responses.items():
            family.add_metric([self.server, zone, "", *rest], count)
        yield family
        durations = HistogramMetricFamily("coredns_dns_request_duration_seconds", "Time a question took.",
                                          labels=["server", "zone", "view"])
        for zone, histogram in self._durations.items():
            durations.add_metric([self.server, zone, ""], *histogram.buckets())
        yield durations
        for at, name, text in ((0, "request", "Size of questions."), (1, "response", "Size of answers.")):
            shown = HistogramMetricFamily(f"coredns_dns_{name}_size_bytes", text,
                                          labels=["server", "zone", "view", "proto"])
            for (zone, proto), pair in self._sizes.items():
                shown.add_metric([self.server, zone, "", proto], *pair[at].buckets())
            yield shown

    def _cache(self) -> Iterator[Metric]:
        common = [self.server, ".", ""]
        hits = CounterMetricFamily("coredns_cache_hits", "Questions answered from a cache.",
                                   labels=["server", "type", "zones", "view"])
        for kind in ("success", "denial"):
            hits.add_metric([self.server, kind, ".", ""], self._cached[kind])
        misses = CounterMetricFamily("coredns_cache_misses", "Questions that no cache could answer.",
                                     labels=["server", "zones", "view"])
        misses.add_metric(common, self._cached["misses"])
        requests = CounterMetricFamily("coredns_cache_requests", "Questions that a cache was asked for.",
                                       labels=["server", "zones", "view"])
        requests.add_metric(common, self._cached.total())
        yield from (hits, misses, requests)

    def _forwards(self) -> Iterator[Metric]:
        totals: Counter[str] = Counter()
        responses = CounterMetricFamily("coredns_forward_responses", "Answers of upstream servers.",
                                        labels=["to", "rcode"])
        for (server, rcode), count in self._forwarded.items():
            totals[server] += count
            responses.add_metric([server, rcode], count)
        requests = CounterMetricFamily("coredns_forward_requests", "Questions to upstream servers.", labels=["to"])
        for server, count in totals.items():
            requests.add_metric([server], count)
        times = HistogramMetricFamily("coredns_proxy_request_duration_seconds", "Time upstream servers took.",
                                      labels=["proxy_name", "to", "rcode"])
        for (server, rcode), histogram in self._forward_times.items():
            times.add_metric(["forward", server, rcode], *histogram.buckets())
        yield from (requests, responses, times)


def gauge(name: str, text: str, *rows: tuple[dict[str, str], float]) -> Metric:
    """A gauge with rows of labels and value."""
    family = GaugeMetricFamily(name, text, labels=list(rows[0][0]) if rows else [])
    for labels, value in rows:
        family.add_metric(list(labels.values()), value)
    return family

"""Counters under the names that CoreDNS gives them, so that its dashboards and alerts work.

Counting is adding to a dictionary; `exposition` renders them when they are asked for.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

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
    """Everything that is counted. `server` is the label of that name: `dns://:53`.

    requests by (zone, proto, family, type); responses by (zone, rcode, plugin); secured by zone: with the DO bit; cached by
    success, denial, misses; sizes (of question, of answer) by (zone, proto); durations by zone; forwards and
    forward_times by (server, rcode); programming by kind of service.
    """

    def __init__(self, server: str) -> None:
        self.server = server
        self.before: Callable[[], None] = lambda: None  # called before showing: adds up what is counted elsewhere
        self.panics = self.reloads_failed = 0
        self.requests: Counter[tuple[str, str, str, str]] = Counter()
        self.secured: Counter[str] = Counter()
        self.responses: Counter[tuple[str, str, str]] = Counter()
        self.cached: Counter[str] = Counter()
        self.sizes: dict[tuple[str, str], tuple[Histogram, Histogram]] = {}
        self.durations: dict[str, Histogram] = {}
        self.forwards: Counter[tuple[str, str]] = Counter()
        self.forward_times: dict[tuple[str, str], Histogram] = {}
        self.programming: dict[str, Histogram] = {}

    # -- counting -------------------------------------------------------------------------------------------------------

    def answered(self, about: About, seconds: float) -> None:
        self._count(about, 1)
        self.cached["misses" if about.plugin != "cache" else "denial" if about.rcode else "success"] += 1
        self._duration(about.zone).add(seconds)

    def repeated(self, about: object, times: int) -> None:
        """Answers out of the answer cache, which take less than the shortest bucket."""
        if times and isinstance(about, About):
            self._count(about, times)
            self.cached["denial" if about.rcode else "success"] += times
            self._duration(about.zone).add(0.00001, times)

    def _count(self, about: About, times: int) -> None:
        # Types and sizes are the askers' to choose: they are grouped here, so that nobody can make this grow.
        self.requests[about.zone, about.proto, about.family, TYPES.get(about.qtype, "other")] += times
        self.responses[about.zone, RCODES.get(about.rcode, "other"), about.plugin] += times
        self.secured[about.zone] += times * about.do
        pair = self.sizes.get((about.zone, about.proto))
        if pair is None:
            pair = self.sizes[about.zone, about.proto] = (Histogram(SIZES), Histogram(SIZES))
        pair[0].add(about.asked, times)
        pair[1].add(about.answered, times)

    def _duration(self, zone: str) -> Histogram:
        found = self.durations.get(zone)
        if found is None:
            found = self.durations[zone] = Histogram(DURATIONS)
        return found

    def forwarded(self, server: tuple[str, int], rcode: int, seconds: float) -> None:
        key = (f"{server[0]}:{server[1]}", RCODES.get(rcode, str(rcode)))
        self.forwards[key] += 1
        self.forward_times.setdefault(key, Histogram(DURATIONS)).add(seconds)

    def forward_failed(self, server: tuple[str, int], why: str) -> None:
        self.forwards[f"{server[0]}:{server[1]}", why] += 1

    def programmed(self, kind: str, seconds: float) -> None:
        """`kind` of service: headless_with_selector or headless_without_selector."""
        self.programming.setdefault(kind, Histogram(PROGRAMMING)).add(seconds)

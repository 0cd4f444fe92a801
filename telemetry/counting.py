"""What a process counts of itself. Thread-safe; nothing is imported but this, for memory counts too."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from itertools import accumulate

Labels = tuple[str, ...]
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


def doubling(first: float, count: int) -> tuple[float, ...]:
    """Bounds of which each is twice the one before."""
    return tuple(first * 2**i for i in range(count))


class Histogram:
    """Counts by upper bound, and the sum."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds, self.counts, self.sum = bounds, [0] * (len(bounds) + 1), 0.0

    def observe(self, value: float, times: int = 1) -> None:
        """Not locked: for one thread, or behind `Family.observe`."""
        self.counts[bisect_left(self.bounds, value)] += times
        self.sum += value * times

    def buckets(self) -> Iterable[tuple[float, int]]:
        """Cumulative counts by upper bound; the last is infinity."""
        return zip((*self.bounds, float("inf")), accumulate(self.counts), strict=True)


class Family:
    """One name: its values by the values of its labels. `kind`: counter, gauge, untyped or histogram.

    Where one thread alone counts it may add to `values` and observe in `histogram(…)` itself, without the lock.
    """

    def __init__(self, name: str, text: str, kind: str, labels: Labels = (), bounds: tuple[float, ...] = ()) -> None:
        self.name, self.text, self.kind, self.labels, self.bounds = name, text, kind, labels, bounds
        self.values: defaultdict[Labels, float] = defaultdict(float)
        self.histograms: dict[Labels, Histogram] = {}
        self._lock = threading.Lock()

    def add(self, *labels: str, by: float = 1) -> None:
        with self._lock:
            self.values[labels] += by

    def set(self, value: float, *labels: str) -> None:
        self.values[labels] = value

    def replace(self, values: Mapping[Labels, float]) -> None:
        """Set all values: what is not among them is no longer shown."""
        self.values = defaultdict(float, values)

    def observe(self, value: float, *labels: str, times: int = 1) -> None:
        with self._lock:
            self.histogram(*labels).observe(value, times)

    def histogram(self, *labels: str) -> Histogram:
        """The histogram of some labels, made when it is first asked for."""
        found = self.histograms.get(labels)
        if found is None:
            found = self.histograms[labels] = Histogram(self.bounds)
        return found


class Metrics:
    """The families of a process. `before` is called before they are shown, to set what is known only then."""

    def __init__(self) -> None:
        self.families: list[Family] = []
        self.before: list[Callable[[], None]] = []

    def counter(self, name: str, text: str, *labels: str) -> Family:
        """`name` ends in `_total`."""
        return self._added(Family(name, text, "counter", labels))

    def gauge(self, name: str, text: str, *labels: str) -> Family:
        return self._added(Family(name, text, "gauge", labels))

    def untyped(self, name: str, text: str, *labels: str) -> Family:
        """For a counter that Kubernetes has named without `_total`: as such, linters would complain about it."""
        return self._added(Family(name, text, "untyped", labels))

    def histogram(self, name: str, text: str, *labels: str, bounds: Iterable[float] = SECONDS) -> Family:
        return self._added(Family(name, text, "histogram", labels, tuple(bounds)))

    def _added(self, family: Family) -> Family:
        self.families.append(family)
        return family

"""What the addons' pods use: CPU and memory, now and lately.

A thread asks metrics.k8s.io every 15 s from the first look at a page on, and the monitoring addon for the last hour; it ends
when nobody has looked for ten minutes. Without monitoring the lines begin with the first look, and go back half an hour at
most.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from addons import health, status
from addons.catalogue import NAMESPACE, catalogue
from dashboard import api
from dashboard.services import Monitoring, Silent
from kube import quantity

if TYPE_CHECKING:
    from dashboard.source import Source

log = logging.getLogger(__name__)

EVERY = 15.0
POINTS = 120
RECORDED = {"metric": "cpu,memory", "namespace": NAMESPACE, "by": "workload", "top": "20", "range": "1h", "step": "60"}
UNSEEN = 600.0  # seconds without a look after which the thread ends


class Usage(NamedTuple):
    """CPU in milli-cores and memory in bytes."""

    cpu: float
    memory: float


class Point(NamedTuple):
    at: float
    usage: Usage


@dataclass
class Sampler:
    """The samples, by addon; and the newest by pod. `problem` is why there are none."""

    history: dict[str, deque[Point]] = field(default_factory=dict)
    pods: dict[str, Usage] = field(default_factory=dict)
    problem: str = ""
    _looked: float = 0.0
    _thread: threading.Thread | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def look(self) -> None:
        """Somebody looks: see that samples are taken."""
        with self._lock:
            self._looked = time.monotonic()
            if self._thread is None or not self._thread.is_alive():
                self.history.clear()
                self._thread = threading.Thread(target=self._run, name="addon-usage", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while time.monotonic() - self._looked < UNSEEN:
            try:
                self.take(api.pod_figures(NAMESPACE))
                self.problem = ""
            except (api.Unreachable, ValueError, KeyError, TypeError) as error:
                if not self.problem:
                    log.warning("no figures of the addons' pods: %s", error)
                self.problem = str(error)
            try:
                # Monitoring reads of a source only where the Service is; the dashboard's own live on its event loop.
                place = cast("Source", SimpleNamespace(cache=status.cache(), local=True, name="local"))
                self.take_recorded(asyncio.run(Monitoring(place).ask(RECORDED)))
            except (Silent, ValueError, KeyError, TypeError) as error:
                log.debug("no history of the addons' pods: %s", error)
            time.sleep(EVERY)

    def take(self, items: list[dict[str, Any]]) -> None:
        """Take over one answer of metrics.k8s.io."""
        self.pods = {
            item["metadata"]["name"]: Usage(
                sum(_value(one["usage"]["cpu"]) * 1000 for one in item["containers"]),
                sum(_value(one["usage"]["memory"]) for one in item["containers"]),
            )
            for item in items
        }
        seen, now = status.cache(), time.time()
        for name in catalogue():
            found = [
                self.pods[pod["metadata"]["name"]]
                for pod in health.of(name, seen).pods
                if pod["metadata"]["name"] in self.pods
            ]
            if found:
                total = Usage(sum(one.cpu for one in found), sum(one.memory for one in found))
                self.history.setdefault(name, deque(maxlen=POINTS)).append(Point(now, total))

    def take_recorded(self, answer: dict[str, Any]) -> None:
        """Take over one answer of monitoring: it knows more of the past than this thread."""
        seen, figures = status.cache(), answer["figures"]
        for name in catalogue():
            of = {f"{w.kind}/{w.name}" for w in health.of(name, seen).workloads}
            cpu, memory = (_added(figures[metric]["series"], of, len(answer["times"])) for metric in ("cpu", "memory"))
            points = [
                Point(at, Usage(used * 1000, held))
                for at, used, held in zip(answer["times"], cpu, memory, strict=True)
                if used is not None and held is not None
            ]
            if points:
                self.history[name] = deque(points, maxlen=POINTS)


def _added(series: list[dict[str, Any]], workloads: set[str], length: int) -> list[float | None]:
    """The sum of the series of some workloads, None where there is no figure."""
    mine = [one["values"] for one in series if one["labels"].get("workload") in workloads]
    columns = ([values[i] for values in mine if values[i] is not None] for i in range(length))
    return [sum(column) if column else None for column in columns]


def _value(text: str) -> float:
    return quantity.parse(text).nano / 1e9


sampler = Sampler()


@dataclass(frozen=True, slots=True)
class Chart:
    """A line of the newest samples, to be drawn: `line` holds "x,y" pairs in a box of 240 by 40."""

    title: str
    now: str
    most: str
    line: str
    minutes: int


def charts(name: str) -> list[Chart]:
    """CPU and memory of an addon; empty without samples."""
    points = list(sampler.history.get(name, ()))
    if not points:
        return []
    return [
        _chart("CPU", points, [p.usage.cpu for p in points], cores),
        _chart("Memory", points, [p.usage.memory for p in points], mebibytes),
    ]


def _chart(title: str, points: list[Point], values: list[float], words: Any) -> Chart:
    first, span = points[0].at, max(points[-1].at - points[0].at, 1.0)
    most = max(values) or 1.0
    pairs = [
        f"{(point.at - first) / span * 240:.1f},{38 - value / most * 36:.1f}"
        for point, value in zip(points, values, strict=True)
    ]
    if len(pairs) == 1:
        pairs.append(f"240,{pairs[0].split(',')[1]}")
    return Chart(title, words(values[-1]), words(most), " ".join(pairs), round(span / 60))


def cores(milli: float) -> str:
    return f"{milli:.0f} m" if milli >= 1 else f"{milli:.1f} m"


def mebibytes(value: float) -> str:
    return f"{value / (1 << 20):.0f} MiB"

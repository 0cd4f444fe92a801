"""What is asked for, read from the query of a URL.

metric=cpu,memory      figures: cpu (cores), memory (bytes), rx, tx (bytes/s), fs (bytes), restarts (in each step)
node= | namespace= [workload=Deployment/web | pod= [container=]]     of what; nothing: of the whole cluster
by=                    one series for each node, namespace, workload, pod or container of that
top=8                  at most so many series, those with the greatest mean; the others are added up
range=1h, or from= and to=    seconds since the epoch, or RFC 3339; to is now unless it is said
step=                  seconds; the least that is possible unless it is said
stat=avg | max         the mean of a step, or the greatest
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from kube import clock
from monitoring.history.figures import NUMBER

MAX_POINTS, MAX_SERIES, MAX_RANGE = 500, 20, 31 * 86_400
FINE = 86_400  # seconds back for which there are samples of every scrape
COARSE = 300  # seconds of a step before that
BY = ("", "node", "namespace", "workload", "pod", "container")
STATS = ("avg", "max")
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Job", "ReplicaSet", "ReplicationController")
_NAME = re.compile(r"[a-z0-9]([a-z0-9.:-]{0,251}[a-z0-9])?")
_SPAN = re.compile(r"(\d{1,7})([smhd])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_PARAMETERS = (
    "metric",
    "node",
    "namespace",
    "workload",
    "pod",
    "container",
    "by",
    "top",
    "range",
    "from",
    "to",
    "step",
    "stat",
)


class AskError(ValueError):
    """A parameter cannot be used; the text names it and says what to write."""

    def __init__(self, parameter: str, what: str) -> None:
        super().__init__(f"{parameter}: {what}")
        self.parameter = parameter


@dataclass(frozen=True, slots=True)
class Ask:
    """A question that can be answered. Times in whole seconds since the epoch, `start` and `end` multiples of `step`."""

    metrics: tuple[str, ...]
    start: int
    end: int
    step: int
    coarse: bool
    by: str = ""
    top: int = 8
    stat: str = "avg"
    node: str = ""
    namespace: str = ""
    workload: str = ""
    pod: str = ""
    container: str = ""

    @property
    def times(self) -> list[int]:
        """The ends of the steps: a value is of the step that ends there."""
        return list(range(self.start + self.step, self.end + 1, self.step))


def parse(query: Mapping[str, str], now: float, interval: int) -> Ask:
    """`interval`: seconds between scrapes. Raises AskError."""
    for name in query:
        if name not in _PARAMETERS:
            raise AskError(name[:40], f"is not known; there are {', '.join(_PARAMETERS)}")
    place = _place(query)
    by = _one_of(query, "by", BY)
    allowed = (
        ("", "container")
        if place["pod"]
        else ("", "pod")
        if place["workload"] or place["node"]
        else ("", "workload", "pod")
        if place["namespace"]
        else ("", "node", "namespace", "workload", "pod")
    )
    if by not in allowed:
        raise AskError(
            "by", f"{by!r} is not possible here; it may be {', '.join(filter(None, allowed))}, or be left out"
        )
    start, end = _window(query, now)
    # What is drawn is mostly the same a moment later: steps begin at the same times whenever one asks.
    coarse = start < now - FINE - COARSE
    least = COARSE if coarse else interval
    # Two fewer than are allowed: the first and the last step may be cut.
    wanted = max(_number(query, "step", least, 1, MAX_RANGE), least, math.ceil((end - start) / (MAX_POINTS - 2)))
    step = -(-wanted // least) * least
    metrics = tuple(dict.fromkeys(filter(None, query.get("metric", "").split(","))))
    if not metrics:
        raise AskError("metric", f"is missing; write one or several of {', '.join(NUMBER)}, with commas")
    if wrong := [name for name in metrics if name not in NUMBER]:
        raise AskError("metric", f"{wrong[0][:40]!r} is none")
    if "restarts" in metrics and (place["node"] or by == "node"):
        raise AskError("metric", "restarts are of pods, not of nodes: leave it out, or ask for a namespace")
    return Ask(
        metrics,
        start // step * step,
        -(-end // step) * step,
        step,
        coarse,
        by,
        _number(query, "top", 8, 1, MAX_SERIES),
        _one_of(query, "stat", STATS, "avg"),
        **place,
    )


def _place(query: Mapping[str, str]) -> dict[str, str]:
    """Of what: node, namespace, workload, pod and container, as far as they go together."""
    place = {name: query.get(name, "") for name in ("node", "namespace", "pod", "container")}
    for name, text in place.items():
        if text and not _NAME.fullmatch(text):
            raise AskError(name, f"{text[:40]!r} is no name of a {name}")
    place["workload"] = workload = query.get("workload", "")
    kind, _, of_kind = workload.partition("/")
    if workload and not (kind in WORKLOADS and _NAME.fullmatch(of_kind)):
        raise AskError(
            "workload", f"{workload[:60]!r} is none: write <kind>/<name>, the kind one of {', '.join(WORKLOADS)}"
        )
    if place["node"] and any(place[name] for name in ("namespace", "workload", "pod", "container")):
        raise AskError("node", "goes with none of namespace, workload, pod, container: ask for one or the other")
    for name, needed in (("workload", "namespace"), ("pod", "namespace"), ("container", "pod")):
        if place[name] and not place[needed]:
            raise AskError(needed, f"is missing: a {name} has one")
    if place["workload"] and place["pod"]:
        raise AskError("workload", "goes not with pod: a pod alone is enough")
    return place


def _window(query: Mapping[str, str], now: float) -> tuple[int, int]:
    end = _time(query, "to", now)
    if "range" in query and "from" in query:
        raise AskError("range", "goes not with from: write one of them")
    if "range" in query:
        span = _SPAN.fullmatch(query["range"])
        if span is None:
            raise AskError(
                "range",
                f"{query['range'][:20]!r} is no span: write a number and s, m, h or d, as in 15m, 6h or 30d",
            )
        start = end - int(span[1]) * _UNITS[span[2]]
    elif "from" in query:
        start = _time(query, "from", 0)
    else:
        raise AskError("range", "is missing; write how far back, as in 15m, 6h or 30d, or from and to")
    if end - start < 1:
        raise AskError("from", "is not before to")
    if end - start > MAX_RANGE:
        raise AskError("range" if "range" in query else "from", f"is longer than {MAX_RANGE // 86_400} days")
    return start, end


def _time(query: Mapping[str, str], parameter: str, default: float) -> int:
    text = query.get(parameter)
    if text is None:
        return int(default)
    try:
        found = float(text) if re.fullmatch(r"\d{1,11}(\.\d+)?", text) else clock.parse(text)
    except (ValueError, OverflowError):
        raise AskError(parameter, f"{text[:40]!r} is no time: write seconds since the epoch, or RFC 3339") from None
    return int(found)


def _number(query: Mapping[str, str], parameter: str, default: int, least: int, most: int) -> int:
    text = query.get(parameter, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
        raise AskError(parameter, f"{text[:20]!r} cannot be: a number from {least} to {most}")
    return int(text)


def _one_of(query: Mapping[str, str], parameter: str, allowed: tuple[str, ...], default: str = "") -> str:
    text = query.get(parameter) or default
    if text not in allowed:
        raise AskError(parameter, f"{text[:20]!r} cannot be; it may be {', '.join(filter(None, allowed))}")
    return text

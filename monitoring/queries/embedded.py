"""Answers from our own history."""

from __future__ import annotations

from collections import defaultdict

from kube.objects import Json
from monitoring.history.entities import CONTAINER, NAMESPACE, NODE, POD, WORKLOAD, Entity
from monitoring.history.figures import CPU, MEMORY, NUMBER, RESTARTS
from monitoring.history.history import History
from monitoring.queries.answer import Labels, document, figure
from monitoring.queries.ask import COARSE, Ask, AskError
from monitoring.queries.grid import Series, added

MOST = 6_000_000  # samples that one question may read: some seconds of work
OF_CONTAINERS = (CPU, MEMORY, RESTARTS)
Groups = dict[Labels, list[int]]


class Embedded:
    """Blocking: call it in a thread."""

    name = "embedded"

    def __init__(self, history: History, interval: int) -> None:
        self._history, self._interval = history, interval

    def answer(self, ask: Ask) -> Json:
        """Raises AskError when that is too much at once."""
        figures = {metric: self._figure(ask, metric) for metric in ask.metrics}
        return document(ask, figures, self.name, self._interval, self._history.newest / 1000)

    def _figure(self, ask: Ask, metric: str) -> Json:
        number = NUMBER[metric]
        whole, parts = self._whole(ask, number), self._parts(ask, number) if ask.by else {}
        wanted = {n for group in (whole, *parts.values()) for n in group}
        samples = len(wanted) * (ask.end - ask.start) // (COARSE if ask.coarse else self._interval)
        if samples > MOST:
            raise AskError(
                "range",
                f"{len(wanted)} series of that length are too many at once: write a shorter range, "
                "a narrower namespace or workload, or another by",
            )
        start, end, greatest, count = ask.start * 1000, ask.end * 1000, ask.stat == "max", len(ask.times)
        series = {n: Series(number, start, ask.step * 1000, count, greatest, ask.coarse) for n in wanted}
        # A little earlier: what a counter grew by needs the sample before.
        found = (
            self._history.rolled(series, (number,), start, end, greatest)
            if ask.coarse
            else self._history.samples(series, (number,), start - 60_000, end)
        )
        for n, pieces in found:
            if number in pieces:
                series[n].add(*pieces[number])
        lines = {n: one.values() for n, one in series.items()}
        return figure(
            ask,
            metric,
            added((lines[n] for n in whole), count),
            {labels: added((lines[n] for n in group), count) for labels, group in parts.items()},
        )

    def _find(self, ask: Ask, kind: str, **fields: str) -> list[tuple[int, Entity]]:
        return self._history.entities(ask.start * 1000, kind=kind, **{k: v for k, v in fields.items() if v})

    def _whole(self, ask: Ask, number: int) -> list[int]:
        if ask.pod:
            kind = CONTAINER if number in OF_CONTAINERS or ask.container else POD
            found = self._find(ask, kind, namespace=ask.namespace, pod=ask.pod, container=ask.container)
        elif ask.workload:
            found = self._find(ask, WORKLOAD, namespace=ask.namespace, workload=ask.workload)
        elif ask.namespace:
            found = self._find(ask, NAMESPACE, namespace=ask.namespace)
        elif number == RESTARTS:
            found = self._find(ask, NAMESPACE)
        else:
            found = self._find(ask, NODE, node=ask.node)
        return [n for n, _ in found]

    def _parts(self, ask: Ask, number: int) -> Groups:
        groups: Groups = defaultdict(list)
        place = {"node": ask.node, "namespace": ask.namespace, "workload": ask.workload, "pod": ask.pod}
        if ask.by in ("pod", "container"):
            kind = CONTAINER if number in OF_CONTAINERS or ask.by == "container" else POD
        else:
            kind = {"node": NODE, "namespace": NAMESPACE, "workload": WORKLOAD}[ask.by]
        names = {"pod": ("namespace", "pod"), "workload": ("namespace", "workload")}.get(ask.by, (ask.by,))
        for n, entity in self._find(ask, kind, **place):
            groups[tuple((name, getattr(entity, name)) for name in names)].append(n)
        return groups

"""What namespaces and workloads use together, added up while their pods are measured.

So a chart of a namespace reads one series, not thousands, and a pod that is gone has still done its part. What grows is
carried on: the sum of what each pod's counters grew by, since this process began. A sum is as old as its parts on average:
kubelets measure at times of their own, and as of the scrape it would grow by two of their samples now and by one then.
"""

from __future__ import annotations

from collections import defaultdict
from statistics import fmean

from monitoring.history.entities import CONTAINER, NAMESPACE, WORKLOAD, Entity
from monitoring.history.figures import COUNTERS, FS, MISSING, NOTHING
from monitoring.history.head import Sample

FRESH = 60_000  # milliseconds that a reading counts for, when the next does not come


class Totals:
    """Fed with every sample of a container or pod."""

    def __init__(self) -> None:
        self._last: dict[Entity, tuple[Sample, tuple[Entity, ...]]] = {}
        self._grown: dict[Entity, list[int]] = {}
        self._times: defaultdict[Entity, list[int]] = defaultdict(list)  # of this round's samples

    def take(self, entity: Entity, sample: Sample) -> None:
        """A newer sample of a container or pod."""
        known = self._last.get(entity)
        if known is not None:
            before, wholes = known
        else:
            before, wholes = None, (Entity(NAMESPACE, namespace=entity.namespace),)
            if entity.workload:
                wholes = (*wholes, Entity(WORKLOAD, namespace=entity.namespace, workload=entity.workload))
        self._last[entity] = sample, wholes
        for whole in wholes:
            self._times[whole].append(sample.at)
            grown = self._grown.setdefault(whole, [0] * len(NOTHING))
            if before is None:
                continue
            for place, counter in enumerate(COUNTERS):
                new, old = sample.values[place], before.values[place]
                if counter and new != MISSING and old != MISSING:
                    grown[place] += new - old if new >= old else new

    def now(self, at: int) -> dict[Entity, tuple[int, list[int]]]:
        """Time and values of every namespace and workload of which something was taken since the last call.

        What is fresh at `at` (milliseconds) counts, though its node should be silent now.
        """
        for entity in [e for e, (sample, _) in self._last.items() if at - sample.at > FRESH]:
            del self._last[entity]
        times, self._times = self._times, defaultdict(list)
        found: dict[Entity, list[int]] = {}
        for entity, (sample, wholes) in self._last.items():
            for whole in wholes:
                if whole not in times:
                    continue
                values = found.setdefault(whole, list(NOTHING))
                for place, value in enumerate(sample.values):
                    # What a pod has on the disk is told of the pod; its containers' parts are in it.
                    if value == MISSING or (place == FS and entity.kind == CONTAINER):
                        continue
                    if COUNTERS[place]:
                        values[place] = self._grown[whole][place]
                    else:
                        values[place] = value if values[place] == MISSING else values[place] + value
        alive = {whole for _, wholes in self._last.values() for whole in wholes}
        self._grown = {whole: grown for whole, grown in self._grown.items() if whole in alive}
        return {whole: (round(fmean(times[whole])), values) for whole, values in found.items()}

"""Which pods go first when there are too many of them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

from controllers.pods import PodView
from kube import clock

COST = "controller.kubernetes.io/pod-deletion-cost"
_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}


def doomed(pods: Iterable[PodView], related: Iterable[PodView], count: int, now: float) -> list[PodView]:
    """The `count` pods to delete: not bound, not running, not ready, cheap, crowded, young ones first.

    `related` are all active pods of the same application: a pod on a node with many of them goes before one alone.
    """
    pods = list(pods)
    if count >= len(pods):
        return pods
    crowd = Counter(pod.spec.nodeName for pod in related)
    return sorted(pods, key=lambda pod: _rank(pod, crowd[pod.spec.nodeName], now))[:count]


def _rank(pod: PodView, crowd: int, now: float) -> tuple[float | str, ...]:
    ready = pod.condition("Ready")
    since = clock.parse(ready.lastTransitionTime) if ready and ready.lastTransitionTime else now
    created = clock.parse(pod.metadata.creationTimestamp) if pod.metadata.creationTimestamp else now
    return (
        bool(pod.spec.nodeName),
        _PHASES.get(pod.phase, 0),
        pod.ready,
        deletion_cost(pod),
        -crowd,
        _magnitude(now - since) if pod.ready else 0,
        -pod.restarts,
        _magnitude(now - created),
        pod.metadata.uid,
    )


def deletion_cost(pod: PodView) -> int:
    """The user's wish which pods to keep: higher stays longer. Anything but an int32 counts as 0."""
    text = pod.metadata.annotations.get(COST, "0")
    try:
        cost = int(text)
    except ValueError:
        return 0
    return cost if -(2**31) <= cost < 2**31 else 0


def _magnitude(age: float) -> int:
    """Ages count by their order of magnitude, so that among pods of about one age none is systematically preferred."""
    return int(math.log2(age)) if age >= 1 else 0

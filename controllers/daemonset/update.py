"""Which daemon pods a rolling update replaces now, and the counters of the status. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from controllers.daemonset.placement import GENERATION, GENERATION_LABEL, Fit, hash_label
from controllers.pods import PodView
from kube.objects import Json
from kube.quantity import share


class Rolling(NamedTuple):
    """Limits of a rolling update, in nodes."""

    surge: int
    unavailable: int


def limits(ds: Json, desired: int) -> Rolling | None:
    """The limits for `desired` nodes, None with OnDelete. At least one of them is above zero."""
    strategy = ds["spec"].get("updateStrategy") or {}
    if strategy.get("type", "RollingUpdate") != "RollingUpdate":
        return None
    rolling = strategy.get("rollingUpdate") or {}
    surge = share(rolling.get("maxSurge", 0), desired)
    unavailable = share(rolling.get("maxUnavailable", 1), desired)
    return Rolling(surge, unavailable if surge or unavailable else 1)


class Look(NamedTuple):
    """What the functions here look at. `current`: hash of the template; `fits` and `pods` by node name."""

    ds: Json
    current: str
    fits: dict[str, Fit]
    pods: dict[str, list[PodView]]
    now: float

    @property
    def desired(self) -> int:
        return sum(suits.run for suits in self.fits.values())

    def updated(self, pod: PodView) -> bool:
        generation = (self.ds["metadata"].get("annotations") or {}).get(GENERATION)
        same = generation is not None and pod.metadata.labels.get(GENERATION_LABEL) == generation
        return same or hash_label(pod) == self.current

    def available(self, pod: PodView) -> bool:
        return not pod.terminating and pod.available_in(self.ds["spec"].get("minReadySeconds", 0), self.now) == 0

    def pair(self, pods: Sequence[PodView]) -> tuple[PodView | None, PodView | None]:
        """The pod of the new and the pod of an old template on a node."""
        new = next((pod for pod in pods if self.updated(pod)), None)
        old = next((pod for pod in pods if not self.updated(pod)), None)
        return new, old


def replacements(look: Look, rolling: Rolling) -> tuple[list[str], list[PodView]]:
    """(nodes that get a second, new pod, old pods to delete)."""
    return _by_surge(look, rolling.surge) if rolling.surge else ([], _by_deletion(look, rolling.unavailable))


def _by_deletion(look: Look, unavailable: int) -> list[PodView]:
    """Old pods that are down anyway go at once; of the others as many as may be down beside those that are."""
    broken, candidates, down = [], [], 0
    for node, suits in look.fits.items():
        if not suits.run:
            continue
        new, old = look.pair(look.pods.get(node, ()))
        if new is not None or old is None:
            down += old is not None or new is None or not look.available(new)
        elif not look.available(old):
            down += 1
            if not old.terminating:
                broken.append(old)
        else:
            candidates.append(old)
    return broken + candidates[: max(unavailable - down, 0)]


def _by_surge(look: Look, surge: int) -> tuple[list[str], list[PodView]]:
    """A new pod beside the old one; when it is available, the old one goes."""
    nodes: list[str] = []
    candidates: list[str] = []
    delete, busy = [], 0
    for node, suits in look.fits.items():
        if not suits.run:
            continue
        new, old = look.pair(look.pods.get(node, ()))
        if old is None:
            continue
        if new is None:
            (candidates if look.available(old) else nodes).append(node)
        elif look.available(new):
            if not old.terminating:
                delete.append(old)
        else:
            busy += 1
    return nodes + candidates[: max(surge - busy - len(nodes), 0)], delete


def status(look: Look, collisions: int) -> Json:
    """The counters of the status."""
    current = missed = ready = available = updated = 0
    for node, suits in look.fits.items():
        present = look.pods.get(node, ())
        if not suits.run:
            missed += bool(present)
        elif present:
            current += 1
            pod = next((p for p in present if look.updated(p)), present[0])
            ready += any(p.ready for p in present)
            available += any(look.available(p) for p in present)
            updated += look.updated(pod)
    new: Json = {
        "currentNumberScheduled": current,
        "numberMisscheduled": missed,
        "desiredNumberScheduled": look.desired,
        "numberReady": ready,
        "observedGeneration": look.ds["metadata"].get("generation", 0),
    }
    extra = {
        "updatedNumberScheduled": updated,
        "numberAvailable": available,
        "numberUnavailable": look.desired - available,
    }
    new.update({name: value for name, value in extra.items() if value})
    old = look.ds.get("status") or {}
    if collisions or old.get("collisionCount") is not None:
        new["collisionCount"] = collisions
    if old.get("conditions"):
        new["conditions"] = old["conditions"]
    return new

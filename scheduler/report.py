"""What the scheduler writes beside bindings: conditions and events of pods that wait, and the end of preempted pods."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from cluster.cache import Cache
from cluster.events import Recorder
from cluster.store import Key
from kube import conditions
from kube.errors import ApiError, NotFound
from kube.objects import Json
from scheduler import messages
from scheduler.pods import PodInfo

log = logging.getLogger(__name__)


PREEMPTED = "preempting to accommodate a higher priority pod"


class Reporter:
    """Collects reports during a round; `flush` writes the changed conditions in one commit. Others cost nothing."""

    def __init__(self, session: Any, cache: Cache, recorder: Recorder) -> None:
        self._session, self._cache, self._recorder = session, cache, recorder
        self._waiting: list[tuple[PodInfo, str, str, str]] = []

    def refused(self, pod: PodInfo, message: str, nominated: str) -> None:
        """The pod fits nowhere; `nominated` is the node that preemption makes room on, if any."""
        if pod.condition != ("Unschedulable", message):
            self._recorder.event(self._session, _reference(pod), "Warning", "FailedScheduling", message)
        if pod.condition != ("Unschedulable", message) or nominated:
            self._waiting.append((pod, "Unschedulable", message, nominated))

    def gated(self, pods: Iterable[PodInfo]) -> None:
        """The pods' gates are not lifted yet."""
        self._waiting += [
            (pod, "SchedulingGated", messages.GATED, "")
            for pod in pods
            if pod.condition != ("SchedulingGated", messages.GATED)
        ]

    def preempted(self, victim: PodInfo, winner: PodInfo, node: str) -> None:
        """Mark the victim as disrupted and delete it. One that is gone already is fine."""
        try:
            self._session.mutate("pods", victim.namespace, victim.name, lambda obj: _disrupt(obj), subresource="status")
            self._session.delete("pods", victim.namespace, victim.name, {"preconditions": {"uid": victim.uid}})
        except ApiError as error:
            if error.code not in (404, 409):
                raise
            log.info("%s/%s was not preempted: %s", victim.namespace, victim.name, error)
            return
        self._recorder.event(
            self._session, _reference(victim), "Normal", "Preempted", f"Preempted by pod {winner.uid} on node {node}"
        )

    def flush(self) -> None:
        """Write the collected conditions; a pod that changed meanwhile is written again on its own."""
        waiting, self._waiting = self._waiting, []
        updates = []
        for pod, reason, message, nominated in waiting:
            entry = self._cache.get(Key("pods", *pod.key))
            if entry is None or entry.meta.uid != pod.uid or entry.node:
                continue
            pod.condition = (reason, message)
            updates.append((pod, _wait(entry.object(), reason, message, nominated), reason, message, nominated))
        if not updates:
            return
        results = self._session.update_many([("pods", u[0].namespace, u[1]) for u in updates], subresource="status")
        for (pod, _, reason, message, nominated), result in zip(updates, results, strict=True):
            if isinstance(result, ApiError):
                if result.code != 409:
                    log.info("condition of %s/%s not written: %s", pod.namespace, pod.name, result)
                    continue
                self._again(pod, reason, message, nominated)

    def _again(self, pod: PodInfo, reason: str, message: str, nominated: str) -> None:
        try:
            self._session.mutate(
                "pods",
                pod.namespace,
                pod.name,
                lambda obj: _wait(obj, reason, message, nominated),
                subresource="status",
            )
        except NotFound:
            log.debug("%s/%s is gone", pod.namespace, pod.name)


def _reference(pod: PodInfo) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"namespace": pod.namespace, "name": pod.name, "uid": pod.uid},
    }


def _wait(obj: Json, reason: str, message: str, nominated: str) -> Json:
    """The pod with PodScheduled=False; a pod that got a node meanwhile stays as it is."""
    if (obj.get("spec") or {}).get("nodeName"):
        return obj
    status = obj.setdefault("status", {})
    if nominated:
        status["nominatedNodeName"] = nominated
    conditions.update(
        status, {"lastProbeTime": None, "type": "PodScheduled", "status": "False", "reason": reason, "message": message}
    )
    return obj


def _disrupt(obj: Json) -> Json:
    conditions.update(
        obj.setdefault("status", {}),
        {
            "lastProbeTime": None,
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "PreemptionByScheduler",
            "message": f"{obj['spec'].get('schedulerName', '')}: {PREEMPTED}",
        },
    )
    return obj

"""Looks at each HorizontalPodAutoscaler every 15 s: metrics, recommendation, limits, scale."""

from __future__ import annotations

from dataclasses import dataclass, field

import environment
from cluster.cache import Entry
from cluster.events import Recorder
from cluster.store import Key
from controllers import pods
from controllers.autoscaler import metrics, replicas, speed
from controllers.autoscaler.metrics import Unavailable
from controllers.runtime import Context, Controller, Result, Watch, own_key, split_key
from controllers.writes import change
from kube import clock, conditions, selectors
from kube.errors import ApiError
from kube.objects import Json
from kube.pods import podutil
from kube.pods.resources import requests
from kube.quantity import NANO
from kube.registry import Kind
from kube.resourcelist import MILLI, nano

STORAGE = "horizontalpodautoscalers.autoscaling"
SOURCES = {
    "Resource": "FailedGetResourceMetric",
    "ContainerResource": "FailedGetContainerResourceMetric",
    "Pods": "FailedGetPodsMetric",
    "Object": "FailedGetObjectMetric",
    "External": "FailedGetExternalMetric",
}


@dataclass
class _Look:
    """One look at one autoscaler: the objects, and the status that is being made."""

    ctx: Context
    hpa: Json
    kind: Kind
    scale: Entry
    status: Json
    failures: list[str] = field(default_factory=list)

    @property
    def current(self) -> int:
        return int((self.scale.object().get("spec") or {}).get("replicas", 1))

    def condition(self, type: str, value: bool, reason: str, message: str) -> None:
        new = {"type": type, "status": "True" if value else "False", "reason": reason, "message": message}
        conditions.update(self.status, new, self.ctx.now())


class HorizontalPodAutoscalerController(Controller):
    """Key: an autoscaler. What was recommended before is in memory and starts anew with the process."""

    name = "horizontalpodautoscaler"
    user = "system:serviceaccount:kube-system:horizontal-pod-autoscaler"
    watches = (
        Watch(
            STORAGE,
            own_key,
            lambda event: (
                event.type != "MODIFIED"
                or event.previous is None
                or event.previous.meta.generation != event.entry.meta.generation
            ),
        ),
    )

    def __init__(self) -> None:
        self._recorder = Recorder("horizontal-pod-autoscaler")
        self._past: dict[str, speed.Past] = {}

    def reconcile(self, key: str, ctx: Context) -> Result:
        entry = ctx.cache.get(Key(STORAGE, *split_key(key)))
        if entry is None or entry.meta.deletionTimestamp:
            self._past.pop(key, None)
            return None
        # The first look comes a period after the creation: the workload it was made with should run by then.
        wait = (
            clock.parse(entry.meta.creationTimestamp or clock.now()) + environment.AUTOSCALER_PERIOD.get() - ctx.now()
        )
        if wait > 0:
            return wait
        self._look(key, entry.object(), ctx)
        return environment.AUTOSCALER_PERIOD.get()

    def _look(self, key: str, hpa: Json, ctx: Context) -> None:
        status = dict(hpa.get("status") or {})
        target = hpa["spec"]["scaleTargetRef"]
        kind = ctx.session.registry.by_gvk(target.get("apiVersion", ""), target["kind"])
        scale = ctx.cache.get(Key(kind.storage, hpa["metadata"]["namespace"], target["name"])) if kind else None
        if kind is None or scale is None:
            plural = f"{kind.plural}.{kind.group}" if kind else target["kind"]
            missing = f'{plural} "{target["name"]}" not found'
            failed = {
                "type": "AbleToScale",
                "status": "False",
                "reason": "FailedGetScale",
                "message": f"the HPA controller was unable to get the target's current scale: {missing}",
            }
            conditions.update(status, failed, ctx.now())
            self._tell(ctx, hpa, "FailedGetScale", missing)
            self._write(ctx, hpa, status)
            return
        look = _Look(ctx, hpa, kind, scale, status)
        look.condition(
            "AbleToScale", True, "SucceededGetScale", "the HPA controller was able to get the target's current scale"
        )
        status["currentReplicas"] = look.current
        status.setdefault("desiredReplicas", 0)
        self._scale(key, look)
        self._write(ctx, hpa, status)

    def _scale(self, key: str, look: _Look) -> None:
        """Decide and, where needed, change the replicas of the target."""
        spec, current = look.hpa["spec"], look.current
        past = self._past.setdefault(key, speed.Past(look.ctx.now(), current))
        lowest, highest = spec.get("minReplicas", 1), spec["maxReplicas"]
        if current == 0 and lowest != 0:
            look.condition(
                "ScalingActive",
                False,
                "ScalingDisabled",
                "scaling is disabled since the replica count of the target is zero",
            )
            look.status["desiredReplicas"] = 0
            return
        if current > highest or current < lowest:
            wanted, reason = (
                (highest, "Current number of replicas above Spec.MaxReplicas")
                if current > highest
                else (lowest, "Current number of replicas below Spec.MinReplicas")
            )
        else:
            found = self._recommend(look)
            if found is None:
                return
            wanted, reason = found
            now, behavior = look.ctx.now(), spec.get("behavior")
            steady, said = speed.stabilized(wanted, current, past, now, behavior)
            look.condition("AbleToScale", True, *said)
            past.recommended.append((now, wanted))
            wanted, said = speed.limited(steady, current, lowest, highest, past, now, behavior)
            look.condition("ScalingLimited", wanted != steady, *said)
        look.status["desiredReplicas"] = wanted
        if wanted != current and self._rescale(look, wanted, reason):
            past.changed.append((look.ctx.now(), wanted - current))

    def _recommend(self, look: _Look) -> tuple[int, str] | None:
        """(highest recommendation of all metrics, reason); None when it cannot be trusted."""
        found: list[tuple[int, str]] = []
        statuses = []
        specs = look.hpa["spec"].get("metrics") or []
        reason = ""
        for metric in specs:
            try:
                wanted, status, name = self._one(look, metric)
            except Unavailable as error:
                reason = reason or SOURCES.get(metric["type"], "InvalidMetricSourceType")
                look.failures.append(str(error))
                self._tell(look.ctx, look.hpa, SOURCES.get(metric["type"], "InvalidMetricSourceType"), str(error))
                continue
            found.append((wanted, f"{name} above target" if wanted > look.current else "All metrics below target"))
            statuses.append(status)
        if statuses:
            look.status["currentMetrics"] = statuses
        if look.failures and (not found or max(found)[0] < look.current):
            first = look.failures[0]
            look.condition("ScalingActive", False, reason, f"the HPA was unable to compute the replica count: {first}")
            of = "cpu resource metric value: " if reason == "FailedGetResourceMetric" and "cpu" in first else ""
            self._tell(
                look.ctx,
                look.hpa,
                "FailedComputeMetricsReplicas",
                f"invalid metrics ({len(look.failures)} invalid out of {len(specs)}), first error is: failed to get "
                f"{of}{first}",
            )
            return None
        best = max(found, default=(look.current, ""))
        look.condition(
            "ScalingActive", True, "ValidMetricFound", "the HPA was able to successfully calculate a replica count"
        )
        return best

    def _one(self, look: _Look, metric: Json) -> tuple[int, Json, str]:
        """(replicas, status, description) by one metric. Raises Unavailable."""
        source = metric.get("resource") or metric.get("containerResource")
        if source is None:
            raise Unavailable(f"unable to get {metric['type'].lower()} metric: no custom metrics API is registered")
        resource, target, container = source["name"], source["target"], source.get("container", "")
        near = replicas.tolerance(look.hpa["spec"].get("behavior"))
        try:
            load = self._load(look, resource, container, asking=target["type"] == "Utilization")
        except Unavailable as error:
            what = f"{resource} utilization" if target["type"] == "Utilization" else f"{resource} usage"
            raise Unavailable(
                f"failed to get {what}: unable to get metrics for resource {resource}: {error}"
            ) from error
        if target["type"] == "Utilization":
            wanted, percent = replicas.by_utilization(load, target["averageUtilization"], look.current, near)
            now: Json = {"averageUtilization": percent}
            name = f"{resource} resource utilization (percentage of request)"
        else:
            wanted, now, name = look.current, {}, f"{resource} resource"
        ready = [amount for pod, amount in load.use.items() if pod not in load.unready]
        average = sum(ready) // len(ready) if ready else 0
        if target["type"] == "AverageValue":
            wanted, average = replicas.by_value(
                load, _amount(resource, nano(target["averageValue"])), look.current, near
            )
        now["averageValue"] = f"{average}m" if resource == "cpu" else str(average)
        field_name = "resource" if metric.get("resource") else "containerResource"
        entry = {"name": resource, "current": now, **({"container": container} if container else {})}
        return wanted, {"type": metric["type"], field_name: entry}, name

    @staticmethod
    def _load(look: _Look, resource: str, container: str, asking: bool) -> replicas.Load:
        """`asking`: the target is relative to what the pods request, so each has to."""
        namespace = look.hpa["metadata"]["namespace"]
        wanted = (look.scale.object().get("spec") or {}).get("selector")
        plain = look.kind.storage == "replicationcontrollers"
        selector = selectors.from_map(wanted) if plain else selectors.from_object(wanted)
        use = metrics.pod_usage(look.ctx.cache, namespace, str(selector), resource, container)
        entries = [
            e
            for e in look.ctx.cache.select("pods", namespace, selector.matches)
            if not e.meta.deletionTimestamp and pods.view(e).phase != "Failed"
        ]
        ask = {e.key.name: _asked(e, resource, container) if asking else 0 for e in entries}
        unready = frozenset(e.key.name for e in entries if not pods.view(e).ready and resource == "cpu")
        known = {name: amount for name, amount in use.items() if name in ask}
        missing = frozenset(ask.keys() - known.keys() - unready)
        return replicas.Load(known, ask, unready, missing)

    def _rescale(self, look: _Look, wanted: int, reason: str) -> bool:
        """Write the new size; whether that was possible."""
        meta, target = look.hpa["metadata"], look.hpa["spec"]["scaleTargetRef"]
        try:
            look.ctx.session.mutate(
                look.kind.storage, meta["namespace"], target["name"], lambda obj: obj["spec"].update(replicas=wanted)
            )
        except ApiError as error:
            look.condition(
                "AbleToScale",
                False,
                "FailedUpdateScale",
                f"the HPA controller was unable to update the target scale: {error}",
            )
            self._tell(look.ctx, look.hpa, "FailedRescale", f"New size: {wanted}; reason: {reason}; error: {error}")
            return False
        look.status["lastScaleTime"] = clock.stamp(look.ctx.now())
        look.condition(
            "AbleToScale",
            True,
            "SucceededRescale",
            f"the HPA controller was able to update the target scale to {wanted}",
        )
        self._tell(look.ctx, look.hpa, "SuccessfulRescale", f"New size: {wanted}; reason: {reason}", "Normal")
        return True

    def _tell(self, ctx: Context, hpa: Json, reason: str, message: str, type: str = "Warning") -> None:
        about = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", **hpa}
        self._recorder.event(ctx.session, about, type, reason, message)

    @staticmethod
    def _write(ctx: Context, hpa: Json, status: Json) -> None:
        meta = hpa["metadata"]
        status["observedGeneration"] = meta.get("generation", 1)
        if status != hpa.get("status"):  # whatever else was changed: it says when the workload was scaled
            key = Key(STORAGE, meta["namespace"], meta["name"])
            change(ctx, key, meta["uid"], lambda obj: obj.update(status=status), "status")


def _amount(resource: str, billionths: int) -> int:
    """Milli-cores or bytes, rounded up."""
    return -(-billionths // (MILLI if resource == "cpu" else NANO))


def _asked(entry: Entry, resource: str, container: str) -> int:
    """What the pod (or one of its containers) requests. Raises Unavailable for one that requests nothing."""
    spec, name = entry.object().get("spec") or {}, entry.key.name
    if not container and (spec.get("resources") or {}).get("requests"):
        total = requests(spec, nano).get(resource)
        if total is None:
            raise Unavailable(f"missing pod-level request for {resource} in Pod {name}")
    else:
        total = 0
        for one in podutil.lasting(spec):
            if container and one["name"] != container:
                continue
            value = ((one.get("resources") or {}).get("requests") or {}).get(resource)
            if value is None:
                raise Unavailable(f"missing request for {resource} in container {one['name']} of Pod {name}")
            total += nano(value)
    return _amount(resource, total)

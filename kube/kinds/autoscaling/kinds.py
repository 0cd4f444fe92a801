"""HorizontalPodAutoscaler in both versions: defaults and printer columns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kube import columns as c
from kube import quantity
from kube.errors import FieldError
from kube.kinds.autoscaling.convert import from_v1, to_v1
from kube.kinds.autoscaling.validate import SOURCES, check_spec, check_status
from kube.objectmeta import ObjectStrategy
from kube.objects import Json
from kube.registry import Context, Kind, identity

CPU_80 = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}
SCALE_UP = ({"type": "Pods", "value": 4, "periodSeconds": 15}, {"type": "Percent", "value": 100, "periodSeconds": 15})
SCALE_DOWN = ({"type": "Percent", "value": 100, "periodSeconds": 15},)
MAX_TARGETS = 2


class HorizontalPodAutoscalerStrategy(ObjectStrategy):
    status = True

    def default(self, obj: Json) -> None:
        spec = obj.setdefault("spec", {})
        spec.setdefault("minReplicas", 1)
        if not spec.get("metrics"):
            spec["metrics"] = [_copy(CPU_80)]
        for metric in spec["metrics"]:
            source = metric.get(SOURCES.get(metric.get("type", ""), "")) or {}
            target = source.get("target") or {}
            for name in ("value", "averageValue"):
                if target.get(name) is not None:
                    target[name] = quantity.canonical(target[name])
        if (behavior := spec.get("behavior")) is not None:
            up = behavior.setdefault("scaleUp", {})
            up.setdefault("stabilizationWindowSeconds", 0)
            _default_rules(up, SCALE_UP)
            _default_rules(behavior.setdefault("scaleDown", {}), SCALE_DOWN)

    def validate(self, obj: Json, ctx: Context) -> list[FieldError]:
        return super().validate(obj, ctx) + check_spec(obj["spec"], {})

    def check_change(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        return check_spec(obj["spec"], old.get("spec") or {})

    def check_status(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        return check_status(obj.get("status") or {})


def _copy(value: Json) -> Json:
    return {key: _copy(item) if isinstance(item, dict) else item for key, item in value.items()}


def _default_rules(rules: Json, policies: tuple[Json, ...]) -> None:
    if rules.get("tolerance") is not None:
        rules["tolerance"] = quantity.canonical(rules["tolerance"])
    rules.setdefault("selectPolicy", "Max")
    if not rules.get("policies"):
        rules["policies"] = [dict(policy) for policy in policies]


def _as_v2(obj: Json) -> Json:
    return from_v1(_copy(obj)) if obj.get("apiVersion") == "autoscaling/v1" else obj


def cells(obj: Json, now: float) -> list[Any]:
    spec = _as_v2(obj).get("spec") or {}
    status = _as_v2(obj).get("status") or {}
    target = spec.get("scaleTargetRef") or {}
    least = spec.get("minReplicas")
    return [
        obj["metadata"]["name"],
        f"{target.get('kind', '')}/{target.get('name', '')}",
        _targets(spec.get("metrics") or [], status.get("currentMetrics") or []),
        c.UNSET if least is None else str(least),
        spec.get("maxReplicas") or 0,
        status.get("currentReplicas") or 0,
        c.age(obj, now),
    ]


def _targets(metrics: list[Json], current: list[Json]) -> str:
    """`cpu: 20%/80%, memory: <unknown>/1Gi`: what is measured over what is wanted."""
    if not metrics:
        return c.NONE
    texts = [_target(metric, current[i] if i < len(current) else {}) for i, metric in enumerate(metrics)]
    shown = ", ".join(texts[:MAX_TARGETS])
    return f"{shown} + {len(texts) - MAX_TARGETS} more..." if len(texts) > MAX_TARGETS else shown


def _target(metric: Json, current: Json) -> str:
    kind = metric.get("type", "")
    if kind not in SOURCES:
        return "<unknown type>"
    source, now = metric.get(SOURCES[kind]) or {}, (current.get(SOURCES[kind]) or {}).get("current") or {}
    target, of_resource = source.get("target") or {}, kind in ("Resource", "ContainerResource")
    if target.get("averageValue") is not None:
        average = "" if of_resource else " (avg)"
        text = f"{now.get('averageValue') or c.UNKNOWN}/{target['averageValue']}{average}"
    elif of_resource:
        measured, wanted = now.get("averageUtilization"), target.get("averageUtilization")
        text = f"{c.UNKNOWN if measured is None else f'{measured}%'}/{'<auto>' if wanted is None else f'{wanted}%'}"
    else:
        text = f"{now.get('value') or c.UNKNOWN}/{target.get('value', '')}"
    return f"{source.get('name', '')}: {text}" if of_resource else text


def _kind(version: str, to_storage: Callable[[Json], Json], from_storage: Callable[[Json], Json]) -> Kind:
    return Kind(
        "autoscaling",
        version,
        "HorizontalPodAutoscaler",
        "horizontalpodautoscalers",
        short_names=("hpa",),
        categories=("all",),
        subresources=("status",),
        strategy=HorizontalPodAutoscalerStrategy(),
        cells=cells,
        definition=f"io.k8s.api.autoscaling.{version}.HorizontalPodAutoscaler",
        preferred=version == "v2",
        to_storage=to_storage,
        from_storage=from_storage,
        columns=(
            c.NAME,
            c.column("Reference", description="What is scaled."),
            c.column("Targets", description="What is measured over what is wanted."),
            c.column("MinPods", description="The lowest number of replicas."),
            c.column("MaxPods", description="The highest number of replicas."),
            c.column("Replicas", description="The number of replicas at the last look."),
            c.AGE,
        ),
    )


V2 = _kind("v2", identity, identity)
V1 = _kind("v1", from_v1, to_v1)

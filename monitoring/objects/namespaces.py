"""kube_namespace_*, kube_resourcequota*, kube_limitrange*"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kube.objects import Json
from monitoring.objects.families import Families, Sample, conditions, find, number, one_of
from monitoring.objects.selection import labels

NAMESPACES = Families("v1", "namespaces", namespace="name")
QUOTAS = Families("v1", "resourcequotas", namespace="namespace", resourcequota="name")
LIMITS = Families("v1", "limitranges", namespace="namespace", limitrange="name")

NAMESPACES.created("kube_namespace")
NAMESPACES.selectable("kube_namespace")
NAMESPACES.add("kube_namespace_status_condition", "The condition of a namespace.", conditions)


@NAMESPACES.gauge("kube_namespace_status_phase", "Kubernetes namespace status phase.")
def phase(namespace: Json) -> Iterable[Sample]:
    return one_of("phase", find(namespace, "status", "phase"), ("Active", "Terminating"))


QUOTAS.created("kube_resourcequota")
QUOTAS.selectable("kube_resourcequota")


@QUOTAS.gauge("kube_resourcequota", "Information about resource quota.")
def quota(obj: Json) -> Iterator[Sample]:
    for kind in ("hard", "used"):
        for resource, value in (find(obj, "status", kind) or {}).items():
            yield labels(resource=resource, type=kind), number(value)


LIMITS.created("kube_limitrange")


@LIMITS.gauge("kube_limitrange", "Information about limit range.")
def limit(obj: Json) -> Iterator[Sample]:
    for each in obj["spec"].get("limits") or ():
        for constraint in ("min", "max", "default", "defaultRequest", "maxLimitRequestRatio"):
            for resource, value in (each.get(constraint) or {}).items():
                yield labels(resource=resource, type=each["type"], constraint=constraint), number(value)

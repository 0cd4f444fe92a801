"""LimitRanger: defaults for what a container asks for, and bounds on it, per namespace."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cluster.admission.plugin import CREATE, Plugin
from cluster.admission.request import Request
from kube import quantity
from kube.objects import Json
from kube.pods import podutil
from kube.pods.resources import limits, requests
from kube.quantity import Quantity

ANNOTATION = "kubernetes.io/limit-ranger"


class LimitRanger(Plugin):
    operations = frozenset({CREATE})
    storages = frozenset({"pods", "persistentvolumeclaims"})

    def mutate(self, request: Request) -> None:
        if request.kind.storage != "pods":
            return
        notes = [note for limit in _limits(request, "Container") for note in _fill(request.obj["spec"], limit)]
        if notes:
            annotations = request.obj["metadata"].setdefault("annotations", {})
            annotations[ANNOTATION] = "LimitRanger plugin set: " + "; ".join(notes)

    def validate(self, request: Request) -> None:
        if request.kind.storage == "pods":
            problems = list(_pod_problems(request))
        else:
            asked = {"storage": ((request.obj["spec"].get("resources") or {}).get("requests") or {}).get("storage")}
            problems = [
                p
                for limit in _limits(request, "PersistentVolumeClaim")
                for p in _problems(limit, "PersistentVolumeClaim", asked, {}, claim=True)
            ]
        if problems:
            raise request.forbid(problems[0] if len(problems) == 1 else "[" + ", ".join(problems) + "]")


def _limits(request: Request, kind: str) -> Iterator[Json]:
    for entry in request.cache.list("limitranges", request.namespace):
        for limit in (entry.object().get("spec") or {}).get("limits") or ():
            if limit.get("type") == kind:
                yield limit


def _fill(spec: Json, limit: Json) -> Iterator[str]:
    """Set the defaults of one limit in every container; what was set, in words."""
    for part, noun in (("initContainers", "init container"), ("containers", "container")):
        for container in spec.get(part) or ():
            resources = container.setdefault("resources", {})
            for which, defaults in (("requests", "defaultRequest"), ("limits", "default")):
                have = resources.get(which) or {}
                missing = {k: v for k, v in (limit.get(defaults) or {}).items() if k not in have}
                if missing:
                    resources[which] = {**have, **missing}
                    yield f"{', '.join(sorted(missing))} {which[:-1]} for {noun} {container['name']}"


def _pod_problems(request: Request) -> Iterator[str]:
    spec = request.obj["spec"]
    for limit in _limits(request, "Container"):
        for container in [*podutil.mains(request.obj), *podutil.inits(request.obj)]:
            resources = container.get("resources") or {}
            yield from _problems(limit, "Container", resources.get("requests") or {}, resources.get("limits") or {})
    for limit in _limits(request, "Pod"):
        asked, most = (of(spec, quantity.parse, overhead=False) for of in (requests, limits))
        yield from _problems(limit, "Pod", asked, most)


def _amount(values: Json, name: str) -> Quantity | None:
    value = values.get(name)
    return value if value is None or isinstance(value, Quantity) else quantity.parse(value)


def _problems(limit: Json, kind: str, requests: Json, limits: Json, claim: bool = False) -> Iterable[str]:
    for name, bound in (limit.get("min") or {}).items():
        request, ceiling = _amount(requests, name), _amount(limits, name)
        if request is None:
            yield f"minimum {name} usage per {kind} is {bound}.  No request is specified"
        elif request < quantity.parse(bound):
            yield f"minimum {name} usage per {kind} is {bound}, but request is {request}"
        elif ceiling is not None and ceiling < quantity.parse(bound):
            yield f"minimum {name} usage per {kind} is {bound}, but limit is {ceiling}"
    for name, bound in (limit.get("max") or {}).items():
        request, ceiling = _amount(requests, name), _amount(limits, name)
        if claim:
            ceiling = request
        if ceiling is None:
            yield f"maximum {name} usage per {kind} is {bound}.  No limit is specified"
        elif quantity.parse(bound) < ceiling:
            yield f"maximum {name} usage per {kind} is {bound}, but {'request' if claim else 'limit'} is {ceiling}"
    for name, bound in (limit.get("maxLimitRequestRatio") or {}).items():
        request, ceiling = _amount(requests, name), _amount(limits, name)
        if not request or not ceiling or not request.nano or not ceiling.nano:
            yield f"{name} max limit to request ratio per {kind} is {bound}, but no request is specified or request is 0"
        elif ceiling.nano / request.nano > quantity.parse(bound).nano / quantity.NANO:
            ratio = ceiling.nano / request.nano
            yield f"{name} max limit to request ratio per {kind} is {bound}, but provided ratio is {ratio:f}"

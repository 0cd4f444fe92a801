"""PodTolerationRestriction: what a namespace's pods bear of taints by default, and at most.

Both lists are annotations of the namespace, JSON lists of tolerations; the configuration's count where it has none.
"""

from __future__ import annotations

from typing import Any, Literal

import orjson
from msgspec import Struct

from cluster.admission.plugin import CREATE, UPDATE, Plugin
from cluster.admission.request import Request
from cluster.configfile import read
from kube.objects import Json
from kube.pods.qos import qos_class

DEFAULTS = "scheduler.alpha.kubernetes.io/defaultTolerations"
ALLOWED = "scheduler.alpha.kubernetes.io/tolerationsWhitelist"
_UNDER_PRESSURE = {"key": "node.kubernetes.io/memory-pressure", "operator": "Exists", "effect": "NoSchedule"}


class _Toleration(Struct, forbid_unknown_fields=True):
    key: str = ""
    operator: str = ""
    value: str = ""
    effect: str = ""
    tolerationSeconds: int | None = None


class _Configuration(Struct, forbid_unknown_fields=True):
    apiVersion: Literal["podtolerationrestriction.admission.k8s.io/v1alpha1"]
    kind: Literal["Configuration"]
    default: list[_Toleration] = []
    whitelist: list[_Toleration] = []


class PodTolerationRestriction(Plugin):
    operations = frozenset({CREATE, UPDATE})
    storages = frozenset({"pods"})

    def __init__(self) -> None:
        self._defaults: list[Json] = []
        self._allowed: list[Json] = []

    def configure(self, configuration: Json | None) -> None:
        if configuration is None:
            return
        read(_Configuration, configuration, "its configuration")
        self._defaults, self._allowed = (
            _checked(configuration.get(name) or [], name) for name in ("default", "whitelist")
        )

    def mutate(self, request: Request) -> None:
        spec = request.obj["spec"]
        tolerations: list[Json] = spec.get("tolerations") or []
        if request.operation == CREATE:
            own = _of_namespace(request, DEFAULTS)
            tolerations = _merged([*(self._defaults if own is None else own), *tolerations])
        if qos_class(spec) != "BestEffort":
            tolerations = _merged([*tolerations, _UNDER_PRESSURE])
        if tolerations:
            spec["tolerations"] = tolerations

    def validate(self, request: Request) -> None:
        own = _of_namespace(request, ALLOWED)
        allowed = self._allowed if own is None else own
        if allowed and not all(
            any(_covers(wide, toleration) for wide in allowed)
            for toleration in request.obj["spec"].get("tolerations") or ()
        ):
            raise request.forbid(
                "pod tolerations (possibly merged with namespace default tolerations) conflict with its namespace whitelist"
            )


def _checked(tolerations: list[Json], name: str) -> list[Json]:
    from kube.kinds.pod.validation_scheduling import check_tolerations  # late: the dashboard loads admission, not kinds

    errors = check_tolerations(tolerations, name)
    if errors:
        raise ValueError(f"its configuration: {errors[0]}")
    return tolerations


def _of_namespace(request: Request, annotation: str) -> list[Json] | None:
    """The tolerations in an annotation of the pod's namespace, None without it. Raises Forbidden for what is no list."""
    namespace = request.find("namespaces", request.namespace)
    text = ((namespace.shared()["metadata"].get("annotations") or {}) if namespace else {}).get(annotation)
    if text is None:
        return None
    try:
        value: Any = orjson.loads(text) if text else []
        read(list[_Toleration], value, annotation)
    except ValueError as error:
        raise request.forbid(f"the namespace's annotation is no list of tolerations: {error}") from None
    found: list[Json] = value
    return found


def _merged(tolerations: list[Json]) -> list[Json]:
    """Without those that another one covers; of two that cover each other the first stays."""
    kept: list[Json] = []
    for at, toleration in enumerate(tolerations):
        others = (*kept, *(later for later in tolerations[at + 1 :] if not _covers(toleration, later)))
        if not any(_covers(other, toleration) for other in others):
            kept.append(toleration)
    return kept


def _covers(wide: Json, narrow: Json) -> bool:
    """Whether `wide` bears every taint that `narrow` bears, for as long."""

    def both(name: str) -> tuple[Any, Any]:
        return wide.get(name) or "", narrow.get(name) or ""

    (key, other_key), (operator, other_operator), (effect, other_effect) = map(both, ("key", "operator", "effect"))
    if key != other_key and (key or operator != "Exists"):  # no key means every taint
        return False
    if effect not in ("", other_effect):
        return False
    seconds, other_seconds = wide.get("tolerationSeconds"), narrow.get("tolerationSeconds")
    if effect == "NoExecute" and seconds is not None and (other_seconds is None or other_seconds > seconds):
        return False
    if operator == "Exists":
        return True
    same = both("value")
    return other_operator in ("", "Equal") and same[0] == same[1]

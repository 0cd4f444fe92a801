"""Which writes a policy, or its binding, is about: `matchConstraints` and `matchResources`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cluster.admission.request import Request
from cluster.store import Key
from kube import registry, selectors
from kube.objects import Json
from kube.registry import Kind

GROUP = "admissionregistration.k8s.io"


def bound(request: Request, policies: str, bindings: str) -> Iterator[tuple[Json, Json]]:
    """Each policy with each of its bindings, of these storages. A binding whose policy is not there binds nothing."""
    if not request.cache.count(bindings):
        return
    for entry in request.cache.list(bindings):
        binding = entry.shared()
        policy = request.find(policies, binding["spec"]["policyName"])
        if policy is not None:
            yield policy.shared(), binding


def matched(match: Json | None, request: Request) -> Kind | None:
    """The kind, in the version in which a rule names it, if the write is meant; None if it is not.

    No `match`, or one without rules, means every write that its selectors let through.
    """
    if match is None:
        return request.kind
    namespaces, objects = match.get("namespaceSelector"), match.get("objectSelector")
    if namespaces and not _namespace_selected(namespaces, request):
        return None
    if objects:
        # As it was or as it will be: a label that is taken away does not let its object out of the policy.
        wanted = selectors.from_object(objects)
        if not any(wanted.matches(_labels(obj)) for obj in (request.obj, request.old) if obj is not None):
            return None
    # The kind as asked for comes first, then all other versions and groups under which it is served.
    kinds = [request.asked]
    if match.get("matchPolicy") != "Exact":
        served = registry.of_cluster(request.cluster).all()
        kinds += [kind for kind in served if kind.storage == request.kind.storage and kind is not request.asked]
    if any(_meets(rule, request, kind) for rule in match.get("excludeResourceRules") or () for kind in kinds):
        return None
    rules = match.get("resourceRules")
    if not rules:
        return request.kind
    return next((kind for kind in kinds for rule in rules if _meets(rule, request, kind)), None)


def _namespace_selected(selector: Json, request: Request) -> bool:
    """By the labels of the namespace that is written, or written in; what is in no namespace is always meant."""
    wanted = selectors.from_object(selector)
    if request.kind.storage == "namespaces":
        return wanted.matches(_labels(request.obj))
    if not request.namespace:
        return True
    namespace = request.find("namespaces", request.namespace)
    return wanted.matches(namespace.labels if namespace else {})


def _labels(obj: Json) -> dict[str, str]:
    return (obj.get("metadata") or {}).get("labels") or {}


def _meets(rule: Json, request: Request, kind: Kind) -> bool:
    names = rule.get("resourceNames") or ()
    return (
        _one_of(rule.get("operations"), request.operation)
        and _one_of(rule.get("apiGroups"), kind.group)
        and _one_of(rule.get("apiVersions"), kind.version)
        and rule.get("scope") in (None, "*", "Namespaced" if kind.namespaced else "Cluster")
        and (not names or request.name in names)
        and any(_names(pattern, kind.plural, request.subresource) for pattern in rule.get("resources") or ())
    )


def _one_of(wanted: Iterable[str] | None, value: str) -> bool:
    return any(one in ("*", value) for one in wanted or ())


def _names(pattern: str, plural: str, subresource: str) -> bool:
    """Whether `pods`, `pods/status`, `pods/*`, `*/status`, `*` (without subresources) or `*/*` names a resource."""
    resource, _, sub = pattern.partition("/")
    return resource in ("*", plural) and (sub == subresource or sub == "*")


def namespace_of(request: Request) -> Json | None:
    """The namespace that is written in."""
    entry = request.cache.get(Key("namespaces", "", request.namespace)) if request.namespace else None
    return entry.shared() if entry else None

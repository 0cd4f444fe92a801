"""The objects that parameterise a policy: `paramKind` of the policy, `paramRef` of the binding."""

from __future__ import annotations

from cluster.admission.request import Request
from kube import registry, selectors
from kube.objects import Json
from kube.registry import Kind


class Misconfigured(Exception):
    """Policy, binding and parameters do not fit together; the text says why."""


def parameters(policy: Json, binding: Json, request: Request) -> list[Json | None]:
    """What the policy is evaluated with, once each; [None] for a policy or a binding without parameters.

    Raises Misconfigured, also when there are none and the binding wants the write refused then.
    """
    wanted, reference = policy["spec"].get("paramKind"), binding["spec"].get("paramRef")
    if wanted is None or reference is None:
        return [None]
    kind = registry.of_cluster(request.cluster).by_gvk(wanted["apiVersion"], wanted["kind"])
    if kind is None:
        raise Misconfigured(
            f"failed to find resource referenced by paramKind: '{wanted['apiVersion']}, Kind={wanted['kind']}'"
        )
    namespace = _namespace(kind, reference, request)
    if reference.get("name"):
        entry = request.find(kind.storage, reference["name"], namespace)
        entries = [entry] if entry else []
    else:
        chosen = selectors.from_object(reference.get("selector"))
        entries = list(request.cache.select(kind.storage, namespace or None, chosen.matches))
    if not entries and reference.get("parameterNotFoundAction") == "Deny":
        raise Misconfigured("no params found for policy binding with `Deny` parameterNotFoundAction")
    return [kind.from_storage(entry.object()) for entry in entries]


def _namespace(kind: Kind, reference: Json, request: Request) -> str:
    """Where parameters are looked for: where the binding says, else where is written."""
    if not kind.namespaced:
        if reference.get("namespace"):
            raise Misconfigured("paramRef.namespace must not be provided for a cluster-scoped `paramKind`")
        return ""
    namespace: str = reference.get("namespace") or request.namespace
    if not namespace:
        raise Misconfigured("cannot use namespaced paramRef in policy binding that matches cluster-scoped resources")
    return namespace

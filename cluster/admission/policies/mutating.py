"""MutatingAdmissionPolicy: writes are changed by the configurations and patches that are bound to them."""

from __future__ import annotations

import copy
from typing import Any

from cluster.admission.plugin import CREATE, UPDATE, Plugin
from cluster.admission.policies.expressions import Evaluation, Failed, concerned, seen
from cluster.admission.policies.matching import GROUP, bound, matched
from cluster.admission.policies.parameters import Misconfigured, parameters
from cluster.admission.request import Request
from kube import schema
from kube.errors import ApiError
from kube.managedfields import typed
from kube.managedfields.merge import merge
from kube.objects import Json
from kube.patch import jsonpatch
from kube.registry import Kind
from kube.schema import definitions

POLICIES, BINDINGS = f"mutatingadmissionpolicies.{GROUP}", f"mutatingadmissionpolicybindings.{GROUP}"
# What a mutation may not touch: who an object is.
_IDENTITY = ("name", "namespace", "uid", "generateName")


class MutatingAdmissionPolicy(Plugin):
    operations = frozenset({CREATE, UPDATE})

    def handles(self, operation: str, storage: str, subresource: str) -> bool:
        # What configures admission is free of it, as of the policies that validate.
        return operation in self.operations and not storage.endswith(f".{GROUP}")

    def mutate(self, request: Request) -> None:
        """Let every policy change the object; those that want it once more where one after them has changed it."""
        pairs = sorted(bound(request, POLICIES, BINDINGS), key=_names)
        last = -1
        for i, (policy, binding) in enumerate(pairs):
            name = f"{policy['metadata']['name']}/{binding['metadata']['name']}"
            if name in request.mutated and not _again(policy):
                continue  # asked anew since a webhook has changed the object
            request.mutated.add(name)
            if _turn(policy, binding, request):
                last = i
        for policy, binding in pairs[: max(last, 0)]:
            if _again(policy):
                _turn(policy, binding, request)


def _names(pair: tuple[Json, Json]) -> tuple[str, str]:
    policy, binding = pair
    return policy["metadata"]["name"], binding["metadata"]["name"]


def _again(policy: Json) -> bool:
    return bool(policy["spec"].get("reinvocationPolicy") == "IfNeeded")


def _turn(policy: Json, binding: Json, request: Request) -> bool:
    """Whether the policy changed the object. Raises ApiError where it fails and may not."""
    spec = policy["spec"]
    kind = matched(spec.get("matchConstraints"), request)
    if kind is None or matched(binding["spec"].get("matchResources"), request) is None:
        return False
    before = copy.deepcopy(request.obj)
    try:
        for params in parameters(policy, binding, request):
            _mutate(spec, request, kind, params)
    except (Misconfigured, Failed, ApiError, schema.Mismatch) as error:
        request.obj = before
        if spec.get("failurePolicy") == "Ignore":
            return False
        names = f"policy '{policy['metadata']['name']}' with binding '{binding['metadata']['name']}'"
        refused = request.forbid(f"{names} denied request: {error}")
        refused.code, refused.reason = 422, "Invalid"
        raise refused from error
    return bool(request.obj != before)


def _mutate(spec: Json, request: Request, kind: Kind, params: Json | None) -> None:
    evaluation = Evaluation(request, kind, spec.get("variables") or [], params)
    if not concerned(evaluation, spec.get("matchConditions") or []):
        return
    for mutation in spec.get("mutations") or ():
        before = copy.deepcopy(seen(request.obj, request.kind, kind))
        if mutation["patchType"] == "JSONPatch":
            after = jsonpatch.apply(before, evaluation.value(mutation["jsonPatch"]["expression"], mutation=True))
        else:
            after = _applied(
                before, evaluation.value(mutation["applyConfiguration"]["expression"], mutation=True), kind
            )
        request.obj = stored(after, request, kind)
        evaluation = Evaluation(request, kind, spec.get("variables") or [], params)  # the next sees what this one did


def _applied(before: Json, config: Any, kind: Kind) -> Json:
    """The object with a configuration applied, as by server-side apply. Raises BadRequest, Failed."""
    if not isinstance(config, dict):
        raise Failed("an applied configuration must be an object")
    if any(name in (config.get("metadata") or {}) for name in _IDENTITY):
        raise Failed("an applied configuration must not change the identity of the object")
    shape = definitions.get(kind.definition)
    typed.check(shape, config, f"{kind.api_version}, Kind={kind.kind}")
    found: Json = merge(shape, before, config)
    return found


def stored(obj: Json, request: Request, kind: Kind) -> Json:
    """An object that was changed in the version of `kind`, as it is stored, with defaults. Raises schema.Mismatch."""
    if kind.definition:
        schema.decode_fields(kind, obj, "Ignore")
    obj = kind.to_storage(obj)
    obj["kind"], obj["apiVersion"] = request.kind.kind, request.kind.api_version
    request.kind.strategy.default(obj)
    return obj

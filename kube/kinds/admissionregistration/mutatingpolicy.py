"""MutatingAdmissionPolicy, MutatingAdmissionPolicyBinding."""

from __future__ import annotations

from typing import Any

from kube import columns as c
from kube.cel.expressions import check_expression
from kube.errors import FieldError, required
from kube.kinds.admissionregistration.policy import (
    BINDING_COLUMNS,
    DEFINITION,
    BindingStrategy,
    PolicyFrame,
    binding_cells,
    check_binding_frame,
    check_policy_frame,
    check_variables,
    param_kind,
    policy_variables,
)
from kube.kinds.admissionregistration.rules import GROUP, REINVOCATION
from kube.objects import Json
from kube.registry import Context, Kind
from kube.validation import check_choice

PATCH_TYPES = {"ApplyConfiguration": "applyConfiguration", "JSONPatch": "jsonPatch"}
RESULTS = {"ApplyConfiguration": "Object", "JSONPatch": "list<JSONPatch>"}


class MutatingPolicyStrategy(PolicyFrame):
    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        spec = obj["spec"]
        names, composed = policy_variables(spec), dict[str, str]()
        errors = check_policy_frame(spec, names) + check_variables(spec.get("variables") or [], names, composed)
        policy = spec.get("reinvocationPolicy")
        errors += (
            check_choice("spec.reinvocationPolicy", policy, REINVOCATION)
            if policy
            else [required("spec.reinvocationPolicy")]
        )
        mutations = spec.get("mutations") or []
        if not mutations:
            errors.append(required("spec.mutations", "mutations must contain at least one item"))
        for i, mutation in enumerate(mutations):
            path, kind = f"spec.mutations[{i}]", mutation.get("patchType") or ""
            if kind in PATCH_TYPES:
                at, body = f"{path}.{PATCH_TYPES[kind]}", mutation.get(PATCH_TYPES[kind])
                if body is None:
                    errors.append(required(at, f"must be specified when patchType is {kind}"))
                else:
                    text, result = body.get("expression") or "", RESULTS[kind]
                    errors += check_expression(f"{at}.expression", text, names, composed, result, mutation=True)
            elif kind:
                errors += check_choice(f"{path}.patchType", kind, PATCH_TYPES)
            else:
                errors.append(required(f"{path}.patchType"))
        return errors


class MutatingBindingStrategy(BindingStrategy):
    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        return check_binding_frame(obj["spec"])


def cells(obj: Json, now: float) -> list[Any]:
    return [
        obj["metadata"]["name"],
        len((obj.get("spec") or {}).get("mutations") or ()),
        param_kind(obj),
        c.age(obj, now),
    ]


POLICY = Kind(
    GROUP,
    "v1",
    "MutatingAdmissionPolicy",
    "mutatingadmissionpolicies",
    namespaced=False,
    categories=("api-extensions",),
    strategy=MutatingPolicyStrategy(),
    cells=cells,
    definition=DEFINITION + "MutatingAdmissionPolicy",
    columns=(
        c.NAME,
        c.column("Mutations", "integer", "Number of mutations in the policy."),
        c.column("ParamKind", description="The kind of its parameters."),
        c.AGE,
    ),
)
BINDING = Kind(
    GROUP,
    "v1",
    "MutatingAdmissionPolicyBinding",
    "mutatingadmissionpolicybindings",
    namespaced=False,
    categories=("api-extensions",),
    strategy=MutatingBindingStrategy(),
    cells=binding_cells,
    columns=BINDING_COLUMNS,
    definition=DEFINITION + "MutatingAdmissionPolicyBinding",
)

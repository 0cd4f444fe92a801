"""ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding."""

from __future__ import annotations

from typing import Any

from kube import columns as c
from kube.cel.expressions import check_expression, check_match_conditions, compiled
from kube.errors import FieldError, duplicate, invalid, required
from kube.kinds.admissionregistration.rules import (
    FAILURE_POLICIES,
    GROUP,
    REQUEST_VARIABLES,
    check_match_resources,
    check_param_kind,
    check_param_ref,
    default_matching,
)
from kube.objectmeta import ObjectStrategy
from kube.objects import Json
from kube.registry import Context, Kind
from kube.validation import (
    c_identifier,
    check,
    check_choice,
    check_required,
    dns1123_subdomain,
    qualified_name,
    repeats,
)

MAX_AUDITS = 20
AUDIT_RESULTS = ("string", "null_type")
REASONS = ("Forbidden", "Invalid", "RequestEntityTooLarge")
ACTIONS = ("Audit", "Deny", "Warn")
POLICY_VARIABLES = (*REQUEST_VARIABLES, "namespaceObject")


class PolicyFrame(ObjectStrategy):
    """What policies that validate and policies that mutate have in common; see also `check_policy_frame`."""

    namespaced = False
    generation = True

    def default(self, obj: Json) -> None:
        spec = obj.setdefault("spec", {})
        spec.setdefault("failurePolicy", "Fail")
        if (match := spec.get("matchConstraints")) is not None:
            default_matching(match)


class PolicyStrategy(PolicyFrame):
    status = True

    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        spec = obj["spec"]
        names = policy_variables(spec)
        errors = check_policy_frame(spec, names)
        composed: dict[str, str] = {}
        errors += check_variables(spec.get("variables") or [], names, composed)
        validations, audits = spec.get("validations") or [], spec.get("auditAnnotations") or []
        if not validations and not audits:
            errors += [
                required(f"spec.{name}", "validations or auditAnnotations must contain at least one item")
                for name in ("validations", "auditAnnotations")
            ]
        for i, validation in enumerate(validations):
            path = f"spec.validations[{i}]"
            expression, message = validation.get("expression") or "", validation.get("message")
            errors += check_expression(f"{path}.expression", expression, names, composed, result="bool")
            if validation.get("messageExpression"):
                errors += check_expression(
                    f"{path}.messageExpression", validation["messageExpression"], names, composed, result="string"
                )
            if message is not None and not message.strip() and message:
                errors.append(invalid(f"{path}.message", message, "message must be non-empty if specified"))
            elif message and "\n" in message:
                errors.append(invalid(f"{path}.message", message, "message must not contain line breaks"))
            elif "\n" in expression.strip() and not message:
                errors.append(
                    required(f"{path}.message", "message must be specified if expression contains line breaks")
                )
            if validation.get("reason") is not None:
                errors += check_choice(f"{path}.reason", validation["reason"], REASONS)
        if len(audits) > MAX_AUDITS:
            errors.append(
                invalid("spec.auditAnnotations", audits, f"must not have more than {MAX_AUDITS} auditAnnotations")
            )
        keys = [annotation.get("key") or "" for annotation in audits]
        errors += [duplicate(f"spec.auditAnnotations[{i}].key", keys[i]) for i in repeats(keys)]
        for i, annotation in enumerate(audits):
            path, key = f"spec.auditAnnotations[{i}]", annotation.get("key") or ""
            errors += check_required(f"{path}.key", key, qualified_name, "key is required")
            expression = annotation.get("valueExpression") or ""
            errors += check_expression(f"{path}.valueExpression", expression, names, composed, result=AUDIT_RESULTS)
        return errors


def policy_variables(spec: Json) -> tuple[str, ...]:
    """What the expressions of a policy may refer to: parameters only where it declares their kind."""
    return (*POLICY_VARIABLES, "variables", *(("params",) if spec.get("paramKind") is not None else ()))


def check_policy_frame(spec: Json, names: tuple[str, ...]) -> list[FieldError]:
    """What policies that validate and policies that mutate have in common."""
    errors = check_choice("spec.failurePolicy", spec.get("failurePolicy"), FAILURE_POLICIES)
    if spec.get("paramKind") is not None:
        errors += check_param_kind(spec["paramKind"], "spec.paramKind")
    match = spec.get("matchConstraints")
    if match is None:
        errors.append(required("spec.matchConstraints"))
    else:
        errors += check_match_resources(match, "spec.matchConstraints")
        if not match.get("resourceRules"):
            errors.append(required("spec.matchConstraints.resourceRules"))
    conditions = [name for name in names if name != "variables"]
    return errors + check_match_conditions(spec.get("matchConditions") or [], "spec.matchConditions", conditions)


def check_variables(variables: list[Json], names: tuple[str, ...], composed: dict[str, str]) -> list[FieldError]:
    """Variables may use those before them; `composed` collects their names and types."""
    errors: list[FieldError] = []
    for i, variable in enumerate(variables):
        name, path = variable.get("name") or "", f"spec.variables[{i}]"
        if not name:
            errors.append(required(f"{path}.name", "name is not specified"))
        else:
            errors += check(f"{path}.name", name, c_identifier)
        text = variable.get("expression") or ""
        wrong = check_expression(f"{path}.expression", text, names, composed)
        errors += wrong
        if name.isidentifier() and text.strip():  # one that does not compile is there, whatever its type
            composed[name] = "dyn" if wrong else compiled(text, names, composed).result
    return errors


class BindingStrategy(ObjectStrategy):
    namespaced = False
    generation = True

    def default(self, obj: Json) -> None:
        if (match := obj.setdefault("spec", {}).get("matchResources")) is not None:
            default_matching(match)

    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        return check_binding_frame(obj["spec"]) + self.check_actions(obj["spec"].get("validationActions") or [])

    def check_actions(self, actions: list[str]) -> list[FieldError]:
        path = "spec.validationActions"
        if not actions:
            return [required(path, "at least one validation action is required")]
        errors: list[FieldError] = []
        for i, action in enumerate(actions):
            errors += check_choice(f"{path}[{i}]", action, ACTIONS)
            if action in actions[:i]:
                errors.append(duplicate(f"{path}[{i}]", action))
        if "Deny" in actions and "Warn" in actions:
            errors.append(
                invalid(
                    path,
                    sorted(actions),
                    "must not contain both Deny and Warn (repeating the same "
                    "validation failure information in the API response and "
                    "headers serves no purpose)",
                )
            )
        return errors


def check_binding_frame(spec: Json) -> list[FieldError]:
    """What bindings of both sorts have in common."""
    name = spec.get("policyName") or ""
    errors = check_required("spec.policyName", name, dns1123_subdomain)
    if spec.get("paramRef") is not None:
        errors += check_param_ref(spec["paramRef"], "spec.paramRef")
    if spec.get("matchResources") is not None:
        errors += check_match_resources(spec["matchResources"], "spec.matchResources")
    return errors


def param_kind(obj: Json) -> str:
    kind = (obj.get("spec") or {}).get("paramKind")
    return f"{kind.get('apiVersion', '')}/{kind.get('kind', '')}" if kind else c.UNSET


def param_ref(obj: Json) -> str:
    reference = (obj.get("spec") or {}).get("paramRef")
    if not reference:
        return c.UNSET
    name, namespace = reference.get("name"), reference.get("namespace")
    if not name:
        return c.selector(reference.get("selector"))
    return f"{namespace}/{name}" if namespace else name


def cells(obj: Json, now: float) -> list[Any]:
    return [
        obj["metadata"]["name"],
        len((obj.get("spec") or {}).get("validations") or ()),
        param_kind(obj),
        c.age(obj, now),
    ]


def binding_cells(obj: Json, now: float) -> list[Any]:
    return [obj["metadata"]["name"], (obj.get("spec") or {}).get("policyName", ""), param_ref(obj), c.age(obj, now)]


BINDING_COLUMNS = (
    c.NAME,
    c.column("PolicyName", description="The policy that is bound."),
    c.column("ParamRef", description="The parameters that the policy gets."),
    c.AGE,
)
DEFINITION = "io.k8s.api.admissionregistration.v1."
POLICY = Kind(
    GROUP,
    "v1",
    "ValidatingAdmissionPolicy",
    "validatingadmissionpolicies",
    namespaced=False,
    categories=("api-extensions",),
    subresources=("status",),
    strategy=PolicyStrategy(),
    cells=cells,
    definition=DEFINITION + "ValidatingAdmissionPolicy",
    columns=(
        c.NAME,
        c.column("Validations", "integer", "Number of validations in the policy."),
        c.column("ParamKind", description="The kind of its parameters."),
        c.AGE,
    ),
)
BINDING = Kind(
    GROUP,
    "v1",
    "ValidatingAdmissionPolicyBinding",
    "validatingadmissionpolicybindings",
    namespaced=False,
    categories=("api-extensions",),
    strategy=BindingStrategy(),
    cells=binding_cells,
    columns=BINDING_COLUMNS,
    definition=DEFINITION + "ValidatingAdmissionPolicyBinding",
)

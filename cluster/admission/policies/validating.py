"""ValidatingAdmissionPolicy: writes are refused, or warned of, by the rules that are bound to them.

Its audit annotations go to the audit log: `POLICY/KEY`, with what all bindings and parameters make of it.

A write of `/scale` is one of the object that is scaled, and is seen as that.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import orjson

from cluster.admission.plugin import CONNECT, CREATE, DELETE, UPDATE, Plugin
from cluster.admission.policies.expressions import Evaluation, Failed, concerned
from cluster.admission.policies.matching import GROUP, bound, matched
from cluster.admission.policies.parameters import Misconfigured, parameters
from cluster.admission.request import Request
from kube.errors import ApiError
from kube.objects import Json
from kube.registry import Kind

log = logging.getLogger(__name__)

POLICIES, BINDINGS = f"validatingadmissionpolicies.{GROUP}", f"validatingadmissionpolicybindings.{GROUP}"
CODES = {"Forbidden": 403, "Unauthorized": 401, "RequestEntityTooLarge": 413, "Invalid": 422}


DENY = ("Deny",)
FAILURE = "validation.policy.admission.k8s.io/validation_failure"
MAX_ANNOTATION = 10 * 1024  # bytes of what one expression says
# As Go writes them in JSON.
_HTML = str.maketrans({character: f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"})


class Denial(NamedTuple):
    """Why a write does not fit a policy; `reason` is that of the Status, `place` that among the validations.

    `actions`: what is done about it, where that is not for the binding to say.
    """

    message: str
    reason: str = "Invalid"
    place: int = 0
    actions: Sequence[str] = ()


class Annotation(NamedTuple):
    """What a policy has to say to the audit log."""

    key: str
    value: str


class ValidatingAdmissionPolicy(Plugin):
    operations = frozenset({CREATE, UPDATE, DELETE, CONNECT})

    def handles(self, operation: str, storage: str, subresource: str) -> bool:
        # What configures admission is free of it: a rule that refuses everything could not be taken away again.
        return operation in self.operations and not storage.endswith(f".{GROUP}")

    def validate(self, request: Request) -> None:
        # All are asked, also after one that denies: the audit log hears of each.
        errors: list[ApiError] = []
        annotations: dict[str, dict[str, None]] = {}
        for policy, binding in bound(request, POLICIES, BINDINGS):
            for found in _found(policy, binding, request):
                if isinstance(found, Annotation):
                    annotations.setdefault(f"{binding['spec']['policyName']}/{found.key}", {})[found.value] = None
                elif error := _enforced(found, binding, request):
                    errors.append(error)
        for key, values in annotations.items():
            request.annotate(key, ", ".join(values))
        if errors:
            raise errors[0]


def _enforced(denial: Denial, binding: Json, request: Request) -> ApiError | None:
    """Do what the binding wants done; the error, where that is to refuse."""
    actions = denial.actions or binding["spec"].get("validationActions") or ()
    rule = f"ValidatingAdmissionPolicy '{binding['spec']['policyName']}' with binding '{binding['metadata']['name']}'"
    if "Warn" in actions:
        request.warnings.append(f"Validation failed for {rule}: {denial.message}")
    if "Audit" in actions:
        request.annotate(FAILURE, _failure(denial, binding))
        log.info(
            "%s %s %s/%s by %s: validation failed for %s: %s",
            request.operation,
            request.kind.plural,
            request.namespace,
            request.name,
            request.user,
            rule,
            denial.message,
        )
    if "Deny" not in actions:
        return None
    message = f"{rule} denied request: {denial.message}"
    error = request.forbid(message)
    error.code, error.reason = CODES.get(denial.reason, 422), denial.reason
    error.details = {**(error.details or {}), "causes": [{"message": message}]}
    return error


def _failure(denial: Denial, binding: Json) -> str:
    """A failed validation as the audit log has it: a list of one, in JSON as Go writes it."""
    spec = binding["spec"]
    told = {
        "message": denial.message,
        "policy": spec["policyName"],
        "binding": binding["metadata"]["name"],
        "expressionIndex": denial.place,
        "validationActions": spec["validationActions"],
    }
    return orjson.dumps([told]).decode().translate(_HTML)


def _found(policy: Json, binding: Json, request: Request) -> Iterator[Denial | Annotation]:
    """What the policy finds wrong; where it cannot be evaluated, that, unless it says that failures are ignored."""
    kind = matched(policy["spec"].get("matchConstraints"), request)
    if kind is None or matched(binding["spec"].get("matchResources"), request) is None:
        return
    ignored = policy["spec"].get("failurePolicy") == "Ignore"
    try:
        chosen = parameters(policy, binding, request)
    except Misconfigured as error:
        if not ignored:
            yield Denial(f"failed to configure binding: {error}", actions=DENY)
        return
    for params in chosen:
        yield from _evaluated(policy["spec"], request, kind, params, ignored)


def _evaluated(
    spec: Json, request: Request, kind: Kind, params: Json | None, ignored: bool
) -> Iterator[Denial | Annotation]:
    evaluation = Evaluation(request, kind, spec.get("variables") or [], params)
    try:
        if not concerned(evaluation, spec.get("matchConditions") or []):
            return
    except Failed as error:
        if not ignored:
            yield Denial(str(error))
        return
    for i, validation in enumerate(spec.get("validations") or ()):
        try:
            if not evaluation.holds(validation["expression"]):
                yield Denial(evaluation.message(validation), validation.get("reason") or "Invalid", i)
        except Failed as error:
            if not ignored:
                yield Denial(str(error), place=i)
    for annotation in spec.get("auditAnnotations") or ():
        try:
            value = evaluation.annotation(annotation["valueExpression"])
        except Failed as error:
            if not ignored:
                yield Denial(str(error), actions=DENY)
        else:
            if value:
                yield Annotation(annotation["key"], value.encode()[:MAX_ANNOTATION].decode(errors="ignore"))

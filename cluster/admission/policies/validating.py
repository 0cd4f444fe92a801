"""ValidatingAdmissionPolicy: writes are refused, or warned of, by the rules that are bound to them.

A write of `/scale` is one of the object that is scaled, and is seen as that.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import NamedTuple

from cluster.admission.plugin import CONNECT, CREATE, DELETE, UPDATE, Plugin
from cluster.admission.policies.expressions import Evaluation, Failed, concerned
from cluster.admission.policies.matching import GROUP, matched
from cluster.admission.policies.parameters import Misconfigured, parameters
from cluster.admission.request import Request
from kube.objects import Json
from kube.registry import Kind

log = logging.getLogger(__name__)

POLICIES, BINDINGS = f"validatingadmissionpolicies.{GROUP}", f"validatingadmissionpolicybindings.{GROUP}"
CODES = {"Forbidden": 403, "Unauthorized": 401, "RequestEntityTooLarge": 413, "Invalid": 422}


class Denial(NamedTuple):
    """Why a write does not fit a policy; `reason` is that of the Status."""

    message: str
    reason: str = "Invalid"


class ValidatingAdmissionPolicy(Plugin):
    operations = frozenset({CREATE, UPDATE, DELETE, CONNECT})

    def handles(self, operation: str, storage: str, subresource: str) -> bool:
        # What configures admission is free of it: a rule that refuses everything could not be taken away again.
        return operation in self.operations and not storage.endswith(f".{GROUP}")

    def validate(self, request: Request) -> None:
        for entry in request.cache.list(BINDINGS) if request.cache.count(BINDINGS) else ():
            binding = entry.shared()
            policy = request.find(POLICIES, binding["spec"]["policyName"])
            if policy is not None:
                _enforce(policy.shared(), binding, request)


def _enforce(policy: Json, binding: Json, request: Request) -> None:
    """Do what the binding wants done about what the policy finds. Raises ApiError where that is to refuse."""
    actions = binding["spec"].get("validationActions") or ()
    rule = f"ValidatingAdmissionPolicy '{policy['metadata']['name']}' with binding '{binding['metadata']['name']}'"
    for denial in _denials(policy, binding, request):
        if "Deny" in actions:
            message = f"{rule} denied request: {denial.message}"
            error = request.forbid(message)
            error.code, error.reason = CODES.get(denial.reason, 422), denial.reason
            error.details = {**(error.details or {}), "causes": [{"message": message}]}
            raise error
        if "Warn" in actions:
            request.warnings.append(f"Validation failed for {rule}: {denial.message}")
        if "Audit" in actions:
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


def _denials(policy: Json, binding: Json, request: Request) -> Iterator[Denial]:
    """What the policy finds wrong; where it cannot be evaluated, that, unless it says that failures are ignored."""
    kind = matched(policy["spec"].get("matchConstraints"), request)
    if kind is None or matched(binding["spec"].get("matchResources"), request) is None:
        return
    ignored = policy["spec"].get("failurePolicy") == "Ignore"
    try:
        chosen = parameters(policy, binding, request)
    except Misconfigured as error:
        if not ignored:
            yield Denial(f"failed to configure binding: {error}")
        return
    for params in chosen:
        yield from _failures(policy["spec"], request, kind, params, ignored)


def _failures(spec: Json, request: Request, kind: Kind, params: Json | None, ignored: bool) -> Iterator[Denial]:
    evaluation = Evaluation(request, kind, spec.get("variables") or [], params)
    try:
        if not concerned(evaluation, spec.get("matchConditions") or []):
            return
    except Failed as error:
        if not ignored:
            yield Denial(str(error))
        return
    for validation in spec.get("validations") or ():
        try:
            if not evaluation.holds(validation["expression"]):
                yield Denial(evaluation.message(validation), validation.get("reason") or "Invalid")
        except Failed as error:
            if not ignored:
                yield Denial(str(error))

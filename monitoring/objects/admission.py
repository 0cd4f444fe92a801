"""kube_*webhookconfiguration_*, kube_*admissionpolicy*: what judges and changes writes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from kube.objects import Json
from monitoring.objects.families import Families, Sample, find
from monitoring.objects.selection import labels

API = "admissionregistration.k8s.io/v1"


def _families(kind: str, plural: str) -> Families:
    """Of a kind without namespaces, whose samples have the label nevertheless."""
    names: dict[str, Any] = {"namespace": "namespace", kind: "name"}
    families = Families(API, plural, **names)
    families.created(f"kube_{kind}")
    return families


def _about(make: Callable[[Json], str]) -> Callable[[Json], Iterable[Sample]]:
    return lambda obj: ((make(obj), 1),)


def _policy(policy: Json) -> str:
    kind = find(policy, "spec", "paramKind") or {}
    return labels(
        param_api_version=kind.get("apiVersion"),
        param_kind=kind.get("kind"),
        failure_policy=find(policy, "spec", "failurePolicy"),
    )


def _mutating(policy: Json) -> str:
    return _policy(policy) + labels(reinvocation_policy=find(policy, "spec", "reinvocationPolicy"))


def _binding(binding: Json) -> str:
    ref = find(binding, "spec", "paramRef") or {}
    return labels(
        policy_name=find(binding, "spec", "policyName"),
        param_name=ref.get("name"),
        param_namespace=ref.get("namespace"),
        param_not_found_action=ref.get("parameterNotFoundAction"),
    )


def _webhooks(configuration: Json) -> Iterator[Sample]:
    for hook in configuration.get("webhooks") or ():
        service = find(hook, "clientConfig", "service") or {}
        yield (
            labels(
                webhook_name=hook["name"], service_name=service.get("name"), service_namespace=service.get("namespace")
            ),
            1,
        )


def _configurations(way: str) -> Families:
    kind = f"{way}webhookconfiguration"
    families = _families(kind, f"{kind}s")
    families.info(f"kube_{kind}")
    families.version(f"kube_{kind}")
    families.add(f"kube_{kind}_webhook_clientconfig_service", "The service that a webhook is asked at.", _webhooks)
    return families


def _policies(way: str) -> tuple[Families, Families]:
    kind, binding = f"{way}admissionpolicy", f"{way}admissionpolicybinding"
    policies, bindings = _families(kind, f"{way}admissionpolicies"), _families(binding, f"{binding}s")
    about = _mutating if way == "mutating" else _policy
    policies.add(f"kube_{kind}_info", "Information about the policy.", _about(about))
    bindings.add(f"kube_{binding}_info", "Information about the binding of a policy.", _about(_binding))
    return policies, bindings


VALIDATING_WEBHOOKS, MUTATING_WEBHOOKS = _configurations("validating"), _configurations("mutating")
VALIDATING_POLICIES, VALIDATING_BINDINGS = _policies("validating")
MUTATING_POLICIES, MUTATING_BINDINGS = _policies("mutating")


@VALIDATING_BINDINGS.gauge("kube_validatingadmissionpolicybinding_validation_action", "What becomes of a refusal.")
def action(binding: Json) -> Iterator[Sample]:
    return ((labels(action=each), 1) for each in find(binding, "spec", "validationActions") or ())

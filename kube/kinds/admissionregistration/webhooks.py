"""MutatingWebhookConfiguration, ValidatingWebhookConfiguration."""

from __future__ import annotations

from typing import Any

from kube import columns as c
from kube.cel.expressions import check_match_conditions
from kube.errors import FieldError, duplicate, invalid, required
from kube.kinds.admissionregistration.rules import (
    FAILURE_POLICIES,
    GROUP,
    MATCH_POLICIES,
    REINVOCATION,
    REQUEST_VARIABLES,
    check_rules,
    default_matching,
)
from kube.objectmeta import ObjectStrategy
from kube.objects import Json
from kube.registry import Context, Kind
from kube.validation import (
    check,
    check_choice,
    check_label_selector,
    check_required,
    dns1035_label,
    dns1123_subdomain,
    repeats,
)
from kube.webhookclient import check_client

REVIEW_VERSIONS = ("v1", "v1beta1")
SIDE_EFFECTS = ("None", "NoneOnDryRun")
MAX_TIMEOUT = 30


class WebhookStrategy(ObjectStrategy):
    namespaced = False
    generation = True

    def spec_of(self, obj: Json) -> Any:
        return obj.get("webhooks")

    def default(self, obj: Json) -> None:
        for webhook in obj.get("webhooks") or ():
            webhook.setdefault("failurePolicy", "Fail")
            webhook.setdefault("timeoutSeconds", 10)
            default_matching(webhook)
            service = (webhook.get("clientConfig") or {}).get("service")
            if service is not None:
                service.setdefault("port", 443)

    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        names: set[str] = set()
        return [
            error
            for i, webhook in enumerate(obj.get("webhooks") or ())
            for error in check_webhook(webhook, names, f"webhooks[{i}]")
        ]


class MutatingStrategy(WebhookStrategy):
    def default(self, obj: Json) -> None:
        super().default(obj)
        for webhook in obj.get("webhooks") or ():
            webhook.setdefault("reinvocationPolicy", "Never")


def check_webhook(webhook: Json, names: set[str], path: str) -> list[FieldError]:
    """One webhook; `names` are those seen before it."""
    name = webhook.get("name") or ""
    errors = check_required(f"{path}.name", name, dns1123_subdomain)
    if not errors and name.count(".") < 2:
        message = "should be a domain with at least three segments separated by dots"
        errors.append(invalid(f"{path}.name", name, message))
    if name and name in names:
        errors.append(duplicate(f"{path}.name", name))
    names.add(name)
    errors += check_label_selector(f"{path}.namespaceSelector", webhook.get("namespaceSelector"))
    errors += check_label_selector(f"{path}.objectSelector", webhook.get("objectSelector"))
    if (effects := webhook.get("sideEffects")) is not None:
        errors += check_choice(f"{path}.sideEffects", effects, SIDE_EFFECTS)
    else:
        errors.append(required(f"{path}.sideEffects", f"must specify one of {', '.join(SIDE_EFFECTS)}"))
    errors += _check_client(webhook.get("clientConfig") or {}, f"{path}.clientConfig")
    versions, at, known = (
        webhook.get("admissionReviewVersions") or [],
        f"{path}.admissionReviewVersions",
        REVIEW_VERSIONS,
    )
    again = set(repeats(versions))
    errors += [invalid(f"{at}[{i}]", versions[i], "duplicate version") for i in sorted(again)]
    errors += [e for i, v in enumerate(versions) if i not in again for e in check(f"{at}[{i}]", v, dns1035_label)]
    if not versions:
        errors.append(required(at, f"must specify one of {', '.join(known)}"))
    elif not any(version in known for version in versions):
        errors.append(invalid(at, versions, f"must include at least one of {', '.join(known)}"))
    errors += check_rules(webhook.get("rules") or [], f"{path}.rules")
    errors += check_choice(f"{path}.failurePolicy", webhook.get("failurePolicy"), FAILURE_POLICIES)
    errors += check_choice(f"{path}.matchPolicy", webhook.get("matchPolicy"), MATCH_POLICIES)
    if webhook.get("reinvocationPolicy") is not None:
        errors += check_choice(f"{path}.reinvocationPolicy", webhook["reinvocationPolicy"], REINVOCATION)
    seconds = webhook.get("timeoutSeconds")
    if seconds is not None and not 1 <= seconds <= MAX_TIMEOUT:
        errors.append(
            invalid(f"{path}.timeoutSeconds", seconds, f"the timeout value must be between 1 and {MAX_TIMEOUT} seconds")
        )
    return errors + check_match_conditions(
        webhook.get("matchConditions") or [], f"{path}.matchConditions", REQUEST_VARIABLES
    )


def _check_client(client: Json, path: str) -> list[FieldError]:
    """Kubernetes takes name and namespace of a service for each other here, and so reports the wrong one missing."""
    service = client.get("service")
    if service is not None:
        swapped = {"name": service.get("namespace"), "namespace": service.get("name")}
        client = {**client, "service": {**service, **swapped}}
    return check_client(client, path)


def cells(obj: Json, now: float) -> list[Any]:
    return [obj["metadata"]["name"], len(obj.get("webhooks") or ()), c.age(obj, now)]


def _kind(name: str, plural: str, strategy: WebhookStrategy) -> Kind:
    return Kind(
        GROUP,
        "v1",
        name,
        plural,
        namespaced=False,
        categories=("api-extensions",),
        strategy=strategy,
        definition=f"io.k8s.api.admissionregistration.v1.{name}",
        cells=cells,
        columns=(c.NAME, c.column("Webhooks", "integer", "Number of webhooks in the configuration."), c.AGE),
    )


MUTATING = _kind("MutatingWebhookConfiguration", "mutatingwebhookconfigurations", MutatingStrategy())
VALIDATING = _kind("ValidatingWebhookConfiguration", "validatingwebhookconfigurations", WebhookStrategy())

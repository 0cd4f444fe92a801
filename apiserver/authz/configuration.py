"""The file of --authorization-config: which authorizers are asked, in which order, and where webhooks are.

apiVersion: apiserver.config.k8s.io/v1
kind: AuthorizationConfiguration
authorizers:
- {type: Node, name: node}
- type: Webhook
  name: policy.example.org
  webhook:
    timeout: 3s
    authorizedTTL: 5m
    unauthorizedTTL: 30s
    subjectAccessReviewVersion: v1
    matchConditionSubjectAccessReviewVersion: v1
    failurePolicy: Deny
    connectionInfo: {type: KubeConfigFile, kubeConfigFile: /etc/policy.kubeconfig}
    matchConditions:
    - expression: has(request.resourceAttributes) && request.resourceAttributes.namespace == 'secret'
- {type: RBAC, name: rbac}
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from cluster.configfile import Struct, parsed, read, refuse
from kube.cel.expressions import check_expression
from kube.cron import duration
from kube.errors import FieldError, duplicate, invalid, not_supported, required, too_many
from kube.validation import check_choice, dns1123_subdomain

WEBHOOK = "Webhook"
TYPES = ("AlwaysAllow", "AlwaysDeny", "Node", "RBAC", WEBHOOK)
# The only variable of a match condition: the spec of the review.
VARIABLES = {"request": "dyn"}
MAX_CONDITIONS = 64
LONGEST = 30.0  # seconds of a webhook's timeout


class ConnectionInfo(Struct, frozen=True):
    type: str = ""
    kubeConfigFile: str | None = None


class MatchCondition(Struct, frozen=True):
    expression: str = ""


class Webhook(Struct, frozen=True):
    timeout: str = ""
    authorizedTTL: str = ""
    unauthorizedTTL: str = ""
    cacheAuthorizedRequests: bool = True
    cacheUnauthorizedRequests: bool = True
    subjectAccessReviewVersion: str = ""
    matchConditionSubjectAccessReviewVersion: str = ""
    failurePolicy: str = ""
    connectionInfo: ConnectionInfo = ConnectionInfo()
    matchConditions: tuple[MatchCondition, ...] = ()


class Authorizer(Struct, frozen=True):
    type: str = ""
    name: str = ""
    webhook: Webhook | None = None


class AuthorizationConfiguration(Struct, frozen=True):
    apiVersion: Literal[
        "apiserver.config.k8s.io/v1", "apiserver.config.k8s.io/v1beta1", "apiserver.config.k8s.io/v1alpha1"
    ]
    kind: Literal["AuthorizationConfiguration"]
    authorizers: tuple[Authorizer, ...] = ()


def load(path: Path) -> AuthorizationConfiguration:
    """The configuration in a file. Raises ValueError, which says what is wrong where."""
    found = read(AuthorizationConfiguration, parsed(path), str(path))
    refuse(str(path), list(check(found)))
    return found


def check(found: AuthorizationConfiguration) -> Iterator[FieldError]:
    """What is wrong."""
    if not found.authorizers:
        yield required("authorizers", "at least one authorization mode must be defined")
    for at, each in enumerate(found.authorizers):
        yield from _check_authorizer(each, found.authorizers[:at], f"authorizers[{at}]")


def _check_authorizer(each: Authorizer, before: Sequence[Authorizer], path: str) -> Iterator[FieldError]:
    if not each.type:
        yield required(f"{path}.type")
        return
    if each.type not in TYPES:
        yield not_supported(f"{path}.type", each.type, TYPES)
        return
    if each.type != WEBHOOK and any(other.type == each.type for other in before):
        yield duplicate(f"{path}.type", each.type)
        return
    if not each.name:
        yield required(f"{path}.name")
    elif any(other.name == each.name for other in before):
        yield duplicate(f"{path}.name", each.name)
    elif wrong := dns1123_subdomain(each.name):
        yield invalid(f"{path}.name", each.name, f"authorizer name is invalid: {', '.join(wrong)}")
    if each.type != WEBHOOK and each.webhook is not None:
        yield invalid(f"{path}.webhook", "non-null", "may only be specified when type=Webhook")
    elif each.type == WEBHOOK and each.webhook is None:
        yield required(f"{path}.webhook", "required when type=Webhook")
    elif each.webhook is not None:
        yield from _check_webhook(each.webhook, f"{path}.webhook")


def _check_webhook(webhook: Webhook, path: str) -> Iterator[FieldError]:
    yield from _check_duration(webhook.timeout, f"{path}.timeout", LONGEST)
    yield from _check_duration(webhook.authorizedTTL, f"{path}.authorizedTTL")
    yield from _check_duration(webhook.unauthorizedTTL, f"{path}.unauthorizedTTL")
    yield from _check_required(
        webhook.subjectAccessReviewVersion, f"{path}.subjectAccessReviewVersion", ("v1", "v1beta1")
    )
    version = f"{path}.matchConditionSubjectAccessReviewVersion"
    if webhook.matchConditions and not webhook.matchConditionSubjectAccessReviewVersion:
        yield required(version, "required if match conditions are specified")
    elif webhook.matchConditionSubjectAccessReviewVersion:
        yield from check_choice(version, webhook.matchConditionSubjectAccessReviewVersion, ("v1",))
    yield from _check_required(webhook.failurePolicy, f"{path}.failurePolicy", ("NoOpinion", "Deny"))
    yield from _check_connection(webhook.connectionInfo, f"{path}.connectionInfo")
    yield from _check_conditions(webhook.matchConditions, f"{path}.matchConditions")


def _check_required(value: str, path: str, choices: Sequence[str]) -> Iterator[FieldError]:
    if not value:
        yield required(path)
    else:
        yield from check_choice(path, value, choices)


def _check_duration(text: str, path: str, longest: float | None = None) -> Iterator[FieldError]:
    if not text:
        yield required(path)
        return
    try:
        found = duration(text)
    except ValueError:
        yield invalid(path, text, "it is no duration: write 3s or 5m")
        return
    if found <= 0 or (longest is not None and found > longest):
        yield invalid(path, text, "must be > 0s" + (f" and <= {longest:.0f}s" if longest is not None else ""))


def _check_connection(connection: ConnectionInfo, path: str) -> Iterator[FieldError]:
    file = connection.kubeConfigFile
    yield from _check_required(connection.type, f"{path}.type", ("InClusterConfig", "KubeConfigFile"))
    if connection.type != "KubeConfigFile":
        if file is not None:
            yield invalid(f"{path}.kubeConfigFile", file, "can only be set when type=KubeConfigFile")
    elif not file:
        yield required(f"{path}.kubeConfigFile")
    elif not file.startswith("/"):
        yield invalid(f"{path}.kubeConfigFile", file, "must be an absolute path")
    elif not Path(file).is_file():
        yield invalid(f"{path}.kubeConfigFile", file, "must be a regular file")


def _check_conditions(conditions: Sequence[MatchCondition], path: str) -> Iterator[FieldError]:
    if len(conditions) > MAX_CONDITIONS:
        yield too_many(path, len(conditions), MAX_CONDITIONS)
        return
    for at, condition in enumerate(conditions):
        where = f"{path}[{at}].expression"
        if not condition.expression.strip():
            yield required(where)
        elif condition in conditions[:at]:
            yield duplicate(where, condition.expression)
        else:
            yield from check_expression(where, condition.expression, VARIABLES, result="bool")

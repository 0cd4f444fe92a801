"""Rules for pods and pod templates: the whole spec, piece by piece.

`validate_pod_template` is for workloads, `validate_pod_spec` for any spec; paths begin at `path`, for instance `spec`
or `spec.template.spec`. The larger pieces are in modules of their own: `validation_containers` (with
`validation_env`, `validation_mounts`, `validation_probes`), `validation_volumes`, `validation_scheduling`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kube.errors import FieldError, duplicate, forbidden, invalid, not_supported, required, too_long
from kube.ipaddresses import ip_address
from kube.kinds.pod.validation_containers import check_all_containers, check_claims
from kube.kinds.pod.validation_scheduling import check_scheduling
from kube.kinds.pod.validation_security import check_pod_security, check_system
from kube.kinds.pod.validation_volumes import check_volumes
from kube.memo import Memo, digest
from kube.objectmeta import check_annotations
from kube.objects import Json
from kube.pods.resources import of_containers
from kube.quantity import Quantity
from kube.resourcelist import check_name, check_requirements, is_pod_level, nano
from kube.validation import (
    Checker,
    check,
    check_choice,
    check_labels,
    check_required,
    dns1123_label,
    dns1123_subdomain,
    dns_search_domain,
    qualified_name,
)

RESTART_POLICIES = ("Always", "OnFailure", "Never")
DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
_NAMES: tuple[tuple[str, Checker], ...] = (
    ("nodeName", dns1123_subdomain),
    ("serviceAccountName", dns1123_subdomain),
    ("hostname", dns1123_label),
    ("subdomain", dns1123_label),
    ("priorityClassName", dns1123_subdomain),
)
_HOSTNAME_LIMIT = 64
_SEARCHES, _SEARCH_CHARACTERS, _NAMESERVERS = 32, 2048, 3


def validate_pod_template(template: Json, path: str) -> list[FieldError]:
    """The `template` of a workload. Errors of its metadata stand at `path` itself, as Kubernetes reports them."""
    spec = template.get("spec") or {}
    meta = template.get("metadata") or {}
    errors = check_labels(f"{path}.labels", meta.get("labels"))
    errors += check_annotations(f"{path}.annotations", meta.get("annotations") or {})
    errors += validate_pod_spec(spec, f"{path}.spec")
    if spec.get("ephemeralContainers"):
        errors.append(forbidden(f"{path}.spec.ephemeralContainers", "ephemeral containers not allowed in pod template"))
    return errors


_valid: Memo[bool] = Memo()


def validate_pod_spec(spec: Json, path: str) -> list[FieldError]:
    """A pod's spec, wherever it stands; defaults must have been filled in."""
    key = digest(spec)
    if key in _valid:
        return []
    volumes = spec.get("volumes") or []
    errors, good = check_volumes(volumes, f"{path}.volumes") if volumes else ([], {})
    errors += check_all_containers(spec, path, good)
    if (policy := spec.get("restartPolicy", "")) not in RESTART_POLICIES:
        errors.append(not_supported(f"{path}.restartPolicy", policy, RESTART_POLICIES))
    if (policy := spec.get("dnsPolicy", "")) not in DNS_POLICIES:
        errors.append(not_supported(f"{path}.dnsPolicy", policy, DNS_POLICIES))
    for name, checker in _NAMES:
        if value := spec.get(name):
            errors += [invalid(f"{path}.{name}", value, m) for m in checker(value)]
    errors += check_scheduling(spec, path)
    if (deadline := spec.get("activeDeadlineSeconds")) is not None:
        errors += check_deadline(deadline, f"{path}.activeDeadlineSeconds")
    if security := spec.get("securityContext"):
        errors += check_pod_security(security, f"{path}.securityContext", spec)
    for name, rule in _RARE:
        if (value := spec.get(name)) is not None or name == "dnsConfig":
            errors += rule(value, f"{path}.{name}", spec)
    if key and not errors:
        _valid[key] = True
    return errors


def check_deadline(seconds: int, path: str) -> list[FieldError]:
    """How long a pod may run."""
    if 1 <= seconds <= 2**31 - 1:
        return []
    return [invalid(path, seconds, "must be between 1 and 2147483647, inclusive")]


def _check_dns(config: Json | None, path: str, spec: Json) -> list[FieldError]:
    nameservers = (config or {}).get("nameservers") or []
    if spec.get("dnsPolicy") == "None":
        if config is None:
            return [required(path, "must provide `dnsConfig` when `dnsPolicy` is None")]
        if not nameservers:
            return [
                required(f"{path}.nameservers", "must provide at least one DNS nameserver when `dnsPolicy` is None")
            ]
    if config is None:
        return []
    errors: list[FieldError] = []
    if len(nameservers) > _NAMESERVERS:
        errors.append(
            invalid(f"{path}.nameservers", nameservers, f"must not have more than {_NAMESERVERS} nameservers")
        )
    for i, address in enumerate(nameservers):
        errors += check(f"{path}.nameservers[{i}]", address, ip_address)
    searches = config.get("searches") or []
    if len(searches) > _SEARCHES:
        errors.append(invalid(f"{path}.searches", searches, f"must not have more than {_SEARCHES} search paths"))
    if len(" ".join(searches)) > _SEARCH_CHARACTERS:
        errors.append(
            invalid(
                f"{path}.searches",
                searches,
                f"must not have more than {_SEARCH_CHARACTERS} characters (including spaces) in the search list",
            )
        )
    for i, domain in enumerate(searches):
        errors += check(f"{path}.searches[{i}]", domain, dns_search_domain)
    for i, option in enumerate(config.get("options") or ()):
        if not option.get("name"):
            errors.append(required(f"{path}.options[{i}]", "must not be empty"))
    return errors


def _check_host_aliases(aliases: list[Json], path: str, spec: Json) -> list[FieldError]:
    errors: list[FieldError] = []
    for i, alias in enumerate(aliases):
        errors += check(f"{path}[{i}].ip", alias.get("ip", ""), ip_address)
        for j, name in enumerate(alias.get("hostnames") or ()):
            errors += check(f"{path}[{i}].hostnames[{j}]", name, dns1123_subdomain)
    return errors


def _check_readiness_gates(gates: list[Json], path: str, spec: Json) -> list[FieldError]:
    return [
        error
        for i, gate in enumerate(gates)
        for error in check(f"{path}[{i}].conditionType", gate.get("conditionType", ""), qualified_name)
    ]


def _check_hostname_override(name: str, path: str, spec: Json) -> list[FieldError]:
    """A host name that stands for itself: nothing else may decide what the name is."""
    errors = [
        forbidden(path, f"may not be specified when {other} is true")
        for other in ("setHostnameAsFQDN", "hostNetwork")
        if spec.get(other)
    ]
    errors += [too_long(path, name, _HOSTNAME_LIMIT)] if len(name) > _HOSTNAME_LIMIT else []
    return errors + check(path, name, dns1123_subdomain)


def _check_preemption(policy: str, path: str, spec: Json) -> list[FieldError]:
    return check_choice(path, policy, ("Never", "PreemptLowerPriority")) if policy else [required(path)]


def _check_os(system: Json, path: str, spec: Json) -> list[FieldError]:
    name = system.get("name")
    if not name:
        return [required(f"{path}.name")]
    return check_choice(path, name, ("linux", "windows")) + check_system(spec, path.rpartition(".")[0])


def _check_users(value: bool, path: str, spec: Json) -> list[FieldError]:
    """A namespace of the machine's is nothing for a pod with a user namespace of its own."""
    return [forbidden(path, "when `hostUsers` is false")] if value and spec.get("hostUsers") is False else []


def _check_shared_pids(shared: bool, path: str, spec: Json) -> list[FieldError]:
    if shared and spec.get("hostPID"):
        return [invalid(path, shared, "ShareProcessNamespace and HostPID cannot both be enabled")]
    return []


def _check_resource_claims(claims: list[Json], path: str, spec: Json) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for i, claim in enumerate(claims):
        at, name = f"{path}[{i}]", claim.get("name", "")
        errors += check_required(f"{at}.name", name, dns1123_label)
        if name in seen:
            errors.append(duplicate(f"{at}.name", name))
        seen.add(name)
        given = {
            "Name": name,
            "ResourceClaimName": claim.get("resourceClaimName"),
            "ResourceClaimTemplateName": claim.get("resourceClaimTemplateName"),
        }
        chosen = [key for key in ("resourceClaimName", "resourceClaimTemplateName") if claim.get(key) is not None]
        if not chosen:
            errors.append(invalid(at, given, "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"))
        elif len(chosen) > 1:
            errors.append(
                invalid(at, given, "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified")
            )
        for key in chosen:
            errors += check(f"{at}.{key}", claim[key], dns1123_subdomain)
    return errors


def _check_pod_resource(path: str, name: str) -> list[FieldError]:
    if errors := check_name(path, name):
        return errors
    return [] if is_pod_level(name) else [not_supported(path, name, ("cpu", "hugepages-", "memory"))]


def _check_pod_resources(resources: Json, path: str, spec: Json) -> list[FieldError]:
    """Resources of the whole pod: cpu, memory and huge pages only, and enough for its containers."""
    errors: list[FieldError] = []
    if (claims := resources.get("claims")) is not None:
        errors.append(forbidden(f"{path}.claims", "claims may not be set for Resources at pod-level"))
        declared = {claim.get("name", "") for claim in spec.get("resourceClaims") or ()}
        errors += check_claims(claims, f"{path}.claims", declared)
    errors += check_requirements(path, resources, _check_pod_resource)
    asked = of_containers(spec, nano)
    for name, value in (resources.get("requests") or {}).items():
        if (total := asked.get(name, 0)) > nano(value):
            errors.append(
                invalid(
                    f"{path}.requests[{name}]",
                    value,
                    f"must be greater than or equal to aggregate container requests of {Quantity(total)}",
                )
            )
    for name, value in (resources.get("limits") or {}).items():
        for container in spec.get("containers") or ():
            own = ((container.get("resources") or {}).get("limits") or {}).get(name)
            if own is not None and nano(own) > nano(value):
                message = f"must be greater than or equal to the limit {own} of a container"
                errors.append(invalid(f"{path}.limits[{name}]", value, message))
    return errors


_RARE: tuple[tuple[str, Callable[[Any, str, Json], list[FieldError]]], ...] = (
    ("dnsConfig", _check_dns),
    ("hostAliases", _check_host_aliases),
    ("readinessGates", _check_readiness_gates),
    ("os", _check_os),
    ("hostnameOverride", _check_hostname_override),
    ("preemptionPolicy", _check_preemption),
    ("runtimeClassName", lambda name, path, spec: check(path, name, dns1123_subdomain)),
    ("shareProcessNamespace", _check_shared_pids),
    *((name, _check_users) for name in ("hostNetwork", "hostPID", "hostIPC")),
    ("overhead", lambda overhead, path, spec: check_requirements(path, {"limits": overhead})),
    ("resourceClaims", _check_resource_claims),
    ("resources", _check_pod_resources),
)

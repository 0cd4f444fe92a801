"""Rules for the containers of a pod: ordinary, init and ephemeral ones."""

from __future__ import annotations

from collections.abc import Mapping

from kube.errors import FieldError, duplicate, forbidden, invalid, not_found, not_supported, required
from kube.kinds.pod.validation_env import check_env, check_env_from
from kube.kinds.pod.validation_mounts import check_devices, check_mounts
from kube.kinds.pod.validation_probes import check_lifecycle, check_probes
from kube.kinds.pod.validation_security import check_container_security
from kube.kinds.pod.validation_volumes import PULL_POLICIES
from kube.objects import Json
from kube.pods.podutil import is_sidecar
from kube.resourcelist import check_requirements
from kube.validation import check_choice, check_required, dns1123_label, port_name, port_number

RESTART_POLICIES = ("Always", "Never", "OnFailure")
PROTOCOLS = ("SCTP", "TCP", "UDP")
_RESIZED, _RESIZE_POLICIES = ("cpu", "memory"), ("NotRequired", "RestartContainer")
_MESSAGE_POLICIES = ("File", "FallbackToLogsOnError")
_SIDECARS_ONLY = ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe")
_NOT_EPHEMERAL = (
    "ports",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "lifecycle",
    "resizePolicy",
    "restartPolicy",
)


def check_all_containers(spec: Json, path: str, volumes: Mapping[str, Json]) -> list[FieldError]:
    """Every container of a spec; `volumes` are the pod's volumes by name."""
    containers = spec.get("containers")
    errors: list[FieldError] = []
    names: set[str] = set()
    claims = {claim.get("name", "") for claim in spec.get("resourceClaims") or ()}
    host_network, grace = bool(spec.get("hostNetwork")), spec.get("terminationGracePeriodSeconds")
    if not containers:
        errors.append(required(f"{path}.containers"))
    host_ports: set[str] = set()
    for i, container in enumerate(containers or ()):
        at = f"{path}.containers[{i}]"
        errors += _check_container(container, at, names, volumes, claims, spec)
        errors += check_lifecycle(container, at, grace) + check_probes(container, at)
        if policies := container.get("resizePolicy"):
            errors += _check_resize(policies, f"{at}.resizePolicy", spec)
        if ports := container.get("ports"):
            errors += _check_host_ports(ports, f"{at}.ports", host_ports, host_network)
    for i, container in enumerate(spec.get("initContainers") or ()):
        at = f"{path}.initContainers[{i}]"
        errors += _check_container(container, at, names, volumes, claims, spec)
        if is_sidecar(container):  # a full container; others run to their end without probes or hooks
            errors += check_lifecycle(container, at, grace) + check_probes(container, at)
            if policies := container.get("resizePolicy"):
                errors += _check_resize(policies, f"{at}.resizePolicy", spec)
        else:
            errors += [
                forbidden(f"{at}.{name}", "may not be set for init containers without restartPolicy=Always")
                for name in _SIDECARS_ONLY
                if container.get(name) is not None
            ]
        if ports := container.get("ports"):
            errors += _check_host_ports(ports, f"{at}.ports", set(), host_network)
    if ephemeral := spec.get("ephemeralContainers"):
        errors += _check_ephemeral(ephemeral, f"{path}.ephemeralContainers", spec, names, volumes)
    return errors


def _check_container(
    container: Json, path: str, names: set[str], volumes: Mapping[str, Json], claims: set[str], spec: Json
) -> list[FieldError]:
    """What holds for containers of every sort; adds the name to `names`."""
    errors: list[FieldError] = []
    name = container.get("name")
    errors += check_required(f"{path}.name", name, dns1123_label)
    if name and name in names:
        errors.append(duplicate(f"{path}.name", name))
    names.add(name or "")
    image = container.get("image")
    if not image:
        errors.append(required(f"{path}.image"))
    elif image != image.strip():
        errors.append(invalid(f"{path}.image", image, "must not have leading or trailing whitespace"))
    if container.get("terminationMessagePolicy") not in _MESSAGE_POLICIES:
        errors += check_choice(
            f"{path}.terminationMessagePolicy", container.get("terminationMessagePolicy", ""), _MESSAGE_POLICIES
        )
    if container.get("imagePullPolicy") not in PULL_POLICIES:
        errors += check_choice(f"{path}.imagePullPolicy", container.get("imagePullPolicy", ""), PULL_POLICIES)
    if ports := container.get("ports"):
        errors += _check_ports(ports, f"{path}.ports")
    if env := container.get("env"):
        errors += check_env(env, f"{path}.env")
    if sources := container.get("envFrom"):
        errors += check_env_from(sources, f"{path}.envFrom")
    if mounts := container.get("volumeMounts"):
        errors += check_mounts(mounts, f"{path}.volumeMounts", container, volumes)
    if devices := container.get("volumeDevices"):
        errors += check_devices(devices, f"{path}.volumeDevices", container, volumes)
    if resources := container.get("resources"):
        errors += check_requirements(f"{path}.resources", resources)
        errors += check_claims(resources.get("claims") or [], f"{path}.resources.claims", claims)
    if security := container.get("securityContext"):
        errors += check_container_security(security, f"{path}.securityContext", spec)
    if (policy := container.get("restartPolicy")) is not None:
        errors += check_choice(f"{path}.restartPolicy", policy, RESTART_POLICIES)
    if rules := container.get("restartPolicyRules"):
        errors += _check_restart_rules(rules, path, policy)
    return errors


def _check_restart_rules(rules: list[Json], path: str, policy: str | None) -> list[FieldError]:
    errors: list[FieldError] = []
    if policy is None:
        errors.append(required(f"{path}.restartPolicy", "must specify restartPolicy when restart rules are used"))
    for i, rule in enumerate(rules):
        at = f"{path}.restartPolicyRules[{i}]"
        errors += check_choice(f"{at}.action", rule.get("action", ""), ("Restart",))
        if codes := rule.get("exitCodes"):
            errors += check_choice(f"{at}.exitCodes.operator", codes.get("operator", ""), ("In", "NotIn"))
        else:
            errors.append(required(f"{at}.exitCodes", "must be specified"))
    return errors


def _check_resize(policies: list[Json], path: str, spec: Json) -> list[FieldError]:
    """What a change of resources does to a container. The errors of single values carry no index, as upstream's."""
    errors: list[FieldError] = []
    seen: set[str] = set()
    for i, policy in enumerate(policies):
        resource, restart = policy.get("resourceName", ""), policy.get("restartPolicy", "")
        if resource in seen:
            errors.append(duplicate(f"{path}[{i}]", resource))
        seen.add(resource)
        for value, choices in ((resource, _RESIZED), (restart, _RESIZE_POLICIES)):
            if value not in choices:
                errors.append(not_supported(path, value, choices) if value else required(path))
        if spec.get("restartPolicy") == "Never" and restart != "NotRequired":
            errors.append(invalid(path, restart, "must be 'NotRequired' when pod `restartPolicy` is 'Never'"))
    return errors


def _check_ports(ports: list[Json], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    names: set[str] = set()
    for i, port in enumerate(ports):
        at = f"{path}[{i}]"
        if name := port.get("name"):
            errors += [invalid(f"{at}.name", name, m) for m in port_name(name)]
            if name in names:
                errors.append(duplicate(f"{at}.name", name))
            names.add(name)
        if number := port.get("containerPort"):
            errors += [invalid(f"{at}.containerPort", number, m) for m in port_number(number)]
        else:
            errors.append(required(f"{at}.containerPort"))
        if number := port.get("hostPort"):
            errors += [invalid(f"{at}.hostPort", number, m) for m in port_number(number)]
        if port.get("protocol") not in PROTOCOLS:
            errors += check_choice(f"{at}.protocol", port.get("protocol", ""), PROTOCOLS)
    return errors


def _check_host_ports(ports: list[Json], path: str, taken: set[str], host_network: bool) -> list[FieldError]:
    """No host port twice within a pod; with the host's network it must be the container's port (a pod gets it by default)."""
    errors: list[FieldError] = []
    for i, port in enumerate(ports):
        number = port.get("hostPort")
        if host_network and number and number != port.get("containerPort"):
            errors.append(
                invalid(
                    f"{path}[{i}].containerPort",
                    port.get("containerPort"),
                    "must match `hostPort` when `hostNetwork` is true",
                )
            )
        if not number:
            continue
        key = f"{port.get('protocol')}/{port.get('hostIP', '')}/{number}"
        if key in taken:
            errors.append(duplicate(f"{path}[{i}].hostPort", key))
        taken.add(key)
    return errors


def check_claims(used: list[Json], path: str, declared: set[str]) -> list[FieldError]:
    """`claims` of resources: each one that the pod declares, once."""
    errors: list[FieldError] = []
    seen: set[tuple[str, str]] = set()
    for i, claim in enumerate(used):
        name = claim.get("name", "")
        if not name:
            errors.append(required(f"{path}[{i}]"))
        elif name not in declared:
            errors.append(not_found(f"{path}[{i}]", name))
        if (key := (name, claim.get("request", ""))) in seen:
            errors.append(duplicate(f"{path}[{i}]", name))
        seen.add(key)
    return errors


def _check_ephemeral(
    containers: list[Json], path: str, spec: Json, names: set[str], volumes: Mapping[str, Json]
) -> list[FieldError]:
    errors: list[FieldError] = []
    targets = {c.get("name") for field in ("containers", "initContainers") for c in spec.get(field) or ()}
    for i, container in enumerate(containers):
        at = f"{path}[{i}]"
        errors += _check_container(container, at, names, volumes, set(), spec)
        target = container.get("targetContainerName")
        if target and target not in targets:
            errors.append(not_found(f"{at}.targetContainerName", target))
        errors += [
            forbidden(f"{at}.{name}", "cannot be set for an Ephemeral Container")
            for name in _NOT_EPHEMERAL
            if container.get(name)
        ]
        if container.get("resources"):
            errors.append(forbidden(f"{at}.resources", "cannot be set for an Ephemeral Container"))
        for j, mount in enumerate(container.get("volumeMounts") or ()):
            for name in ("subPath", "subPathExpr"):
                if mount.get(name):
                    errors.append(
                        forbidden(f"{at}.volumeMounts[{j}].{name}", "cannot be set for an Ephemeral Container")
                    )
    return errors

"""Rules for the environment of a container, and for references to fields of the pod."""

from __future__ import annotations

from collections.abc import Iterable

from kube.errors import FieldError, invalid, not_supported, required
from kube.objects import Json
from kube.validation import check, check_required, config_key, dns1123_subdomain, env_var_name, qualified_name

ENV_FIELDS = (
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
)
ENV_RESOURCES = (
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
)
_OF_BYTES = ("1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei")
_UNITS = {
    "cpu": ("cpu", ("1m", "1")),
    "memory": ("memory", _OF_BYTES),
    "ephemeral-storage": ("local ephemeral storage", _OF_BYTES),
}
_SUBSCRIPTED = ("metadata.annotations", "metadata.labels")
# What the API can select pods by, even if it cannot be projected into a container.
_SELECTABLE = frozenset(
    (
        *ENV_FIELDS,
        *_SUBSCRIPTED,
        "spec.restartPolicy",
        "spec.schedulerName",
        "status.phase",
        "spec.hostNetwork",
        "status.nominatedNodeName",
    )
)
_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")


def check_env(variables: list[Json], path: str) -> list[FieldError]:
    """`env` of a container."""
    errors: list[FieldError] = []
    for i, variable in enumerate(variables):
        name = variable.get("name")
        errors += check_required(f"{path}[{i}].name", name, env_var_name)
        if variable.get("valueFrom") is not None:
            errors += _check_source(variable, f"{path}[{i}].valueFrom")
    return errors


def _check_source(variable: Json, path: str) -> list[FieldError]:
    source = variable["valueFrom"]
    given = [name for name in _SOURCES if source.get(name) is not None]
    errors: list[FieldError] = []
    for name in given:
        if name == "fieldRef":
            errors += check_field_ref(source[name], f"{path}.fieldRef", ENV_FIELDS, _SUBSCRIPTED)
        elif name == "resourceFieldRef":
            errors += check_resource_ref(source[name], f"{path}.resourceFieldRef")
        elif name == "fileKeyRef":
            reference, at = source[name], f"{path}.fileKeyRef"
            errors += [required(f"{at}.{part}") for part in ("key", "volumeName", "path") if not reference.get(part)]
            if key := reference.get("key"):
                errors += check(f"{at}.key", key, env_var_name)
        else:
            errors += check(f"{path}.{name}.name", source[name].get("name", ""), dns1123_subdomain)
            errors += check_required(f"{path}.{name}.key", source[name].get("key"), config_key)
    if not given:
        errors.append(
            invalid(
                path,
                "",
                "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, "
                "`secretKeyRef`, or `fileKeyRef`",
            )
        )
    elif variable.get("value"):
        errors.append(invalid(path, "", "may not be specified when `value` is not empty"))
    elif len(given) > 1:
        errors.append(invalid(path, "", "may not have more than one field specified at a time"))
    return errors


def check_field_ref(
    reference: Json, path: str, fields: Iterable[str], subscripted: Iterable[str] = ()
) -> list[FieldError]:
    """A `fieldRef`: one of `fields`, or a key of a subscripted one: `metadata.labels['key']`."""
    name = reference.get("fieldPath")
    if not reference.get("apiVersion"):
        return [required(f"{path}.apiVersion")]
    if not name:
        return [required(f"{path}.fieldPath")]
    if reference["apiVersion"] != "v1":
        return [
            invalid(
                f"{path}.fieldPath",
                name,
                f"error converting fieldPath: unsupported pod version: {reference['apiVersion']}",
            )
        ]
    if name in fields:
        return []
    base, bracket, key = name.partition("['")
    if bracket and base in subscripted and key.endswith("']"):
        return check(path, key[:-2].lower() if base.endswith("annotations") else key[:-2], qualified_name)
    if bracket or name not in _SELECTABLE:
        return [invalid(f"{path}.fieldPath", name, "error converting fieldPath: field label not supported: " + name)]
    return [not_supported(f"{path}.fieldPath", name, fields)]


def check_resource_ref(reference: Json, path: str, in_volume: bool = False) -> list[FieldError]:
    """A `resourceFieldRef`; in a volume it must name the container."""
    resource = reference.get("resource")
    if in_volume and not reference.get("containerName"):
        return [required(f"{path}.containerName")]
    if not resource:
        return [required(f"{path}.resource")]
    if resource in ENV_RESOURCES or resource.startswith(("limits.hugepages-", "requests.hugepages-")):
        return _check_divisor(resource, str(reference.get("divisor") or "0"), f"{path}.divisor")
    return [not_supported(f"{path}.resource", resource, ENV_RESOURCES)]


def _check_divisor(resource: str, divisor: str, path: str) -> list[FieldError]:
    """The unit that an amount is told in; 0 is the usual one."""
    name = resource.partition(".")[2]
    shown, units = _UNITS.get(name, ("hugepages", _OF_BYTES))
    if divisor == "0" or divisor in units:
        return []
    listed = " and ".join(units) if len(units) == 2 else ", ".join(units)
    return [invalid(path, resource, f"only divisor's values {listed} are supported with the {shown} resource")]


def check_env_from(sources: list[Json], path: str) -> list[FieldError]:
    """`envFrom` of a container."""
    errors: list[FieldError] = []
    for i, source in enumerate(sources):
        at = f"{path}[{i}]"
        if prefix := source.get("prefix"):
            errors += check(f"{at}.prefix", prefix, env_var_name)
        given = [name for name in ("configMapRef", "secretRef") if source.get(name) is not None]
        for name in given:
            errors += check_required(f"{at}.{name}.name", source[name].get("name"), dns1123_subdomain)
        if not given:
            errors.append(invalid(path, "", "must specify one of: `configMapRef` or `secretRef`"))
        elif len(given) > 1:
            errors.append(invalid(path, "", "may not have more than one field specified at a time"))
    return errors

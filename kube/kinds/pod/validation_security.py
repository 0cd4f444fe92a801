"""Rules for the security contexts of a pod and of its containers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from kube.errors import FieldError, duplicate, forbidden, invalid, required, too_long
from kube.kinds.pod.validation_mounts import check_relative_path
from kube.objects import Json
from kube.pods import sysctls
from kube.validation import check_choice

_PROFILES = ("Localhost", "RuntimeDefault", "Unconfined")
_PROFILE_LIMIT = 4095
_SYSCTLS_OF_IPC = ("kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue.")
_CHOICES = {
    "fsGroupChangePolicy": ("Always", "OnRootMismatch"),
    "seLinuxChangePolicy": ("MountOption", "Recursive"),
    "supplementalGroupsPolicy": ("Merge", "Strict"),
}
_WINDOWS_ONLY = "windowsOptions"
# What a pod, and each of its containers, cannot be given where the pod says that it is for Windows.
_POD_NOT_ON_WINDOWS = (
    "appArmorProfile",
    "seLinuxOptions",
    "seccompProfile",
    "fsGroup",
    "fsGroupChangePolicy",
    "sysctls",
    "runAsUser",
    "runAsGroup",
    "supplementalGroups",
    "supplementalGroupsPolicy",
)
_CONTAINER_NOT_ON_WINDOWS = (
    "appArmorProfile",
    "seLinuxOptions",
    "seccompProfile",
    "capabilities",
    "readOnlyRootFilesystem",
    "privileged",
    "allowPrivilegeEscalation",
    "procMount",
    "runAsUser",
    "runAsGroup",
)
_SPEC_NOT_ON_WINDOWS = ("hostPID", "hostIPC", "hostUsers", "shareProcessNamespace")


def check_pod_security(security: Json, path: str, spec: Json) -> list[FieldError]:
    """`securityContext` of a pod."""
    errors: list[FieldError] = []
    for name in ("runAsUser", "runAsGroup", "fsGroup"):
        errors += check_id(f"{path}.{name}", security.get(name))
    for i, group in enumerate(security.get("supplementalGroups") or ()):
        errors += check_id(f"{path}.supplementalGroups[{i}]", group)
    errors += _check_sysctls(security.get("sysctls") or (), f"{path}.sysctls", spec)
    for name, choices in _CHOICES.items():
        if (choice := security.get(name)) is not None:
            errors += check_choice(f"{path}.{name}", choice, choices)
    return errors + _check_profiles(security, path)


def check_container_security(security: Json, path: str, spec: Json) -> list[FieldError]:
    """`securityContext` of a container."""
    errors = check_id(f"{path}.runAsUser", security.get("runAsUser"))
    errors += check_id(f"{path}.runAsGroup", security.get("runAsGroup"))
    if security.get("allowPrivilegeEscalation") is False:
        if security.get("privileged"):
            errors.append(
                invalid(path, security, "cannot set `allowPrivilegeEscalation` to false and `privileged` to true")
            )
        if "CAP_SYS_ADMIN" in ((security.get("capabilities") or {}).get("add") or ()):
            errors.append(
                invalid(
                    path,
                    security,
                    "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN",
                )
            )
    if (mount := security.get("procMount")) is not None:
        errors += check_choice(f"{path}.procMount", mount, ("Default", "Unmasked"))
        if mount == "Unmasked" and spec.get("hostUsers") is not False:
            errors.append(invalid(f"{path}.procMount", mount, "`hostUsers` must be false to use `Unmasked`"))
    return errors + _check_profiles(security, path)


def check_system(spec: Json, path: str) -> list[FieldError]:
    """What is of another operating system than the one that the pod says it is for."""
    system = (spec.get("os") or {}).get("name")
    if system not in ("linux", "windows"):
        return []
    message, of_pod, of_container = (
        ("windows options cannot be set for a linux pod", (_WINDOWS_ONLY,), (_WINDOWS_ONLY,))
        if system == "linux"
        else ("cannot be set for a windows pod", _POD_NOT_ON_WINDOWS, _CONTAINER_NOT_ON_WINDOWS)
    )
    places: list[tuple[Json | None, str, Sequence[str]]] = [
        (spec.get("securityContext"), f"{path}.securityContext", of_pod)
    ]
    if system == "windows":
        places.append((spec, path, _SPEC_NOT_ON_WINDOWS))
    for field in ("containers", "initContainers", "ephemeralContainers"):
        for i, container in enumerate(spec.get(field) or ()):
            places.append((container.get("securityContext"), f"{path}.{field}[{i}].securityContext", of_container))
    return [
        forbidden(f"{place}.{name}", message)
        for holder, place, names in places
        for name in names
        if holder and holder.get(name) not in (None, False, [])
    ]


def check_id(path: str, number: int | None) -> list[FieldError]:
    """The number of a user or group."""
    if number is None or 0 <= number <= 2**31 - 1:
        return []
    return [invalid(path, number, "must be between 0 and 2147483647, inclusive")]


def _check_sysctls(listed: Iterable[Json], path: str, spec: Json) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for i, sysctl in enumerate(listed):
        name, at = sysctl.get("name", ""), f"{path}[{i}].name"
        dotted = sysctls.dotted(name)
        if not name:
            errors.append(required(at))
        elif not sysctls.is_name(name):
            message = f"must have at most {sysctls.MAX_LENGTH} characters and match regex ^{sysctls.PATTERN}$"
            errors.append(invalid(at, name, message))
        elif name in seen:
            errors.append(duplicate(at, name))
        for host, begins in (("hostNetwork", ("net.",)), ("hostIPC", _SYSCTLS_OF_IPC)):
            if spec.get(host) and dotted.startswith(begins):
                errors.append(invalid(at, name, f"may not be set when '{host}' is true"))
        seen.add(name)
    return errors


def _check_profiles(security: Json, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for name, kind, check_file in (
        ("seccompProfile", "seccomp", check_relative_path),
        ("appArmorProfile", "AppArmor", _check_loaded_profile),
    ):
        if (profile := security.get(name)) is not None:
            errors += _check_profile(profile, f"{path}.{name}", name, kind, check_file)
    return errors


def _check_profile(
    profile: Json, path: str, name: str, kind: str, check_file: Callable[[str, str], list[FieldError]]
) -> list[FieldError]:
    """A seccomp or AppArmor profile: `localhostProfile` belongs to type Localhost."""
    wanted, local, at = profile.get("type", ""), profile.get("localhostProfile"), f"{path}.localhostProfile"
    if wanted == "Localhost":
        missing = [required(at, f"must be set when {kind} type is Localhost")]
        return missing if local is None else check_file(at, local)
    if not wanted:
        errors = [required(f"{path}.type", f"type is required when {name} is set")]
    else:
        errors = check_choice(f"{path}.type", wanted, _PROFILES)
    if local is not None:
        errors.append(invalid(at, local, f"can only be set when {kind} type is Localhost"))
    return errors


def _check_loaded_profile(path: str, name: str) -> list[FieldError]:
    """The name of an AppArmor profile that the node has loaded."""
    if name != name.strip():
        return [invalid(path, name, "must not be padded with whitespace")]
    if not name:
        return [required(path, "must be set when AppArmor type is Localhost")]
    return [too_long(path, name, _PROFILE_LIMIT)] if len(name) > _PROFILE_LIMIT else []

"""Warnings for pods that are valid but hardly meant so."""

from __future__ import annotations

from kube.objects import Json
from kube.quantity import NANO
from kube.resourcelist import nano

OLD_LABELS = {
    "beta.kubernetes.io/arch": 'deprecated since v1.14; use "kubernetes.io/arch" instead',
    "beta.kubernetes.io/os": 'deprecated since v1.14; use "kubernetes.io/os" instead',
    "failure-domain.beta.kubernetes.io/region": 'deprecated since v1.17; use "topology.kubernetes.io/region" instead',
    "failure-domain.beta.kubernetes.io/zone": 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
    "beta.kubernetes.io/instance-type": 'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead',
}
_OLD_ANNOTATIONS = {
    "scheduler.alpha.kubernetes.io/critical-pod": 'non-functional in v1.16+; use the "priorityClassName" field instead',
    "security.alpha.kubernetes.io/sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
    "security.alpha.kubernetes.io/unsafe-sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
}
_OLD_VOLUMES = {
    "gitRepo": "deprecated in v1.11, and disabled by default in v1.33+",
    "glusterfs": "deprecated in v1.25, non-functional in v1.26+",
    "scaleIO": "deprecated in v1.16, non-functional in v1.22+",
    "storageos": "deprecated in v1.22, non-functional in v1.25+",
    "rbd": "deprecated in v1.28, non-functional in v1.31+",
    "cephfs": "deprecated in v1.28, non-functional in v1.31+",
}


def pod_warnings(pod: Json) -> list[str]:
    """Warnings for a new pod."""
    annotations = pod["metadata"].get("annotations") or {}
    found = [f"metadata.annotations[{key}]: {text}" for key, text in _OLD_ANNOTATIONS.items() if key in annotations]
    return spec_warnings(pod["spec"], "spec") + found


def template_warnings(template: Json, path: str) -> list[str]:
    """Warnings for the pod template of a workload; `path` as in `spec.template`."""
    return spec_warnings(template.get("spec") or {}, f"{path}.spec")


def spec_warnings(spec: Json, path: str) -> list[str]:
    """Warnings for a pod's spec."""
    warnings: list[str] = []
    if selector := spec.get("nodeSelector"):
        warnings += [f"{path}.nodeSelector[{key}]: {text}" for key, text in OLD_LABELS.items() if key in selector]
    for i, volume in enumerate(spec.get("volumes") or ()):
        warnings += [f"{path}.volumes[{i}].{name}: {_OLD_VOLUMES[name]}" for name in volume if name in _OLD_VOLUMES]
    for i, secret in enumerate(spec.get("imagePullSecrets") or ()):
        if not secret.get("name"):
            warnings.append(f'{path}.imagePullSecrets[{i}].name: invalid empty name ""')
    for name in ("initContainers", "containers"):
        for i, container in enumerate(spec.get(name) or ()):
            warnings += _container_warnings(container, f"{path}.{name}[{i}]")
    if spec.get("terminationGracePeriodSeconds", 0) < 0:
        warnings.append(
            f"{path}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1"
        )
    return warnings


def _container_warnings(container: Json, path: str) -> list[str]:
    warnings: list[str] = []
    ports: dict[tuple[object, ...], int] = {}
    for i, port in enumerate(container.get("ports") or ()):
        key = (port.get("containerPort"), port.get("protocol"), port.get("hostIP"), port.get("hostPort"))
        if key in ports:
            warnings.append(f"{path}.ports[{i}]: duplicate port definition with {path}.ports[{ports[key]}]")
        ports.setdefault(key, i)
        if port.get("hostIP") and not port.get("hostPort"):
            warnings.append(
                f"{path}.ports[{i}]: hostIP set without hostPort: {{Name:{port.get('name', '')} HostPort:0 "
                f"ContainerPort:{port.get('containerPort')} Protocol:{port.get('protocol')} "
                f"HostIP:{port['hostIP']}}}"
            )
    for which in ("limits", "requests"):
        for name, value in ((container.get("resources") or {}).get(which) or {}).items():
            if name in ("memory", "ephemeral-storage") and nano(value) % NANO:
                warnings.append(
                    f'{path}.resources.{which}[{name}]: fractional byte value "{value}" is invalid, must be an integer'
                )
    seen: set[str] = set()
    for i, variable in enumerate(container.get("env") or ()):
        name = variable.get("name", "")
        if name in seen:
            warnings.append(
                f'{path}.env[{i}]: hides previous definition of "{name}", which may be dropped when using apply'
            )
        seen.add(name)
    return warnings

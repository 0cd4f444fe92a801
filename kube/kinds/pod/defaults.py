"""Defaults of pods and pod templates, as Kubernetes fills them in.

Everything works in place on JSON objects and is idempotent: it runs on every write of a pod or of a workload.
"""

from __future__ import annotations

from typing import Any

from kube import quantity
from kube.kinds.pod.default_volumes import default_volume
from kube.objects import Json
from kube.pods.resources import of_containers
from kube.resourcelist import canonical_list, is_huge_page, is_pod_level, nano

DEFAULT_SCHEDULER = "default-scheduler"
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")


def default_pod_template(template: Json) -> None:
    """Defaults of the `template` of a workload (metadata and spec)."""
    template.setdefault("metadata", {})
    default_pod_spec(template.setdefault("spec", {}))


def default_pod(pod: Json) -> None:
    """Defaults of a Pod: those of a template, and what only a pod gets (requests from limits, host ports)."""
    spec = pod.setdefault("spec", {})
    default_pod_spec(spec)
    spec.setdefault("enableServiceLinks", True)
    for container in spec.get("containers") or ():
        _requests_from_limits(container)
    for container in spec.get("initContainers") or ():
        _requests_from_limits(container)
    if spec.get("resources"):
        _default_pod_level_requests(spec)
    if spec.get("hostNetwork"):
        _default_host_ports(spec)


def default_pod_spec(spec: Json) -> None:
    """Defaults of a pod's `spec`, wherever it stands."""
    setdefault = spec.setdefault
    spec["restartPolicy"] = spec.get("restartPolicy") or "Always"
    setdefault("terminationGracePeriodSeconds", 30)
    spec["dnsPolicy"] = spec.get("dnsPolicy") or "ClusterFirst"
    setdefault("securityContext", {})
    spec["schedulerName"] = spec.get("schedulerName") or DEFAULT_SCHEDULER
    if account := spec.get("serviceAccountName") or spec.get("serviceAccount"):
        spec["serviceAccountName"] = spec["serviceAccount"] = account
    for container in spec.get("containers") or ():
        default_container(container)
    for name in ("initContainers", "ephemeralContainers"):
        for container in spec.get(name) or ():
            default_container(container)
    for volume in spec.get("volumes") or ():
        default_volume(volume)
    if resources := spec.get("resources"):
        _canonical_resources(resources)
    canonical_list(spec.get("overhead"))


def default_container(container: Json) -> None:
    """Defaults of one container (ordinary, init or ephemeral)."""
    container["terminationMessagePath"] = container.get("terminationMessagePath") or "/dev/termination-log"
    container["terminationMessagePolicy"] = container.get("terminationMessagePolicy") or "File"
    if not container.get("imagePullPolicy"):
        container["imagePullPolicy"] = pull_policy(container.get("image") or "")
    _canonical_resources(container.setdefault("resources", {}))
    for port in container.get("ports") or ():
        if not port.get("protocol"):
            port["protocol"] = "TCP"
    for variable in container.get("env") or ():
        if source := variable.get("valueFrom"):
            _default_env_source(source)
    for name in _PROBES:
        if (probe := container.get(name)) is not None:
            default_probe(probe)
    if lifecycle := container.get("lifecycle"):
        _default_lifecycle(lifecycle)


def pull_policy(image: str) -> str:
    """`Always` for an image without a tag or tagged `latest`, else `IfNotPresent`."""
    if "@" in image:
        return "IfNotPresent"
    _, colon, tag = image.rpartition(":")
    return "IfNotPresent" if colon and "/" not in tag and tag != "latest" else "Always"


def default_probe(probe: Json) -> None:
    """Defaults of a liveness, readiness or startup probe."""
    probe["timeoutSeconds"] = probe.get("timeoutSeconds") or 1
    probe["periodSeconds"] = probe.get("periodSeconds") or 10
    probe["successThreshold"] = probe.get("successThreshold") or 1
    probe["failureThreshold"] = probe.get("failureThreshold") or 3
    if (get := probe.get("httpGet")) is not None:
        _default_http_get(get)
    elif (grpc := probe.get("grpc")) is not None:
        grpc.setdefault("service", "")


def _default_http_get(get: Json) -> None:
    get["path"] = get.get("path") or "/"
    get["scheme"] = get.get("scheme") or "HTTP"


def _default_lifecycle(lifecycle: Json) -> None:
    for name in ("postStart", "preStop"):
        if (get := (lifecycle.get(name) or {}).get("httpGet")) is not None:
            _default_http_get(get)


def _default_env_source(source: Json) -> None:
    if (reference := source.get("fieldRef")) is not None:
        reference["apiVersion"] = reference.get("apiVersion") or "v1"
    elif (reference := source.get("resourceFieldRef")) is not None:
        reference["divisor"] = quantity.canonical(reference.get("divisor") or "0")
    elif (reference := source.get("fileKeyRef")) is not None:
        reference.setdefault("optional", False)


def _canonical_resources(resources: Json) -> None:
    if resources:
        canonical_list(resources.get("limits"))
        canonical_list(resources.get("requests"))


def _requests_from_limits(container: Json) -> None:
    resources = container["resources"]
    if limits := resources.get("limits"):
        requests = resources.setdefault("requests", {})
        for name, value in limits.items():
            requests.setdefault(name, value)


def _default_pod_level_requests(spec: Json) -> None:
    """Requests of the whole pod: the sum over its containers where all state one, else the pod's limit."""
    resources = spec["resources"]
    limits: dict[str, Any] = resources.get("limits") or {}
    if not limits:
        return
    requests = dict(resources.get("requests") or {})
    if missing := limits.keys() - requests.keys():
        asked = of_containers(spec, nano)
        for name in missing:
            if not is_huge_page(name) and (total := asked.get(name)):
                requests[name] = str(quantity.Quantity(total, quantity.parse(limits[name]).notation))
    for name, value in limits.items():
        if is_pod_level(name):
            requests.setdefault(name, value)
    if requests:
        resources["requests"] = requests


def _default_host_ports(spec: Json) -> None:
    for name in ("containers", "initContainers"):
        for container in spec.get(name) or ():
            for port in container.get("ports") or ():
                if not port.get("hostPort") and port.get("containerPort"):
                    port["hostPort"] = port["containerPort"]

"""Defaults of pods, pod templates and volumes, as Kubernetes fills them in.

Everything works in place on JSON objects and is idempotent: it runs on every write of a pod or of a workload.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from kube import quantity
from kube.objects import Json
from kube.pods.resources import of_containers
from kube.resourcelist import canonical_list, is_huge_page, is_pod_level

DEFAULT_SCHEDULER = "default-scheduler"
FILE_MODE = 0o644
_IMAGE_LIMIT = 255
_PART = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_LABEL = "[A-Za-z0-9](?:[-A-Za-z0-9]*[A-Za-z0-9])?"
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?"
_is_image = re.compile(rf"(?:{_HOST}/)?{_PART}(?:/{_PART})*(?::\w[-.\w]{{0,127}})?", re.ASCII).fullmatch
_OFF_BY_DEFAULT = ("clusterTrustBundle", "podCertificate")  # what upstream drops where nobody switched it on
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")

# What a volume's source holds that does not say otherwise: where the field is absent, and where it is absent or empty.
_WHERE_ABSENT: dict[str, Json] = {
    "secret": {"defaultMode": FILE_MODE},
    "configMap": {"defaultMode": FILE_MODE},
    "downwardAPI": {"defaultMode": FILE_MODE},
    "projected": {"defaultMode": FILE_MODE},
    "hostPath": {"type": ""},
    "azureDisk": {"cachingMode": "ReadWrite", "kind": "Shared", "fsType": "ext4", "readOnly": False},
}
_WHERE_EMPTY: dict[str, Json] = {
    "iscsi": {"iscsiInterface": "default", "lun": 0},
    "rbd": {"pool": "rbd", "user": "admin", "keyring": "/etc/ceph/keyring"},
    "scaleIO": {"storageMode": "ThinProvisioned", "fsType": "xfs"},
}
_WITH_DEFAULTS = frozenset({*_WHERE_ABSENT, *_WHERE_EMPTY, "emptyDir", "ephemeral", "image"})


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
        for name in ("containers", "initContainers"):
            for container in spec.get(name) or ():
                for port in container.get("ports") or ():
                    if not port.get("hostPort") and port.get("containerPort"):
                        port["hostPort"] = port["containerPort"]


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
    spec.pop("schedulingGroup", None)  # of a feature that is off, as upstream by default


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
            if (reference := source.get("fieldRef")) is not None:
                _default_field(reference)
            elif (reference := source.get("resourceFieldRef")) is not None:
                _default_resource_field(reference)
            elif (reference := source.get("fileKeyRef")) is not None:
                reference.setdefault("optional", False)
    for name in _PROBES:
        if (probe := container.get(name)) is not None:
            default_probe(probe)
    if lifecycle := container.get("lifecycle"):
        lifecycle.pop("stopSignal", None)  # of a feature that is off, as upstream by default
        for name in ("postStart", "preStop"):
            if (get := (lifecycle.get(name) or {}).get("httpGet")) is not None:
                _default_http_get(get)


@lru_cache(maxsize=4096)
def pull_policy(image: str) -> str:
    """`Always` for an image without a tag or tagged `latest`, else `IfNotPresent`; also for what names no image."""
    if "@" in image or len(image) > _IMAGE_LIMIT or not _is_image(image):
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


def default_volume(volume: Json) -> None:
    """Defaults of one volume; a volume without a source is an emptyDir."""
    if not volume.keys() - {"name"}:
        volume["emptyDir"] = {}
    default_volume_source(volume)


def default_volume_source(holder: Json) -> None:
    """Defaults of the source that stands in `holder`: a pod's volume, or the spec of a PersistentVolume."""
    for name, source in holder.items():
        if name not in _WITH_DEFAULTS or source is None:
            continue
        if name in _WHERE_ABSENT:
            for field, value in _WHERE_ABSENT[name].items():
                source.setdefault(field, value)
        elif name in _WHERE_EMPTY:
            for field, value in _WHERE_EMPTY[name].items():
                source[field] = source.get(field) or value
        match name:
            case "projected":
                for part in source.get("sources") or ():
                    for name in _OFF_BY_DEFAULT:
                        part.pop(name, None)
                    if (token := part.get("serviceAccountToken")) is not None:
                        token.setdefault("expirationSeconds", 3600)
                    if downward := part.get("downwardAPI"):
                        _default_downward_items(downward)
            case "emptyDir":
                if source.get("sizeLimit") is not None:
                    source["sizeLimit"] = quantity.canonical(source["sizeLimit"])
            case "downwardAPI":
                _default_downward_items(source)
            case "ephemeral":
                if (template := source.get("volumeClaimTemplate")) is not None:
                    template.setdefault("metadata", {})
                    default_claim_spec(template.setdefault("spec", {}))
            case "image":
                source["pullPolicy"] = source.get("pullPolicy") or pull_policy(source.get("reference") or "")


def default_claim_spec(spec: Json) -> None:
    """Defaults of the spec of a PersistentVolumeClaim."""
    spec.setdefault("volumeMode", "Filesystem")
    resources = spec.setdefault("resources", {})
    canonical_list(resources.get("requests"))
    canonical_list(resources.get("limits"))


def _default_downward_items(source: Json) -> None:
    for item in source.get("items") or ():
        if (reference := item.get("fieldRef")) is not None:
            _default_field(reference)
        if (reference := item.get("resourceFieldRef")) is not None:
            _default_resource_field(reference)


def _default_http_get(get: Json) -> None:
    get["path"] = get.get("path") or "/"
    get["scheme"] = get.get("scheme") or "HTTP"


def _default_field(reference: Json) -> None:
    reference["apiVersion"] = reference.get("apiVersion") or "v1"


def _default_resource_field(reference: Json) -> None:
    reference["divisor"] = quantity.canonical(reference.get("divisor") or "0")


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
    for name, total in of_containers(spec, quantity.parse).items():
        if name not in requests and is_pod_level(name) and not is_huge_page(name):
            requests[name] = str(total)
    for name, value in limits.items():
        if is_pod_level(name):
            requests.setdefault(name, value)
    if requests:
        resources["requests"] = requests

"""Questions about a pod's JSON, each answered in one place."""

from __future__ import annotations

from collections.abc import Iterator

from kube import clock
from kube.objects import Json


def uid(pod: Json) -> str:
    value: str = pod["metadata"]["uid"]
    return value


def full_name(pod: Json) -> str:
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"


def mains(pod: Json) -> list[Json]:
    return pod["spec"].get("containers") or []


def inits(pod: Json) -> list[Json]:
    return pod["spec"].get("initContainers") or []


def ephemerals(pod: Json) -> list[Json]:
    """Containers that `kubectl debug` added to a pod that runs: started once, never again, and no part of its phase."""
    return pod["spec"].get("ephemeralContainers") or []


def is_sidecar(container: Json) -> bool:
    """An init container that goes on running beside the others."""
    return bool(container.get("restartPolicy") == "Always")


def all_containers(pod: Json) -> Iterator[Json]:
    yield from inits(pod)
    yield from mains(pod)
    yield from ephemerals(pod)


def container(pod: Json, name: str) -> Json | None:
    return next((c for c in all_containers(pod) if c["name"] == name), None)


def field_path(pod: Json, name: str) -> str:
    """How events point at a container."""
    section = "containers"
    if any(c["name"] == name for c in inits(pod)):
        section = "initContainers"
    elif any(c["name"] == name for c in ephemerals(pod)):
        section = "ephemeralContainers"
    return f"spec.{section}{{{name}}}"


def deleting(pod: Json) -> bool:
    return bool(pod["metadata"].get("deletionTimestamp"))


def phase(pod: Json) -> str:
    return (pod.get("status") or {}).get("phase") or "Pending"


def finished(pod: Json) -> bool:
    return phase(pod) in ("Succeeded", "Failed")


def grace_period(pod: Json) -> int:
    """Seconds between SIGTERM and SIGKILL; a delete request may have shortened it."""
    asked = pod["metadata"].get("deletionGracePeriodSeconds")
    if asked is not None:
        return int(asked)
    return int(pod["spec"].get("terminationGracePeriodSeconds", 30))


def start_time(pod: Json) -> float | None:
    text = (pod.get("status") or {}).get("startTime")
    return clock.parse(text) if text else None


def reported(pod: Json, name: str) -> Json | None:
    """The container's status as the API holds it."""
    status = pod.get("status") or {}
    for section in ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"):
        for entry in status.get(section) or ():
            if entry["name"] == name:
                found: Json = entry
                return found
    return None


def hostname(pod: Json, node: str) -> str:
    if pod["spec"].get("hostNetwork"):
        return node
    name: str = pod["spec"].get("hostname") or pod["metadata"]["name"]
    return name[:63].rstrip("-.")

"""Questions about a pod's JSON, each answered in one place. What it requests is in `kube.pods.resources`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from kube import clock, conditions

if TYPE_CHECKING:
    from kube.shapes import Container, ContainerLike, ContainerStatus, PodLike, PodSpecLike

FINISHED = ("Succeeded", "Failed")  # phases that a pod never leaves
GRACE_SECONDS = 30
# The sorts of containers: where they stand in the spec, and their statuses in the status.
SORTS = (
    ("initContainers", "initContainerStatuses"),
    ("containers", "containerStatuses"),
    ("ephemeralContainers", "ephemeralContainerStatuses"),
)
HostPort = tuple[str, str, int]  # protocol, host address, port


# -- the object ---------------------------------------------------------------------------------------------------------


def uid(pod: PodLike) -> str:
    value: str = pod["metadata"]["uid"]
    return value


def full_name(pod: PodLike) -> str:
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"


def hostname(pod: PodLike, node: str) -> str:
    if pod["spec"].get("hostNetwork"):
        return node
    name: str = pod["spec"].get("hostname") or pod["metadata"]["name"]
    return name[:63].rstrip("-.")


def deleting(pod: PodLike) -> bool:
    """Whether somebody deleted it; it goes when its node says that nothing runs any more."""
    return bool((pod.get("metadata") or {}).get("deletionTimestamp"))


def grace_period(pod: PodLike) -> int:
    """Seconds between SIGTERM and SIGKILL; a delete request may have shortened it."""
    asked = pod["metadata"].get("deletionGracePeriodSeconds")
    return int(asked) if asked is not None else own_grace_period(pod)


def own_grace_period(pod: PodLike) -> int:
    """Seconds that its spec gives it to stop."""
    asked = (pod.get("spec") or {}).get("terminationGracePeriodSeconds")
    return GRACE_SECONDS if asked is None else int(asked)


def overdue(pod: PodLike, now: float | None = None) -> bool:
    """Whether it was deleted and should be gone: its node is lost, or something holds it. `now` in epoch seconds."""
    metadata = pod["metadata"]
    since: str | None = metadata.get("deletionTimestamp")
    grace: int | None = metadata.get("deletionGracePeriodSeconds")
    if not since or grace is None:
        return False
    return (time.time() if now is None else now) > clock.parse(since) + grace


# -- containers of the spec ---------------------------------------------------------------------------------------------


def is_sidecar(container: ContainerLike) -> bool:
    """An init container that goes on running beside the others."""
    return bool(container.get("restartPolicy") == "Always")


def mains(pod: PodLike) -> list[Container]:
    return pod["spec"].get("containers") or []


def inits(pod: PodLike) -> list[Container]:
    return pod["spec"].get("initContainers") or []


def ephemerals(pod: PodLike) -> list[Container]:
    """Containers that `kubectl debug` added to a pod that runs: started once, never again, and no part of its phase."""
    return pod["spec"].get("ephemeralContainers") or []


def lasting(spec: PodSpecLike) -> list[Container]:
    """The containers that run at the same time, to the end of the pod: the sidecars come last."""
    containers: list[Container] = spec.get("containers") or []
    steps = spec.get("initContainers")
    return [*containers, *filter(is_sidecar, steps)] if steps else containers


def all_containers(spec: PodSpecLike, ephemeral: bool = True) -> Iterator[Container]:
    """Those that start first come first."""
    yield from spec.get("initContainers") or ()
    yield from spec.get("containers") or ()
    if ephemeral:
        yield from spec.get("ephemeralContainers") or ()


def container(pod: PodLike, name: str) -> Container | None:
    return next((c for c in all_containers(pod["spec"]) if c["name"] == name), None)


def field_path(pod: PodLike, name: str) -> str:
    """How events point at a container."""
    spec: Mapping[str, Any] = pod["spec"]
    section = next((s for s, _ in SORTS if any(c["name"] == name for c in spec.get(s) or ())), "containers")
    return f"spec.{section}{{{name}}}"


def host_ports(spec: PodSpecLike) -> tuple[HostPort, ...]:
    """Every port of the node that the pod takes; an unset address is 0.0.0.0."""
    found = {
        (port.get("protocol") or "TCP", port.get("hostIP") or "0.0.0.0", port["hostPort"])
        for container in lasting(spec)
        for port in container.get("ports") or ()
        if (port.get("hostPort") or 0) > 0
    }
    return tuple(sorted(found))


# -- the status ---------------------------------------------------------------------------------------------------------


def phase(pod: PodLike) -> str:
    return (pod.get("status") or {}).get("phase") or "Pending"


def finished(pod: PodLike) -> bool:
    """Whether all of it has ended, for good."""
    return phase(pod) in FINISHED


def active(pod: PodLike) -> bool:
    """Whether it counts as one that runs or will: neither finished nor being deleted."""
    return not finished(pod) and not deleting(pod)


def start_time(pod: PodLike) -> float | None:
    text = (pod.get("status") or {}).get("startTime")
    return clock.parse(text) if text else None


def ready(pod: PodLike) -> bool:
    return conditions.is_true(pod.get("status"), "Ready")


def available_in(since: str | None, min_ready: float, now: float) -> float:
    """Seconds until a pod that is ready `since` (RFC 3339) counts as available; 0: it does."""
    if not min_ready:
        return 0.0
    return max((clock.parse(since) if since else now) + min_ready - now, 0.0)


def statuses(pod: PodLike, ephemeral: bool = False) -> Iterator[tuple[ContainerStatus, bool]]:
    """(the status of a container, whether it is an init container), in the order in which they start."""
    status = pod.get("status") or {}
    for one in status.get("initContainerStatuses") or ():
        yield one, True
    for one in status.get("containerStatuses") or ():
        yield one, False
    if ephemeral:
        for one in status.get("ephemeralContainerStatuses") or ():
            yield one, False


def reported(pod: PodLike, name: str) -> ContainerStatus | None:
    """A container's status as the API holds it."""
    return next((one for one, _ in statuses(pod, ephemeral=True) if one["name"] == name), None)

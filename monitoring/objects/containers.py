"""kube_pod_container_* and kube_pod_init_container_*: the containers of a pod."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from kube.objects import Json
from monitoring.objects.families import Families, Maker, Sample, amounts, find, seconds
from monitoring.objects.selection import escape, labels

if TYPE_CHECKING:
    from kube.shapes import PodLike

Of = Callable[[Json], Iterable[tuple[str, float]]]  # of one status: further labels, value


def declare(pods: Families) -> None:
    """Add the families of both sorts of containers."""
    for prefix, spec, status in (
        ("kube_pod_container", "containers", "containerStatuses"),
        ("kube_pod_init_container", "initContainers", "initContainerStatuses"),
    ):
        word = "The container" if spec == "containers" else "The init container"
        pods.add(f"{prefix}_info", f"Information about {word.lower()} in a pod.", _info(spec, status))
        for name, text, of in _STATUS:
            pods.add(
                f"{prefix}_{name}",
                f"{word} {text}",
                _each(status, of),
                "counter" if name.endswith("_total") else "gauge",
            )
        for kind in ("requests", "limits"):
            pods.add(
                f"{prefix}_resource_{kind}",
                f"The number of resources that {word.lower()} {kind}.",
                _resources(spec, kind),
            )


def _info(spec: str, status: str) -> Maker:
    def make(pod: PodLike) -> Iterator[Sample]:
        declared = {c["name"]: c for c in find(pod, "spec", spec) or ()}
        for c in find(pod, "status", status) or ():
            own = declared.get(c["name"])
            if own is None:
                continue
            policy = {} if spec == "containers" else {"restart_policy": own.get("restartPolicy")}
            yield (
                labels(
                    container=c["name"],
                    image_spec=own.get("image"),
                    image=c.get("image"),
                    image_id=c.get("imageID"),
                    container_id=c.get("containerID"),
                    **policy,
                ),
                1,
            )

    return make


def _each(status: str, of: Of) -> Maker:
    def make(pod: PodLike) -> Iterator[Sample]:
        for c in find(pod, "status", status) or ():
            own = f',container="{escape(c["name"])}"'
            for more, value in of(c):
                yield own + more, value

    return make


def _resources(spec: str, kind: str) -> Maker:
    def make(pod: PodLike) -> Iterator[Sample]:
        node = pod["spec"].get("nodeName")
        for c in find(pod, "spec", spec) or ():
            found = find(c, "resources", kind)
            if found:
                yield from amounts(found, labels(container=c["name"], node=node))

    return make


def _in(state: str) -> Of:
    return lambda c: (("", state in (c.get("state") or ())),)


def _reason(field: str, state: str) -> Of:
    def of(c: Json) -> Iterable[tuple[str, float]]:
        found = find(c, field, state)
        return () if found is None else ((labels(reason=found.get("reason")), 1),)

    return of


def _last_exit(c: Json) -> Iterable[tuple[str, float]]:
    found = find(c, "lastState", "terminated")
    return () if found is None else (("", found.get("exitCode") or 0),)


def _last_end(c: Json) -> Iterable[tuple[str, float]]:
    found = find(c, "lastState", "terminated")
    return () if found is None else (("", seconds(found.get("finishedAt"))),)


def _started(c: Json) -> Iterable[tuple[str, float]]:
    state = c.get("state") or {}
    found = state.get("running", state.get("terminated"))
    return () if found is None else (("", seconds(found.get("startedAt"))),)


_STATUS: tuple[tuple[str, str, Of], ...] = (
    ("status_waiting", "is in the waiting state.", _in("waiting")),
    ("status_waiting_reason", "waits for this reason.", _reason("state", "waiting")),
    ("status_running", "is in the running state.", _in("running")),
    ("status_terminated", "is in the terminated state.", _in("terminated")),
    ("status_terminated_reason", "terminated for this reason.", _reason("state", "terminated")),
    ("status_last_terminated_reason", "was terminated before for this reason.", _reason("lastState", "terminated")),
    ("status_last_terminated_exitcode", "had this exit code when it was terminated before.", _last_exit),
    ("status_last_terminated_timestamp", "was terminated before at this unix timestamp.", _last_end),
    ("status_ready", "succeeded in its readiness check.", lambda c: (("", bool(c.get("ready"))),)),
    ("status_restarts_total", "was restarted so often.", lambda c: (("", c.get("restartCount") or 0),)),
    ("state_started", "started at this unix timestamp.", _started),
)

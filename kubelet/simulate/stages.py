"""What a simulated node makes of a pod.

A bound pod runs and is ready at once; pods of a Job succeed at once.  Some images say otherwise:
`never:1` waits with ImagePullBackOff, `fail:1` in a Job fails with exit code 1, `forever:1` in a Job goes on running.
"""

from __future__ import annotations

from kube import clock
from kube.objects import Json
from kube.pods import podutil
from kubelet.simulate import figures

STATEFUL_STOP = 0.4  # seconds
READY = ("Initialized", "Ready", "ContainersReady")


def trim(pod: Json) -> Json:
    """The part of a pod that is kept: thousands of them are."""
    metadata, spec, status = pod["metadata"], pod["spec"], pod.get("status") or {}
    keep = ("name", "namespace", "uid", "resourceVersion", "deletionTimestamp", "finalizers")
    kept = {key: metadata[key] for key in keep if key in metadata}
    owners = {owner["kind"] for owner in metadata.get("ownerReferences") or ()}
    kept["job"], kept["stateful"] = "Job" in owners, "StatefulSet" in owners
    return {
        "metadata": kept,
        "node": spec.get("nodeName", ""),
        "hostNetwork": bool(spec.get("hostNetwork")),
        "containers": [(c["name"], c["image"]) for c in spec["containers"]],
        "resources": [figures.resources(c) for c in spec["containers"]],
        "since": clock.parse(status["startTime"]) if status.get("startTime") else 0.0,
        "inits": [(c["name"], c["image"], podutil.is_sidecar(c)) for c in spec.get("initContainers") or ()],
        "gates": [gate["conditionType"] for gate in spec.get("readinessGates") or ()],
        "phase": podutil.phase(pod),
        "waiting": any("waiting" in c["state"] for c in status.get("containerStatuses") or ()),
        "conditions": status.get("conditions") or [],
    }


def stopping(pod: Json) -> float:
    """Seconds that a deleted pod takes to go: none, as its containers do nothing.

    Not so where a successor takes over the name. It would be there between two reads of one client: `kubectl delete` reads
    the pod, then lists it, and waits for ever on the replacement that it finds then.
    """
    return STATEFUL_STOP if pod["metadata"]["stateful"] else 0.0


def settled(pod: Json) -> bool:
    """Whether the pod already is as this node would make it."""
    return (pod["phase"] != "Pending" or pod["waiting"]) and not _demoted(pod)


def _demoted(pod: Json) -> bool:
    """Whether it was taken for not ready because its node was late: it runs all the same."""
    return pod["phase"] == "Running" and any(
        c["type"] == "Ready" and c["status"] == "False" and c.get("reason") == "NodeNotReady" for c in pod["conditions"]
    )


def status(pod: Json, address: str, host: str, now: str) -> Json:
    """The status of a bound pod; `now` is an RFC 3339 time."""
    if _demoted(pod):
        return {"conditions": _conditions(pod, {}, now)}
    images = [image.rpartition("/")[2] for _, image in pod["containers"]]
    common: Json = {"hostIP": host, "hostIPs": [{"ip": host}], "startTime": now}
    if "never:1" in images:
        return {**common, **_never(pod, now)}
    ip = host if pod["hostNetwork"] else address
    common |= {"podIP": ip, "podIPs": [{"ip": ip}]}
    if pod["inits"]:
        common["initContainerStatuses"] = [
            _container(name, image, {"running": {"startedAt": now}} if sidecar else _ended(0, now), True)
            for name, image, sidecar in pod["inits"]
        ]
    job = pod["metadata"]["job"]
    if not job or "forever:1" in images:
        return {**common, **_running(pod, now)}
    return {**common, **_done(pod, 1 if "fail:1" in images else 0, now)}


def _container(name: str, image: str, state: Json, ready: bool) -> Json:
    return {
        "name": name,
        "image": image,
        "imageID": "",
        "state": state,
        "lastState": {},
        "ready": ready,
        "restartCount": 0,
    }


def _ended(code: int, now: str) -> Json:
    reason = "Error" if code else "Completed"
    return {"terminated": {"exitCode": code, "reason": reason, "startedAt": now, "finishedAt": now}}


def _conditions(pod: Json, false: dict[str, str], now: str, message: str = "") -> list[Json]:
    """Our conditions first, then those that others set; `false` gives the reasons of those that do not hold."""
    result = []
    for kind in READY:
        value: Json = {"type": kind, "status": "True", "lastProbeTime": None, "lastTransitionTime": now}
        if kind in false:
            value |= {"status": "False", "reason": false[kind]}
            if message:
                value["message"] = message
        result.append(value)
    return result + [c for c in pod["conditions"] if c["type"] not in READY]


def _running(pod: Json, now: str) -> Json:
    state = {"running": {"startedAt": now}}
    true = {c["type"] for c in pod["conditions"] if c["status"] == "True"}
    gated = not set(pod["gates"]) <= true
    return {
        "phase": "Running",
        "conditions": _conditions(pod, {"Ready": "ReadinessGatesNotReady"} if gated else {}, now),
        "containerStatuses": [_container(name, image, state, True) for name, image in pod["containers"]],
    }


def _done(pod: Json, code: int, now: str) -> Json:
    reason = "PodFailed" if code else "PodCompleted"
    return {
        "phase": "Failed" if code else "Succeeded",
        "conditions": _conditions(pod, {"Ready": reason, "ContainersReady": reason}, now),
        "containerStatuses": [_container(n, i, _ended(code, now), False) for n, i in pod["containers"]],
    }


def _never(pod: Json, now: str) -> Json:
    names = " ".join(name for name, _ in pod["containers"])
    reasons = dict.fromkeys(("Ready", "ContainersReady"), "ContainersNotReady")
    message = f"containers with unready status: [{names}]"
    statuses = []
    for name, image in pod["containers"]:
        waiting = {"reason": "ImagePullBackOff", "message": f'Back-off pulling image "{image}"'}
        statuses.append(_container(name, image, {"waiting": waiting}, False))
    return {
        "phase": "Pending",
        "conditions": _conditions(pod, reasons, now, message),
        "containerStatuses": statuses,
    }

"""Why a pod or a node does not do what it should: findings in plain sentences, each with links to its evidence.

Pure: `explain_pod` and `explain_node` take decoded (and redacted) objects. A finding is `{"level", "title", "detail",
"evidence": [{"kind": "log"|"lines"|"charts"|"event"|"object"|"condition", …}]}`; most telling first. What happened at one
moment says when, in `at` (RFC 3339); "lines" are what the pod's container said until then, "charts" those of that time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboard.levels import BAD, PROGRESS, conditions
from kube import clock
from kube.objects import Json
from kube.pods import podutil

if TYPE_CHECKING:
    from kube.shapes import ContainerStateTerminated, ContainerStatus, NodeLike, PodLike

_SIGNALS = {1: "SIGHUP", 2: "SIGINT", 6: "SIGABRT", 9: "SIGKILL", 11: "SIGSEGV", 13: "SIGPIPE", 15: "SIGTERM"}
_EXITS = {
    1: "the program reported an error: its last log lines usually say which",
    2: "a usage error, or the shell could not parse the command",
    126: "the command was found but could not be executed: check its permissions and its interpreter",
    127: "the command was not found: check the image, the command and PATH",
    137: "it was killed with SIGKILL: out of memory, a failed liveness probe whose grace ran out, or someone killed it",
    139: "it crashed with a segmentation fault",
    143: "it was asked to end with SIGTERM, and did",
}
_WAITING = {
    "CrashLoopBackOff": "it keeps ending soon after its start; the kubelet waits longer before each new try",
    "ErrImagePull": "the image could not be pulled",
    "ImagePullBackOff": "the image could not be pulled; the kubelet waits before it tries again",
    "ErrImageNeverPull": "the image is not on the node and the pull policy forbids pulling it",
    "InvalidImageName": "the image's name cannot be parsed",
    "CreateContainerConfigError": "its configuration is incomplete: a ConfigMap, a Secret or a key of one is missing",
    "CreateContainerError": "the runtime could not create it",
    "RunContainerError": "the runtime could not start it",
}
_NODE = {
    "Ready": "The node is not ready",
    "MemoryPressure": "Memory is short",
    "DiskPressure": "The disk is short",
    "PIDPressure": "Process ids are short",
    "NetworkUnavailable": "The node has no network",
}
_PROBES = ("Unhealthy", "ProbeWarning")
_MAX_FINDINGS = 12


def exit_meaning(code: int) -> str:
    """What an exit code says, in words."""
    if code in _EXITS:
        return _EXITS[code]
    if 128 < code < 160:
        return f"it was ended by signal {_SIGNALS.get(code - 128, code - 128)}"
    return "the program chose this exit code"


def explain_pod(pod: PodLike, events: list[Json], now: float, node: NodeLike | None = None) -> list[Json]:
    """Findings about one pod; an empty list when nothing is wrong. `events` newest first; `now` in epoch seconds; `node` the
    pod's, None where it is not known."""
    status, phase = pod.get("status") or {}, podutil.phase(pod)
    findings = []
    if phase == "Failed" and (status.get("reason") or status.get("message")):
        title = f"The pod failed: {status.get('reason') or 'Failed'}"
        findings.append(_finding(BAD, title, status.get("message") or "The pod will not run again."))
    findings += _lost(pod, node)
    scheduled = conditions(pod).get("PodScheduled", {})
    if scheduled.get("status") == "False":
        detail = scheduled.get("message") or scheduled.get("reason") or "The scheduler gave no reason."
        evidence = {"kind": "condition", "name": "PodScheduled"}
        findings.append(_finding(BAD, "No node can take this pod", detail, evidence))
    if phase == "Pending" and (seen := _event(events, "FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox")):
        findings.append(_finding(BAD, "The node cannot prepare the pod", seen["text"], seen))
    findings += _stuck(pod, now)
    for one, init in podutil.statuses(pod):
        findings += _container(one, init, events, phase)
    return sorted(findings, key=lambda f: f["level"] != BAD)[:_MAX_FINDINGS]


def explain_node(node: NodeLike) -> list[Json]:
    """Findings about one node; an empty list when nothing is wrong."""
    found = conditions(node)
    wrong = []
    for name, title in _NODE.items():
        condition = found.get(name)
        if condition is None or (condition.get("status") == "True") == (name == "Ready"):
            continue
        if name == "Ready" and condition.get("status") == "Unknown":
            title = "The node has not been heard of"
        at = condition.get("lastTransitionTime")
        charts = {"kind": "charts", "at": at} if at else None
        detail = _sentence(condition.get("message") or condition.get("reason"))
        wrong.append({**_finding(BAD, title, detail, {"kind": "condition", "name": name}, charts), "at": at})
    if (node.get("spec") or {}).get("unschedulable"):
        wrong.append(_finding(PROGRESS, "The node takes no new pods", "It is cordoned: `kubectl uncordon` ends that."))
    return wrong


def _lost(pod: PodLike, node: NodeLike | None) -> list[Json]:
    """A pod that should run on a node that is not ready: nobody knows how it is."""
    ready = conditions(node).get("Ready", {}) if node else {}
    if node is None or ready.get("status") == "True" or podutil.finished(pod):
        return []
    name = node["metadata"]["name"]
    detail = _sentence(ready.get("message"), "what is shown of the pod is what was last heard")
    evidence = {"kind": "object", "storage": "nodes", "namespace": "", "name": name}
    finding = _finding(BAD, f"Its node {name} is not ready", detail, evidence)
    return [{**finding, "at": ready.get("lastTransitionTime")}]


def _finding(level: int, title: str, detail: str, *evidence: Json | None) -> Json:
    return {"level": level, "title": title, "detail": detail[:2000], "evidence": [e for e in evidence if e]}


def _event(events: list[Json], *reasons: str, container: str = "") -> Json | None:
    """Evidence: the newest event with one of these reasons (about this container, where the event says which)."""
    for event in events:
        path = (event.get("involvedObject") or {}).get("fieldPath") or ""
        if event.get("reason") in reasons and (not container or not path or "{" + container + "}" in path):
            return {
                "kind": "event",
                "namespace": event["metadata"].get("namespace", ""),
                "name": event["metadata"]["name"],
                "text": str(event.get("message") or "")[:1000],
                "reason": event.get("reason"),
            }
    return None


def _stuck(pod: PodLike, now: float) -> list[Json]:
    meta = pod.get("metadata") or {}
    since = meta.get("deletionTimestamp")
    if not since:
        return []
    late = now - clock.parse(since)
    if late < 5:
        return []
    detail = "The kubelet of its node has not confirmed that the containers ended."
    if holders := meta.get("finalizers"):
        detail = f"Its finalizers have not been removed: {', '.join(holders)}."
    node = (pod.get("spec") or {}).get("nodeName")
    evidence = {"kind": "object", "storage": "nodes", "namespace": "", "name": node} if node else None
    return [_finding(BAD, f"It should have been gone {clock.human(late)} ago", detail, evidence)]


def _container(one: ContainerStatus, init: bool, events: list[Json], phase: str) -> list[Json]:
    name, state = one.get("name", ""), one.get("state") or {}
    what = ("Init container " if init else "Container ") + name
    last = (one.get("lastState") or {}).get("terminated")
    waiting, ended = state.get("waiting") or {}, state.get("terminated")
    reason = waiting.get("reason") or ""
    if reason in _WAITING:
        detail, seen = (
            _sentence(waiting.get("message"), _WAITING[reason]),
            _event(events, "BackOff", "Failed", container=name),
        )
        findings = [_finding(BAD, f"{what}: {reason}", detail, seen)]
        return findings + (_ended(what, name, last, events, previous=True) if last else [])
    if ended and ended.get("exitCode"):
        return _ended(what, name, ended, events, previous=False)
    if last and last.get("exitCode") and not one.get("ready"):
        findings = _ended(what, name, last, events, previous=True)
    else:
        findings = []
    if phase == "Running" and "running" in state and not (init or one.get("ready")):
        seen = _event(events, *_PROBES, container=name)
        title = f"{what} has not {'started up' if one.get('started') is False else 'become ready'}"
        detail = seen["text"] if seen else "Its probe has not succeeded yet."
        findings.append(_finding(PROGRESS, title, detail, seen, {"kind": "log", "container": name, "previous": False}))
    return findings


def _sentence(*parts: str | None) -> str:
    """The parts that there are, each as a sentence."""
    said = [part.strip().rstrip(".") for part in parts if part]
    return ". ".join(one[:1].upper() + one[1:] for one in said) + "."


def _ended(
    what: str, container: str, ended: ContainerStateTerminated, events: list[Json], previous: bool
) -> list[Json]:
    code = int(ended.get("exitCode") or 0)
    if ended.get("reason") == "OOMKilled":
        title, meaning = f"{what} was killed: out of memory", "it used more memory than its limit allows"
    else:
        title = f"{what} {'last ' if previous else ''}ended with exit code {code}"
        meaning = exit_meaning(code)
    log = {"kind": "log", "container": container, "previous": previous}
    at = ended.get("finishedAt")
    then = [{"kind": "lines", "container": container, "at": at}, {"kind": "charts", "at": at}] if at else []
    probe = _event(events, *_PROBES, container=container) if code in (137, 143) else None
    killing = _event(events, "Killing", container=container) if probe else None
    detail = _sentence(ended.get("message"), killing["text"] if killing else None, meaning)
    return [{**_finding(BAD, title, detail, log, *then, probe, killing), "at": at}]

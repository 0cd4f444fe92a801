"""On which nodes a daemon pod should be, and what to create and delete to get there. Pure."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from controllers import revisions
from controllers.podcontrol import from_template
from controllers.pods import PodView
from kube import nodematch
from kube.objects import Json

if TYPE_CHECKING:
    from kube.shapes import NodeLike

GENERATION_LABEL = "pod-template-generation"
GENERATION = "deprecated.daemonset.template.generation"
_TOLERATED = (
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
)


class Fit(NamedTuple):
    """Whether a node should get a daemon pod, and whether one that is there may stay."""

    run: bool
    stay: bool


class Change(NamedTuple):
    """Nodes that need a pod, pods that are in the way, and finished pods that make room for new ones."""

    create: list[str]
    delete: list[PodView]
    finished: list[PodView]


def with_tolerations(spec: Json) -> Json:
    """The pod spec with the tolerations that keep a daemon on a node in trouble."""
    present = list(spec.get("tolerations") or [])
    wanted = [
        *_TOLERATED,
        *([("node.kubernetes.io/network-unavailable", "NoSchedule")] if spec.get("hostNetwork") else []),
    ]
    for key, effect in wanted:
        toleration = {"key": key, "operator": "Exists", "effect": effect}
        if toleration not in present:
            present.append(toleration)
    return {**spec, "tolerations": present}


def fit(spec: Json, node: NodeLike) -> Fit:
    """`spec` is that of the template with tolerations added."""
    name = node["metadata"]["name"]
    if spec.get("nodeName") and spec["nodeName"] != name:
        return Fit(False, False)
    if not nodematch.selects(spec, name, node["metadata"].get("labels") or {}):
        return Fit(False, False)
    taints, tolerations = (node.get("spec") or {}).get("taints") or (), spec["tolerations"]
    if nodematch.untolerated(taints, tolerations, ("NoSchedule", "NoExecute")):
        return Fit(False, not nodematch.untolerated(taints, tolerations, ("NoExecute",)))
    return Fit(True, True)


def pod_for(ds: Json, node: str, value: str) -> Json:
    """The daemon pod for a node, tied to it by affinity to its name; `value` is the hash of the template."""
    pod = from_template(ds["spec"]["template"], ds)
    labels = pod["metadata"].setdefault("labels", {})
    labels[revisions.REVISION_LABEL] = value
    generation = (ds["metadata"].get("annotations") or {}).get(GENERATION)
    if generation:
        labels[GENERATION_LABEL] = generation
    pod["spec"] = with_tolerations(pod["spec"])
    affinity = copy.deepcopy(pod["spec"].get("affinity") or {})
    term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}
    affinity.setdefault("nodeAffinity", {})["requiredDuringSchedulingIgnoredDuringExecution"] = {
        "nodeSelectorTerms": [term]
    }
    pod["spec"]["affinity"] = affinity
    return pod


def node_of(spec: Json) -> str:
    """The node a daemon pod is bound or tied to."""
    if spec.get("nodeName"):
        bound: str = spec["nodeName"]
        return bound
    required = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    )
    for term in (required or {}).get("nodeSelectorTerms") or ():
        for requirement in term.get("matchFields") or ():
            if requirement["key"] == "metadata.name" and len(requirement.get("values") or ()) == 1:
                tied: str = requirement["values"][0]
                return tied
    return ""


def by_node(placed: Iterable[tuple[str, PodView]]) -> dict[str, list[PodView]]:
    """Pods of each node, oldest first."""
    found: defaultdict[str, list[PodView]] = defaultdict(list)
    for node, pod in placed:
        found[node].append(pod)
    for pods in found.values():
        pods.sort(key=lambda pod: (pod.metadata.creationTimestamp or "", pod.name))
    return dict(found)


def changes(fits: dict[str, Fit], pods: dict[str, list[PodView]], surge: bool, current: str) -> Change:
    """What to do: `surge` lets an old and a new pod be on a node for a while; `current` is the template's hash."""
    change = Change([], [], [])
    for node, suits in fits.items():
        present = pods.get(node, [])
        if not suits.stay:
            change.delete.extend(pod for pod in present if not pod.terminating)
        elif present:
            _thin_out(present, surge, current, change)
        elif suits.run:
            change.create.append(node)
    for node in pods.keys() - fits.keys() - {""}:
        change.delete.extend(pod for pod in pods[node] if not pod.terminating)
    return change


def _thin_out(present: Sequence[PodView], surge: bool, current: str, change: Change) -> None:
    """Finished pods go (and come anew); of several, the oldest stays, with surge the oldest of each template."""
    alive = [pod for pod in present if not pod.terminating]
    change.finished.extend(pod for pod in alive if pod.finished)
    running = [pod for pod in alive if not pod.finished]
    if not surge:
        change.delete.extend(running[1:])
        return
    for is_new in (True, False):
        same = [pod for pod in running if (hash_label(pod) == current) is is_new]
        change.delete.extend(same[1:])


def hash_label(pod: PodView) -> str:
    return pod.metadata.labels.get(revisions.REVISION_LABEL, "")

"""Pods as the scheduler sees them: what many pods share (`PodClass`) and what is a pod's own (`PodInfo`).

The replicas of one ReplicaSet differ in name only, so everything that decides where they may run is parsed once and
shared: masks and scores computed for the class serve all of them.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from kube import clock, conditions, nodematch, ownerrefs
from kube.objects import Json
from kube.pods import podutil
from kube.pods.resources import in_force
from scheduler import requests
from scheduler.selection import Selection, Term, preferred_terms, required_terms, with_label_keys

if TYPE_CHECKING:
    from kube.shapes import PodLike

DEFAULT_SCHEDULER = "default-scheduler"
_CONTAINER_FIELDS = ("image", "resources", "ports", "restartPolicy")
_SPEC_FIELDS = (
    "nodeSelector",
    "affinity",
    "tolerations",
    "topologySpreadConstraints",
    "priority",
    "preemptionPolicy",
    "schedulingGates",
    "schedulerName",
    "overhead",
    "resources",
)


@dataclass(frozen=True, slots=True)
class Spread:
    """One topology spread constraint; `hard` is DoNotSchedule. The policies say which nodes' domains count."""

    selection: Selection
    topology: str
    max_skew: int
    hard: bool
    min_domains: int = 1
    honor_affinity: bool = True
    honor_taints: bool = False


@dataclass(eq=False, slots=True, weakref_slot=True)
class PodClass:
    """Everything about a pod that scheduling depends on. One instance for all pods that agree in it."""

    namespace: str
    labels: Mapping[str, str]
    owner: tuple[str, str, str]  # kind, name and uid of the controller, empty without
    spec: Json  # the fields of the pod's spec that scheduling looks at, without containers
    requests: dict[str, int]
    scoring: tuple[int, int]
    ports: tuple[tuple[str, str, int], ...]
    nodes: tuple[nodematch.Term, ...] | None  # one of which the node must suit; None: any node
    preferred_nodes: tuple[tuple[nodematch.Term, int], ...]  # and what each is worth
    required: tuple[Term, ...]
    preferred: tuple[Term, ...]
    anti_required: tuple[Term, ...]
    anti_preferred: tuple[Term, ...]
    spreads: tuple[Spread, ...]
    images: tuple[str, ...]
    claims: tuple[str, ...]  # names of claims; an ephemeral volume's as ":" + volume name
    memo: dict[str, Any] = field(default_factory=dict)  # what readers derived from the class, per reader

    @property
    def priority(self) -> int:
        return self.spec.get("priority") or 0

    @property
    def scheduler(self) -> str:
        return self.spec.get("schedulerName") or DEFAULT_SCHEDULER

    @property
    def gated(self) -> bool:
        return bool(self.spec.get("schedulingGates"))

    @property
    def owner_kind(self) -> str:
        return self.owner[0]

    @property
    def owner_name(self) -> str:
        return self.owner[1]

    @property
    def has_terms(self) -> bool:
        return bool(self.required or self.preferred or self.anti_required or self.anti_preferred)


@dataclass(eq=False, slots=True)
class PodInfo:
    """One pod. `node` is where it is bound or assumed, `nominated` where preemption makes room for it."""

    namespace: str
    name: str
    uid: str
    cls: PodClass
    created: float
    node: str = ""
    nominated: str = ""
    started: float = 0.0
    finished: bool = False
    deleting: bool = False
    bound: bool = False  # the store says so; an assumed pod has a node, too
    condition: tuple[str, str] = ("", "")  # reason and message of PodScheduled=False
    attempts: int = 0

    @property
    def key(self) -> tuple[str, str]:
        return self.namespace, self.name

    def claim_names(self) -> list[str]:
        """Names of the persistent volume claims that the pod uses."""
        return [f"{self.name}-{claim[1:]}" if claim.startswith(":") else claim for claim in self.cls.claims]


_classes: weakref.WeakValueDictionary[bytes, PodClass] = weakref.WeakValueDictionary()


def pod_info(pod: PodLike) -> PodInfo:
    """Digest a Pod object."""
    meta, spec, status = pod["metadata"], pod.get("spec") or {}, pod.get("status") or {}
    info = PodInfo(
        meta.get("namespace", ""),
        meta["name"],
        meta.get("uid", ""),
        pod_class(pod),
        _time(meta.get("creationTimestamp")),
    )
    info.node = spec.get("nodeName") or ""
    info.bound = bool(info.node)
    info.nominated = status.get("nominatedNodeName") or ""
    info.started = _time(status.get("startTime")) or info.created
    info.finished = podutil.finished(pod)
    info.deleting = podutil.deleting(pod)
    scheduled = conditions.find(status, "PodScheduled")
    if scheduled and scheduled.get("status") == "False":
        info.condition = (scheduled.get("reason") or "", scheduled.get("message") or "")
    return info


def _time(text: str | None) -> float:
    return clock.parse(text) if text else 0.0


def pod_class(pod: PodLike) -> PodClass:
    """The shared class of a Pod object; the same instance for all pods that scheduling cannot tell apart."""
    meta, spec = pod["metadata"], in_force(pod)
    kept: Json = {name: spec[name] for name in _SPEC_FIELDS if spec.get(name)}
    for name in ("containers", "initContainers"):
        kept[name] = [{field: c[field] for field in _CONTAINER_FIELDS if c.get(field)} for c in spec.get(name) or []]
    # Names of claims; of a generic ephemeral volume, whose claim is named after the pod, ":" and the volume's name.
    volumes = spec.get("volumes") or []
    named = [volume["persistentVolumeClaim"]["claimName"] for volume in volumes if volume.get("persistentVolumeClaim")]
    kept["claims"] = named + [f":{volume['name']}" for volume in volumes if volume.get("ephemeral")]
    manager = ownerrefs.controller(meta)
    owner = (manager["kind"], manager["name"], manager["uid"]) if manager else ("", "", "")
    labels = meta.get("labels") or {}
    identity = {"namespace": meta.get("namespace", ""), "labels": labels, "owner": owner, "spec": kept}
    key = orjson.dumps(identity, option=orjson.OPT_SORT_KEYS)
    found = _classes.get(key)
    if found is None:
        found = _classes[key] = _parse(identity, kept)
    return found


def _parse(identity: Json, spec: Json) -> PodClass:
    namespace, labels = identity["namespace"], identity["labels"]
    containers, inits = spec.pop("containers"), spec.pop("initContainers")
    full = {**spec, "containers": containers, "initContainers": inits}
    affinity = spec.get("affinity") or {}
    nodes, near, apart = (
        affinity.get("nodeAffinity") or {},
        affinity.get("podAffinity"),
        affinity.get("podAntiAffinity"),
    )
    return PodClass(
        namespace=namespace,
        labels=labels,
        owner=identity["owner"],
        spec=spec,
        requests=requests.requests(full),
        scoring=requests.scoring_requests(full),
        ports=podutil.host_ports(full),
        nodes=nodematch.alternatives(spec),
        preferred_nodes=tuple(
            (nodematch.term(wish.get("preference") or {}), wish.get("weight") or 0)
            for wish in nodes.get("preferredDuringSchedulingIgnoredDuringExecution") or ()
        ),
        required=required_terms(near, namespace, labels),
        preferred=preferred_terms(near, namespace, labels),
        anti_required=required_terms(apart, namespace, labels),
        anti_preferred=preferred_terms(apart, namespace, labels),
        spreads=tuple(_spread(raw, namespace, labels) for raw in spec.get("topologySpreadConstraints") or []),
        images=tuple(c["image"] for c in [*inits, *containers] if c.get("image")),
        claims=tuple(spec["claims"]),
    )


def _spread(raw: Json, namespace: str, labels: Mapping[str, str]) -> Spread:
    selector = with_label_keys(raw.get("labelSelector"), labels, raw.get("matchLabelKeys") or [])
    return Spread(
        Selection.of(frozenset((namespace,)), selector),
        raw.get("topologyKey") or "",
        raw.get("maxSkew") or 1,
        raw.get("whenUnsatisfiable", "DoNotSchedule") == "DoNotSchedule",
        raw.get("minDomains") or 1,
        (raw.get("nodeAffinityPolicy") or "Honor") == "Honor",
        (raw.get("nodeTaintsPolicy") or "Ignore") == "Honor",
    )

"""bind: assign a pod to a node."""

from __future__ import annotations

import orjson

from cluster.admission.pod_topology import topology
from cluster.plan import Commit, Plan, first
from cluster.store import Write
from cluster.verbs import metadata
from cluster.verbs.call import ATTEMPTS, Call, Outcome
from kube import conditions
from kube.errors import BadRequest, Conflict, NotFound
from kube.objects import Json


def plan(call: Call, binding: Json) -> Plan[Outcome]:
    """Set `spec.nodeName` to the target of a Binding. Raises Conflict when the pod is bound, gated or being deleted."""
    target = binding.get("target") or {}
    if target.get("kind") not in (None, "", "Node"):
        raise BadRequest(f'target.kind: Unsupported value: "{target["kind"]}": supported values: "Node", "<empty>"')
    if not target.get("name"):
        raise BadRequest("target.name: Required value")
    given = (binding.get("metadata") or {}).get("labels") or {}
    labels = {**topology(call.session.cache, target["name"]), **given}
    for _ in range(ATTEMPTS):
        entry = call.session.read(call.key)
        if entry is None:
            raise call.not_found()
        pod = entry.object()
        metadata.check_uid(call, binding.get("metadata") or {}, pod["metadata"])
        bound(pod, binding, target["name"], labels)
        if call.dry_run:
            return Outcome(orjson.dumps(pod))
        try:
            return Outcome(first((yield Commit([Write("update", entry.key, pod, entry.revision)]))).body, written=pod)
        except NotFound as error:
            raise call.not_found() from error
        except Conflict:  # somebody else wrote in between: once more, on the newer pod
            continue
    raise call.conflict()


def bound(pod: Json, binding: Json, node: str, labels: dict[str, str]) -> Json:
    """The pod on its node, with the condition that says so, these labels and the annotations of the binding."""
    meta, spec, status = pod["metadata"], pod["spec"], pod.setdefault("status", {})
    name = meta["name"]
    if meta.get("deletionTimestamp"):
        raise _refused(name, f"pod {name} is being deleted, cannot be assigned to a host")
    if spec.get("nodeName"):
        raise _refused(name, f'pod {name} is already assigned to node "{spec["nodeName"]}"')
    if spec.get("schedulingGates"):
        raise _refused(name, f"pod {name} has non-empty .spec.schedulingGates")
    spec["nodeName"] = node
    for field, given in (("labels", labels), ("annotations", (binding.get("metadata") or {}).get("annotations"))):
        if given:
            meta.setdefault(field, {}).update(given)
    conditions.update(status, {"type": "PodScheduled", "status": "True", "lastProbeTime": None})
    return pod


def _refused(name: str, detail: str) -> Conflict:
    return Conflict("pods/binding", name, detail=detail)

"""NodeRestriction: a kubelet changes its own node, its own lease and the pods bound to it, and nothing else."""

from __future__ import annotations

from cluster import nodeauthz
from cluster.admission.plugin import CREATE, DELETE, UPDATE, Plugin
from cluster.admission.request import Request

MIRROR = "kubernetes.io/config.mirror"
_PROTECTED = "node-restriction.kubernetes.io"
_OWN_LABELS = frozenset(
    {
        "kubernetes.io/hostname",
        "kubernetes.io/arch",
        "kubernetes.io/os",
        "beta.kubernetes.io/arch",
        "beta.kubernetes.io/os",
        "beta.kubernetes.io/instance-type",
        "node.kubernetes.io/instance-type",
        "topology.kubernetes.io/region",
        "topology.kubernetes.io/zone",
        "failure-domain.beta.kubernetes.io/region",
        "failure-domain.beta.kubernetes.io/zone",
    }
)


class NodeRestriction(Plugin):
    operations = frozenset({CREATE, UPDATE, DELETE})
    storages = frozenset({"pods", "nodes", "leases.coordination.k8s.io", "csinodes.storage.k8s.io"})
    subresources = frozenset({"", "status", "eviction"})

    def validate(self, request: Request) -> None:
        node = nodeauthz.node_of(request.user)
        if not node:
            return
        if request.kind.storage == "pods":
            self._check_pod(request, node)
        elif request.kind.storage == "nodes":
            self._check_node(request, node)
        elif request.name != node:
            raise request.forbid(f"can only access {request.kind.plural} with the same name as the requesting node")

    def _check_pod(self, request: Request, node: str) -> None:
        pod = request.old or request.obj
        if (pod.get("spec") or {}).get("nodeName") != node:
            raise request.forbid(
                f'node "{node}" can only {request.operation.lower()} pods with spec.nodeName set to itself'
            )
        if request.operation == CREATE and MIRROR not in (pod["metadata"].get("annotations") or {}):
            raise request.forbid(f'pod does not have "{MIRROR}" annotation, node "{node}" can only create mirror pods')
        if request.operation == UPDATE and not request.subresource:
            raise request.forbid(f'node "{node}" can only update the status of pods')

    def _check_node(self, request: Request, node: str) -> None:
        if request.name != node:
            raise request.forbid(f'node "{node}" is not allowed to modify node "{request.name}"')
        labels = request.obj["metadata"].get("labels") or {}
        before = ((request.old or {}).get("metadata") or {}).get("labels") or {}
        changed = [key for key in labels.keys() | before.keys() if labels.get(key) != before.get(key)]
        refused = sorted(key for key in changed if not _may_set(key))
        if refused:
            raise request.forbid(f'node "{node}" is not allowed to modify labels: {", ".join(refused)}')
        if request.operation == UPDATE and request.old is not None:
            taints = [((o.get("spec") or {}).get("taints") or []) for o in (request.obj, request.old)]
            if taints[0] != taints[1]:
                raise request.forbid(f'node "{node}" is not allowed to modify taints')


def _may_set(label: str) -> bool:
    domain = label.partition("/")[0] if "/" in label else ""
    if domain == _PROTECTED or domain.endswith(f".{_PROTECTED}"):
        return False
    reserved = any(domain == d or domain.endswith(f".{d}") for d in ("kubernetes.io", "k8s.io"))
    kubelet = any(domain == d or domain.endswith(f".{d}") for d in ("kubelet.kubernetes.io", "node.kubernetes.io"))
    return not reserved or kubelet or label in _OWN_LABELS

"""The Node authoriser: what the kubelet of a node may read follows from the pods bound to that node."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from cluster.cache import Cache
from cluster.rbac import ALLOWED, DENIED, Attributes, Decision, rule_allows
from cluster.store import Key
from kube.pods import podutil
from kube.users import User

if TYPE_CHECKING:
    from kube.shapes import Container, PodLike

NODES_GROUP = "system:nodes"
PREFIX = "system:node:"


def _rule(groups: str, resources: str, verbs: str) -> dict[str, Any]:
    return {"apiGroups": groups.split(",") if groups else [""], "resources": resources.split(), "verbs": verbs.split()}


# What every node may do without a relation to the object.
RULES = [
    _rule("authentication.k8s.io", "tokenreviews", "create"),
    _rule("authorization.k8s.io", "localsubjectaccessreviews subjectaccessreviews", "create"),
    _rule("", "services", "get list watch"),
    _rule("", "nodes", "create get list watch"),
    _rule("", "nodes/status", "patch update"),
    _rule("", "nodes", "patch update"),
    _rule("", "events", "create patch update"),
    _rule("events.k8s.io", "events", "create patch update"),
    _rule("", "pods", "get list watch create delete"),
    _rule("", "pods/status", "patch update"),
    _rule("", "pods/eviction", "create"),
    _rule("certificates.k8s.io", "certificatesigningrequests", "create get list watch"),
    _rule("storage.k8s.io", "volumeattachments", "get"),
    _rule("storage.k8s.io", "csidrivers", "get list watch"),
    _rule("storage.k8s.io", "csinodes", "create delete get patch update"),
    _rule("coordination.k8s.io", "leases", "create delete get patch update"),
    _rule("node.k8s.io", "runtimeclasses", "get list watch"),
]
_OWN = frozenset({"leases", "csinodes"})  # only the object named like the node
_RELATED = frozenset({"secrets", "configmaps", "persistentvolumeclaims", "persistentvolumes"})
_READ = frozenset({"get", "list", "watch"})


def node_of(user: User) -> str:
    """The name of the node whose kubelet this user is, or ""."""
    return user.name[len(PREFIX) :] if NODES_GROUP in user.groups and user.name.startswith(PREFIX) else ""


def decide(cache: Cache, user: User, want: Attributes) -> Decision | None:
    """The decision about a node's request; None for users that are no nodes."""
    node = node_of(user)
    if not node or want.path:
        return None
    if want.group == "" and want.resource in _RELATED and want.verb in _READ and not want.subresource:
        if not want.name:
            return Decision(False, "No Object name found")
        if want.resource == "persistentvolumes":
            related = any(_claims_volume(cache, pod, want.name) for pod in _pods(cache, node, ""))
        else:
            related = any((want.resource, want.name) in references(pod) for pod in _pods(cache, node, want.namespace))
        return ALLOWED if related else Decision(False, f"no relationship found between node '{node}' and this object")
    if want.resource == "serviceaccounts" and want.subresource == "token" and want.verb == "create":
        used = any(pod["spec"].get("serviceAccountName") == want.name for pod in _pods(cache, node, want.namespace))
        return ALLOWED if used else Decision(False, f"no relationship found between node '{node}' and this object")
    if want.resource in _OWN and want.name and want.name != node:
        return Decision(False, f"can only access {want.resource} with the same name as the requesting node")
    return ALLOWED if any(rule_allows(rule, want) for rule in RULES) else DENIED


def _pods(cache: Cache, node: str, namespace: str) -> Iterator[dict[str, Any]]:
    for entry in cache.by_node(node):
        if not namespace or entry.key.namespace == namespace:
            yield entry.object()


def _claims_volume(cache: Cache, pod: dict[str, Any], volume: str) -> bool:
    for resource, name in references(pod):
        if resource == "persistentvolumeclaims":
            claim = cache.get(Key("persistentvolumeclaims", pod["metadata"]["namespace"], name))
            if claim and (claim.object().get("spec") or {}).get("volumeName") == volume:
                return True
    return False


def references(pod: PodLike) -> set[tuple[str, str]]:
    """What a pod reads of its namespace, as (resource, name): secrets, config maps and claims."""
    spec = pod["spec"]
    found = {("secrets", ref.get("name", "")) for ref in spec.get("imagePullSecrets") or ()}
    for volume in spec.get("volumes") or ():
        found.update(_volume_references(volume))
    for container in podutil.all_containers(spec):
        found.update(_environment_references(container))
    return found


def _volume_references(volume: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if "secret" in volume:
        yield "secrets", volume["secret"].get("secretName", "")
    if "configMap" in volume:
        yield "configmaps", volume["configMap"].get("name", "")
    if "persistentVolumeClaim" in volume:
        yield "persistentvolumeclaims", volume["persistentVolumeClaim"].get("claimName", "")
    for source in (volume.get("projected") or {}).get("sources") or ():
        if "secret" in source:
            yield "secrets", source["secret"].get("name", "")
        if "configMap" in source:
            yield "configmaps", source["configMap"].get("name", "")


def audiences(cache: Cache, pod: PodLike) -> set[str]:
    """For whom the volumes of a pod want tokens: those that say so, and those whose CSI driver does. "": the API."""
    found: set[str] = set()
    namespace = pod["metadata"]["namespace"]
    for volume in pod["spec"].get("volumes") or ():
        for source in (volume.get("projected") or {}).get("sources") or ():
            if "serviceAccountToken" in source:
                found.add(source["serviceAccountToken"].get("audience") or "")
        driver = cache.get(Key("csidrivers.storage.k8s.io", "", _driver(cache, pod, namespace, volume)))
        wanted = driver.object()["spec"].get("tokenRequests") if driver else None
        found.update(request.get("audience") or "" for request in wanted or ())
    return found


def _driver(cache: Cache, pod: PodLike, namespace: str, volume: dict[str, Any]) -> str:
    """The CSI driver of a volume, "" where it has none."""
    if "csi" in volume:
        return str(volume["csi"].get("driver", ""))
    claim = (volume.get("persistentVolumeClaim") or {}).get("claimName")
    if "ephemeral" in volume:
        claim = f"{pod['metadata']['name']}-{volume['name']}"
    bound = cache.get(Key("persistentvolumeclaims", namespace, claim)) if claim else None
    name = (bound.object().get("spec") or {}).get("volumeName") if bound else None
    held = cache.get(Key("persistentvolumes", "", name)) if name else None
    return str((held.object()["spec"].get("csi") or {}).get("driver", "")) if held else ""


def _environment_references(container: Container) -> Iterator[tuple[str, str]]:
    for source in container.get("envFrom") or ():
        if "secretRef" in source:
            yield "secrets", source["secretRef"].get("name", "")
        if "configMapRef" in source:
            yield "configmaps", source["configMapRef"].get("name", "")
    for variable in container.get("env") or ():
        source = variable.get("valueFrom") or {}
        if "secretKeyRef" in source:
            yield "secrets", source["secretKeyRef"].get("name", "")
        if "configMapKeyRef" in source:
            yield "configmaps", source["configMapKeyRef"].get("name", "")

"""EndpointSlices of Services with a selector."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cluster.cache import Cache
from cluster.store import Key
from controllers.endpoints import backends, slices
from controllers.endpoints.backends import Backend, Port
from controllers.runtime import Context, Controller, Result, Watch, own_key, split_key
from kube import clock, ownerrefs
from kube.objects import Json

MANAGER = "endpointslice-controller.k8s.io"
ZONE = "topology.kubernetes.io/zone"


class EndpointSliceController(Controller):
    """Key: a Service."""

    name = "endpointslice"
    user = "system:serviceaccount:kube-system:endpointslice-controller"
    watches = (
        Watch("services", own_key),
        Watch("pods", backends.selecting_keys, backends.pod_matters),
        Watch(slices.STORAGE, slices.service_keys(MANAGER)),
    )

    def reconcile(self, key: str, ctx: Context) -> Result:
        namespace, name = split_key(key)
        entry = ctx.cache.get(Key("services", namespace, name))
        if entry is None or entry.meta.deletionTimestamp or backends.selector(entry) is None:
            return None  # what it owned is collected as garbage
        service = entry.object()
        existing = slices.of_service(ctx.cache, namespace, name, MANAGER)
        pods = backends.backends_of(ctx.cache, service)
        wanted = wanted_slices(service, pods, lambda node: _zone(ctx.cache, node))
        slices.write(ctx.session, namespace, slices.plan(wanted, existing, template(service, ctx.now())))
        return None


def _zone(cache: Cache, node: str) -> str:
    entry = cache.get(Key("nodes", "", node)) if node else None
    return entry.labels.get(ZONE, "") if entry else ""


def template(service: Json, now: float) -> Json:
    """Metadata that all slices of a Service share."""
    meta = service["metadata"]
    labels = {name: value for name, value in (meta.get("labels") or {}).items() if name != backends.HEADLESS}
    labels |= {slices.SERVICE_LABEL: meta["name"], slices.MANAGER_LABEL: MANAGER}
    if backends.is_headless(service):
        labels[backends.HEADLESS] = ""
    reference = ownerrefs.reference({**service, "apiVersion": "v1", "kind": "Service"})
    return {"labels": labels, "ownerReferences": [reference], "annotations": {slices.TRIGGER: clock.stamp(now)}}


def wanted_slices(service: Json, pods: Iterable[Backend], zone_of: Any) -> list[slices.Wanted]:
    """What the slices must hold, by address family and ports; an empty one where there is no pod."""
    families = service["spec"].get("ipFamilies") or ["IPv4"]
    groups: dict[tuple[str, tuple[Port, ...]], slices.Wanted] = {}
    for pod in pods:
        ports = backends.ports_of(service, pod)
        for family in families:
            addresses = pod.addresses(family)
            if not addresses or not (ports or backends.is_headless(service)):
                continue
            group = groups.get((family, ports))
            if group is None:
                group = groups[family, ports] = slices.Wanted(family, [_port(port) for port in ports])
            group.endpoints.append(endpoint(service, pod, addresses[:1], zone_of(pod.spec.nodeName)))
    covered = {family for family, _ in groups}
    return [*groups.values(), *(slices.Wanted(family, []) for family in families if family not in covered)]


def _port(port: Port) -> Json:
    made: Json = {"name": port.name, "port": port.number, "protocol": port.protocol}
    return {**made, "appProtocol": port.app} if port.app else made


def endpoint(service: Json, pod: Backend, addresses: list[str], zone: str) -> Json:
    """One endpoint of a slice."""
    serving = pod.ready
    ready = backends.publishes_not_ready(service) or (serving and not pod.terminating)
    made: Json = {
        "addresses": addresses,
        "conditions": {"ready": ready, "serving": serving, "terminating": pod.terminating},
    }
    if hostname := backends.hostname_of(service, pod):
        made["hostname"] = hostname
    if pod.spec.nodeName:
        made["nodeName"] = pod.spec.nodeName
    made["targetRef"] = pod.target()
    if zone:
        made["zone"] = zone
    return made

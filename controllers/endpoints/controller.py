"""The Endpoints object of each Service with a selector (older clients read it in place of slices)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from cluster.store import Key
from controllers.endpoints import backends, slices
from controllers.endpoints.backends import Backend, Port
from controllers.runtime import Context, Controller, Result, Watch, own_key, split_key
from kube import clock
from kube.errors import NotFound
from kube.objects import Json

LARGEST = 1000
OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity"
MANAGED_BY = ("endpoints.kubernetes.io/managed-by", "endpoint-controller")


class EndpointsController(Controller):
    """Key: a Service."""

    name = "endpoints"
    user = "system:serviceaccount:kube-system:endpoint-controller"
    watches = (
        Watch("services", own_key),
        Watch("pods", backends.selecting_keys, backends.pod_matters),
        Watch("endpoints", own_key),
    )

    def reconcile(self, key: str, ctx: Context) -> Result:
        namespace, name = split_key(key)
        service = ctx.cache.get(Key("services", namespace, name))
        present = ctx.cache.get(Key("endpoints", namespace, name))
        if service is None or service.meta.deletionTimestamp:
            if present is not None and _is_ours(present.object()):
                with contextlib.suppress(NotFound):
                    ctx.session.delete("endpoints", namespace, name)
        elif backends.selector(service) is not None:
            obj = service.object()
            pods = backends.backends_of(ctx.cache, obj)
            self._write(ctx, obj, present.object() if present else None, subsets(obj, pods))
        return None

    @staticmethod
    def _write(ctx: Context, service: Json, present: Json | None, wanted: list[Json]) -> None:
        meta = service["metadata"]
        labels = {**(meta.get("labels") or {}), MANAGED_BY[0]: MANAGED_BY[1]}
        if backends.is_headless(service):
            labels[backends.HEADLESS] = ""
        if (
            present is not None
            and (present.get("subsets") or []) == wanted
            and ((present["metadata"].get("labels") or {}) == labels)
        ):
            return
        annotations = {slices.TRIGGER: clock.stamp(ctx.now())}
        if sum(len(s.get("addresses") or ()) + len(s.get("notReadyAddresses") or ()) for s in wanted) == LARGEST:
            annotations[OVER_CAPACITY] = "truncated"
        kept = dict((present or {}).get("metadata") or {"name": meta["name"]})
        body = {"metadata": {**kept, "labels": labels, "annotations": annotations}, "subsets": wanted}
        if present is None:
            ctx.session.create("endpoints", meta["namespace"], body)
        else:
            ctx.session.update("endpoints", meta["namespace"], meta["name"], body)


def _is_ours(endpoints: Json) -> bool:
    labels, annotations = (endpoints["metadata"].get(name) or {} for name in ("labels", "annotations"))
    return labels.get(MANAGED_BY[0]) == MANAGED_BY[1] or slices.TRIGGER in annotations


def subsets(service: Json, pods: Iterable[Backend]) -> list[Json]:
    """The subsets: addresses by the ports they serve; at most 1000 addresses, ready ones first."""
    tolerant = backends.publishes_not_ready(service)
    family = (service["spec"].get("ipFamilies") or ["IPv4"])[0]
    groups: dict[tuple[Port, ...], tuple[list[Json], list[Json]]] = {}
    for pod in sorted(pods, key=lambda p: not p.ready):
        addresses = pod.addresses(family)
        ports = backends.ports_of(service, pod)
        if not addresses or (pod.terminating and not tolerant) or not (ports or backends.is_headless(service)):
            continue
        ready, waiting = groups.setdefault(ports, ([], []))
        if sum(len(a) + len(b) for a, b in groups.values()) < LARGEST:
            (ready if pod.ready or tolerant else waiting).append(_address(service, pod, addresses[0]))
    return [_subset(ports, ready, waiting) for ports, (ready, waiting) in sorted(groups.items())]


def _address(service: Json, pod: Backend, ip: str) -> Json:
    made: Json = {"ip": ip}
    if hostname := backends.hostname_of(service, pod):
        made["hostname"] = hostname
    if pod.spec.nodeName:
        made["nodeName"] = pod.spec.nodeName
    return {**made, "targetRef": pod.target()}


def _subset(ports: tuple[Port, ...], ready: list[Json], waiting: list[Json]) -> Json:
    made: Json = {}
    for name, addresses in (("addresses", ready), ("notReadyAddresses", waiting)):
        if addresses:
            made[name] = sorted(addresses, key=lambda a: a["ip"])
    if ports:
        made["ports"] = [_port(port) for port in ports]
    return made


def _port(port: Port) -> Json:
    made: Json = {"port": port.number, "protocol": port.protocol}
    if port.name:
        made = {"name": port.name, **made}
    return {**made, "appProtocol": port.app} if port.app else made

"""EndpointSlices that mirror Endpoints written by users for Services without a selector."""

from __future__ import annotations

from cluster.cache import Entry
from cluster.store import Key
from controllers.endpoints import backends, slices
from controllers.runtime import Context, Controller, Result, Watch, own_key, split_key
from kube import ownerrefs
from kube.objectmeta import LAST_APPLIED
from kube.objects import Json

MANAGER = "endpointslicemirroring-controller.k8s.io"
SKIP = "endpointslice.kubernetes.io/skip-mirror"
LEADER = "control-plane.alpha.kubernetes.io/leader"
LARGEST_SUBSET = 1000


class EndpointSliceMirroringController(Controller):
    """Key: an Endpoints object, which has the name of its Service."""

    name = "endpointslicemirroring"
    user = "system:serviceaccount:kube-system:endpointslicemirroring-controller"
    watches = (
        Watch("endpoints", own_key),
        Watch("services", own_key),
        Watch(slices.STORAGE, slices.service_keys(MANAGER)),
    )

    def reconcile(self, key: str, ctx: Context) -> Result:
        namespace, name = split_key(key)
        endpoints, service = (ctx.cache.get(Key(storage, namespace, name)) for storage in ("endpoints", "services"))
        existing = slices.of_service(ctx.cache, namespace, name, MANAGER)
        if service is None or endpoints is None or not _mirrored(endpoints, service):
            slices.write(ctx.session, namespace, slices.Changes(delete=[s["metadata"]["name"] for s in existing]))
            return None
        obj = endpoints.object()
        slices.write(ctx.session, namespace, slices.plan(wanted_slices(obj), existing, template(obj)))
        return None


def _mirrored(endpoints: Entry, service: Entry) -> bool:
    if backends.selector(service) is not None or endpoints.meta.deletionTimestamp:
        return False
    annotations = endpoints.object()["metadata"].get("annotations") or {}
    return endpoints.labels.get(SKIP) != "true" and LEADER not in annotations


def template(endpoints: Json) -> Json:
    """Metadata of the slices: the labels and annotations of the Endpoints object, which owns them."""
    meta = endpoints["metadata"]
    labels = {**(meta.get("labels") or {}), slices.SERVICE_LABEL: meta["name"], slices.MANAGER_LABEL: MANAGER}
    annotations = {k: v for k, v in (meta.get("annotations") or {}).items() if k not in (LAST_APPLIED, slices.TRIGGER)}
    reference = ownerrefs.reference({**endpoints, "apiVersion": "v1", "kind": "Endpoints"})
    return {"labels": labels, "ownerReferences": [reference], **({"annotations": annotations} if annotations else {})}


def wanted_slices(endpoints: Json) -> list[slices.Wanted]:
    """The subsets as slices, by address family; at most 1000 addresses of a subset are mirrored."""
    found: list[slices.Wanted] = []
    for subset in endpoints.get("subsets") or []:
        ports = [{"name": "", "protocol": "TCP", **port} for port in subset.get("ports") or []]
        addresses = [(a, True) for a in subset.get("addresses") or []]
        addresses += [(a, False) for a in subset.get("notReadyAddresses") or []]
        for family in ("IPv4", "IPv6"):
            group = [
                _endpoint(address, ready)
                for address, ready in addresses[:LARGEST_SUBSET]
                if (":" in address["ip"]) == (family == "IPv6")
            ]
            if group:
                found.append(slices.Wanted(family, ports, group))
    return found


def _endpoint(address: Json, ready: bool) -> Json:
    made: Json = {"addresses": [address["ip"]], "conditions": {"ready": ready}}
    made |= {name: address[name] for name in ("hostname", "nodeName", "targetRef") if address.get(name)}
    return made

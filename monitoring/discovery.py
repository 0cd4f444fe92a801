"""Prometheus' HTTP service discovery: where everything that has metrics can be scraped, the whole list each time.

The control plane and what belongs to it carries `__meta_binnacle_credentials="true"`: it wants the scraper's bearer token.
What annotations name never does: a token sent there would be given away to whoever wrote the annotation.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import urlsplit

from client import ApiStatusError, Client, resource_path
from client.ports import beside
from kube.objects import Json
from monitoring.objects.metrics import ObjectMetrics
from monitoring.objects.wishes import joined

log = logging.getLogger(__name__)

CREDENTIALS = "__meta_binnacle_credentials"
# Jobs of kubernetes-mixin, and the paths of a kubelet that they read.
KUBELET_JOBS = {
    "kubelet": "/metrics",
    "cadvisor": "/metrics/cadvisor",
    "kubelet-resource": "/metrics/resource",
    "node-exporter": "/metrics/node",
}
WORKERS = {"kube-controller-manager": "controllers", "kube-scheduler": "scheduler", "kube-proxy": "kubeproxy"}


@dataclass(frozen=True, slots=True)
class Places:
    """Where the cluster is. `api`: the API server's URL; `own`: this process' URL, `http://10.244.0.7:9090`.

    `credentials`: whether this process asks for a token too. `cluster` is the label of that name on every series.
    """

    api: str
    own: str
    credentials: bool = True
    cluster: str = "binnacle"


class Discovery:
    """Makes the list of what `objects` holds, and the endpoints of annotated services, fetched when somebody asks."""

    def __init__(self, client: Client, objects: ObjectMetrics, places: Places) -> None:
        self._client, self._objects, self._places = client, objects, places
        self._endpoints: dict[tuple[str, str], Json] = {}

    async def targets(self) -> list[Json]:
        """The target groups: `{"targets": ["host:port"], "labels": {…}}`."""
        await self._fetch()
        objects, own = self._objects.mirrors, urlsplit(self._places.own)
        asks = self._places.credentials
        api = urlsplit(self._places.api)
        host, port = api.hostname or "", api.port or 443

        # What belongs to the cluster.
        groups = [group(f"{host}:{port}", "kube-apiserver", scheme=api.scheme, credentials=True)]
        for job, process in WORKERS.items():
            groups.append(group(f"{host}:{beside(port, process)}", job, scheme="https", credentials=True))
        for meta, (address, prefix) in objects["nodes"].notes():
            for job, path in KUBELET_JOBS.items():
                # The kubelet's own page names the node itself.
                more = {} if job == "kubelet" else {"node": meta["name"]}
                more |= {"instance": meta["name"], "metrics_path": path}
                groups.append(group(address, job, more, "https", prefix + path, credentials=True))
        groups.append(
            group(own.netloc, "kube-state-metrics", scheme=own.scheme, path="/metrics/objects", credentials=asks)
        )
        groups.append(group(own.netloc, "monitoring", scheme=own.scheme, credentials=asks))

        # What is annotated.
        for meta, wish in objects["services"].notes():
            namespace, name = meta["namespace"], meta["name"]
            for subset in (self._endpoints.get((namespace, name)) or {}).get("subsets") or ():
                ports = [p["port"] for p in subset.get("ports") or () if p.get("protocol", "TCP") == "TCP"]
                for address in subset.get("addresses") or ():
                    more, target = {"service": name}, address.get("targetRef") or {}
                    if target.get("kind") == "Pod":
                        more["pod"] = target["name"]
                    if address.get("nodeName"):
                        more["node"] = address["nodeName"]
                    wanted = [wish["port"]] if wish["port"] else ports
                    groups += [_wished(namespace, name, address["ip"], one, wish, more) for one in wanted]
        for meta, wish in objects["pods"].notes():
            more = {"pod": meta["name"], "node": wish["node"]}
            groups += [_wished(meta["namespace"], wish["app"], wish["ip"], one, wish, more) for one in wish["ports"]]

        for made in groups:
            made["labels"]["cluster"] = self._places.cluster
        return groups

    async def _fetch(self) -> None:
        """Read the endpoints of annotated services; of one that cannot be read, those known stay."""
        wanted = [(meta["namespace"], meta["name"]) for meta, _ in self._objects.mirrors["services"].notes()]
        self._endpoints = {key: found for key, found in self._endpoints.items() if key in wanted}
        for key in wanted:
            try:
                self._endpoints[key] = await self._client.get(resource_path("v1", "endpoints", *key))
            except ApiStatusError as error:
                if error.not_found:
                    self._endpoints.pop(key, None)
                else:
                    log.warning("endpoints of %s/%s: %s", *key, error)
            except OSError as error:
                log.warning("endpoints of %s/%s: %r", *key, error)


def group(
    address: str,
    job: str,
    more: Mapping[str, str] = MappingProxyType({}),
    scheme: str = "http",
    path: str = "/metrics",
    *,
    credentials: bool = False,
) -> Json:
    """One target group with its labels."""
    labels = {
        "job": job,
        "__scheme__": scheme or "http",
        "__metrics_path__": path,
        CREDENTIALS: "true" if credentials else "false",
        **more,
    }
    return {"targets": [address], "labels": labels}


def _wished(namespace: str, name: str, ip: str, port: int, wish: Json, more: dict[str, str]) -> Json:
    # Outside kube-system the job's name has the namespace, so that nobody's labels can pretend to be the control plane.
    job = name if namespace == "kube-system" else f"{namespace}/{name}"
    return group(joined(ip, port), job, {"namespace": namespace, **more}, wish["scheme"], wish["path"])

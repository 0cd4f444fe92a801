"""What pods use, as `metrics.k8s.io` says; served by a metrics server behind the API server's aggregation."""

from __future__ import annotations

import json
import urllib.parse

import environment
from cluster.cache import Cache
from cluster.store import Key
from kube import quantity
from kube.objects import Json
from web import blocking

API = "v1beta1.metrics.k8s.io"
PREFIX = "unable to fetch metrics from resource metrics API: "
LIMIT = 16 * 1024 * 1024  # bytes of an answer
SECONDS = 5.0


class Unavailable(Exception):
    """There are no figures now; the message says why, in the words of the real controller."""


def pod_usage(cache: Cache, namespace: str, selector: str, resource: str, container: str = "") -> dict[str, int]:
    """Usage by pod name: thousandths of a core for cpu, bytes for memory; of one container where it is named.

    Raises Unavailable when no metrics server is registered or it does not answer.
    """
    if cache.get(Key("apiservices.apiregistration.k8s.io", "", API)) is None:
        raise Unavailable(PREFIX + "the server could not find the requested resource (get pods.metrics.k8s.io)")
    read = quantity.milli if resource == "cpu" else quantity.units
    found = {}
    for item in _fetch(namespace, selector).get("items") or []:
        parts = [c for c in item.get("containers") or [] if not container or c["name"] == container]
        if parts and all(resource in (c.get("usage") or {}) for c in parts):
            found[item["metadata"]["name"]] = sum(read(c["usage"][resource]) for c in parts)
    if not found:
        raise Unavailable("no metrics returned from resource metrics API")
    return found


def _fetch(namespace: str, selector: str) -> Json:
    from client import load

    config = load(environment.VAR.get() / "kubeconfig")
    query = urllib.parse.urlencode({"labelSelector": selector})
    path = f"{config.server}/apis/metrics.k8s.io/v1beta1/namespaces/{urllib.parse.quote(namespace)}/pods?{query}"
    try:
        answer = blocking.request(
            path,
            headers={"Authorization": f"Bearer {config.bearer()}"},
            tls=config.ssl_context(),
            server_name=config.server_name,
            timeout=SECONDS,
            limit=LIMIT,
        )
        if answer.status >= 400:
            raise OSError(f"HTTP Error {answer.status}")
        body: Json = json.loads(answer.body)
        return body
    except (OSError, ValueError) as error:
        raise Unavailable(f"{PREFIX}the server is currently unable to handle the request: {error}") from error

"""Who wishes to be scraped: what annotations of pods and services say, and which nodes have a kubelet that answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from client.paths import kubelet_port, kubelet_prefix
from kube.objects import Json
from web.address import port_of

if TYPE_CHECKING:
    from kube.shapes import NodeLike, PodLike

PREFIX = "prometheus.io/"
APP = ("app.kubernetes.io/name", "k8s-app", "app")


def wish(obj: Mapping[str, Any]) -> Json | None:
    """What the annotations `prometheus.io/scrape`, `port`, `path` and `scheme` ask for; None when they ask for nothing.

    An annotation that makes no sense counts as absent: it is another's to write.
    """
    found = obj["metadata"].get("annotations") or {}
    if found.get(PREFIX + "scrape") != "true":
        return None
    port, path, scheme = (found.get(PREFIX + key) or "" for key in ("port", "path", "scheme"))
    return {
        "port": port_of(port) or 0,
        "path": path if path.startswith("/") else "/metrics",
        "scheme": scheme if scheme == "https" else "http",
    }


def of_pod(pod: PodLike) -> Json | None:
    """The wish of a pod that has an address, with that, its ports, its node and the name of its application."""
    found, status = wish(pod), pod.get("status") or {}
    if found is None or not status.get("podIP") or status.get("phase") != "Running":
        return None
    declared = [
        port["containerPort"]
        for container in pod["spec"]["containers"]
        for port in container.get("ports") or ()
        if port.get("protocol", "TCP") == "TCP"
    ]
    labels = pod["metadata"].get("labels") or {}
    return {
        **found,
        "ip": status["podIP"],
        "ports": [found["port"]] if found["port"] else declared,
        "node": pod["spec"].get("nodeName") or "",
        "app": next((labels[key] for key in APP if labels.get(key)), pod["metadata"]["name"]),
    }


def of_service(service: Json) -> Json | None:
    return wish(service)


def of_node(node: NodeLike) -> tuple[str, str] | None:
    """A node's kubelet as (`host:port`, what its paths begin with); None where it names no port: it serves no figures."""
    addresses, port = (node.get("status") or {}).get("addresses") or (), kubelet_port(node)
    address = next((a["address"] for a in addresses if a["type"] == "InternalIP"), "")
    return (joined(address, port), kubelet_prefix(node)) if port and address else None


def joined(ip: str, port: int) -> str:
    """An address as it stands in a URL."""
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"

"""The list of scrape targets: what is in it, and who is sent credentials."""

from __future__ import annotations

import asyncio
from typing import Any

from client import ApiStatusError, Client, Config
from kube.objects import Json
from monitoring.discovery import CREDENTIALS, Discovery, Places
from monitoring.objects import ObjectMetrics

NODE = {
    "metadata": {"name": "n1", "uid": "n"},
    "status": {
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
        "addresses": [{"type": "InternalIP", "address": "10.0.0.3"}],
    },
}
PROMETHEUS = {"prometheus.io/scrape": "true", "prometheus.io/port": "9153"}
POD = {"kind": "Pod", "name": "dns-1"}
ENDPOINTS = {
    "subsets": [
        {
            "addresses": [{"ip": "10.244.0.4", "nodeName": "n1", "targetRef": POD}],
            "ports": [{"port": 53, "protocol": "UDP"}, {"port": 9153}],
        }
    ]
}


class Endpoints(Client):
    """Answers every get with these endpoints."""

    def __init__(self, answer: Json | Exception) -> None:
        super().__init__(Config("https://10.244.0.1:6443"))
        self.answer = answer

    async def get(self, path: str, params: Any = None) -> Json:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def service(name: str = "dns", namespace: str = "kube-system", **annotations: str) -> Json:
    return {
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": f"s-{name}",
            "annotations": {**PROMETHEUS, **annotations},
        },
        "spec": {"clusterIP": "10.96.0.10"},
    }


def pod(name: str = "web-1", **annotations: str) -> Json:
    return {
        "metadata": {
            "name": name,
            "namespace": "shop",
            "uid": f"p-{name}",
            "labels": {"app": "kube-apiserver"},
            "annotations": {"prometheus.io/scrape": "true", **annotations},
        },
        "spec": {"nodeName": "n1", "containers": [{"name": "c", "image": "i", "ports": [{"containerPort": 8080}]}]},
        "status": {"phase": "Running", "podIP": "10.244.0.9"},
    }


def discovery(client: Client, **objects: list[Json]) -> Discovery:
    metrics = ObjectMetrics(client)
    for plural, found in objects.items():
        mirror = metrics.mirrors[plural]
        for obj in found:
            mirror.reflector.items[obj["metadata"].get("namespace", ""), obj["metadata"]["name"]] = mirror.take(obj)
    return Discovery(client, metrics, Places("https://10.244.0.1:6443", "http://10.244.0.7:9090"))


def found(made: Discovery) -> dict[tuple[str, str, str], Json]:
    """Labels by (job, address, path)."""
    groups = asyncio.run(made.targets())
    return {(g["labels"]["job"], g["targets"][0], g["labels"]["__metrics_path__"]): g["labels"] for g in groups}


def test_an_empty_cluster_has_its_control_plane_and_ourselves() -> None:
    targets = found(discovery(Endpoints({})))
    assert {(job, address, path): labels["__scheme__"] for (job, address, path), labels in targets.items()} == {
        ("kube-apiserver", "10.244.0.1:6443", "/metrics"): "https",
        ("kube-controller-manager", "10.244.0.1:12275", "/metrics"): "https",
        ("kube-scheduler", "10.244.0.1:13300", "/metrics"): "https",
        ("kube-proxy", "10.244.0.1:14325", "/metrics"): "https",
        ("kube-state-metrics", "10.244.0.7:9090", "/metrics/objects"): "http",
        ("monitoring", "10.244.0.7:9090", "/metrics"): "http",
    }
    assert {labels[CREDENTIALS] for labels in targets.values()} == {"true"}
    assert {labels["cluster"] for labels in targets.values()} == {"binnacle"}


def test_a_kubelet_is_asked_for_each_of_its_pages() -> None:
    mute = {"metadata": {"name": "mute", "uid": "m"}, "status": {"addresses": NODE["status"]["addresses"]}}
    targets = found(discovery(Endpoints({}), nodes=[NODE, mute]))
    cadvisor = targets["cadvisor", "10.0.0.3:10250", "/metrics/cadvisor"]
    assert (cadvisor["node"], cadvisor["instance"], cadvisor["metrics_path"]) == ("n1", "n1", "/metrics/cadvisor")
    assert (cadvisor[CREDENTIALS], cadvisor["__scheme__"]) == ("true", "https")
    assert "node" not in targets["kubelet", "10.0.0.3:10250", "/metrics"], "the kubelet names itself"
    assert {path for job, address, path in targets if address == "10.0.0.3:10250"} == {
        "/metrics",
        "/metrics/cadvisor",
        "/metrics/resource",
        "/metrics/node",
    }
    assert "mute" not in {labels.get("instance") for labels in targets.values()}


def test_nodes_behind_one_port_are_told_apart_by_their_paths() -> None:
    nodes = [
        {
            **NODE,
            "metadata": {
                "name": name,
                "uid": name,
                "annotations": {"metrics.k8s.io/resource-metrics-path": f"/metrics/nodes/{name}/metrics/resource"},
            },
        }
        for name in ("a", "b")
    ]
    targets = found(discovery(Endpoints({}), nodes=nodes))
    for name in ("a", "b"):
        labels = targets["cadvisor", "10.0.0.3:10250", f"/metrics/nodes/{name}/metrics/cadvisor"]
        assert (labels["instance"], labels["metrics_path"]) == (name, "/metrics/cadvisor")


def test_annotated_services_and_pods_get_no_credentials() -> None:
    targets = found(
        discovery(
            Endpoints(ENDPOINTS),
            services=[service()],
            pods=[
                pod(),
                pod("odd", **{"prometheus.io/port": "99999", "prometheus.io/path": "nowhere"}),
                pod(
                    "fine", **{"prometheus.io/port": "81", "prometheus.io/path": "/m", "prometheus.io/scheme": "https"}
                ),
                pod("silent", **{"prometheus.io/scrape": "false"}),
            ],
        )
    )
    dns = targets["dns", "10.244.0.4:9153", "/metrics"]
    assert (dns["namespace"], dns["service"], dns["pod"], dns["node"]) == ("kube-system", "dns", "dns-1", "n1")
    # Whatever a label says, a pod of a user is no job of the control plane.
    assert targets["shop/kube-apiserver", "10.244.0.9:8080", "/metrics"]["pod"] in ("web-1", "odd")
    assert targets["shop/kube-apiserver", "10.244.0.9:81", "/m"]["__scheme__"] == "https"
    assert "silent" not in {labels.get("pod") for labels in targets.values()}
    assert {labels[CREDENTIALS] for labels in targets.values() if "namespace" in labels} == {"false"}


def test_without_a_port_all_of_an_endpoint_are_scraped() -> None:
    targets = found(discovery(Endpoints(ENDPOINTS), services=[service(namespace="shop", **{"prometheus.io/port": ""})]))
    assert [key for key in targets if key[0] == "shop/dns"] == [("shop/dns", "10.244.0.4:9153", "/metrics")], (
        "UDP is none"
    )


def test_endpoints_that_can_not_be_read_stay_as_they_were() -> None:
    client = Endpoints(ENDPOINTS)
    made = discovery(client, services=[service()])
    assert ("dns", "10.244.0.4:9153", "/metrics") in found(made)
    client.answer = ApiStatusError({"code": 503})
    assert ("dns", "10.244.0.4:9153", "/metrics") in found(made)
    client.answer = ApiStatusError({"code": 404})
    assert ("dns", "10.244.0.4:9153", "/metrics") not in found(made)

"""metrics.k8s.io, answered from a kubelet's summary."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from apiserver.resourcemetrics.scraper import Round, read
from tests.apiserver.standalone import Server
from tests.tls import secure

API = "/apis/metrics.k8s.io/v1beta1"
SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
TIME = "2026-11-21T04:00:00Z"


def part(cpu: int | None, memory: int, **more: Any) -> dict[str, Any]:
    rate = {} if cpu is None else {"usageNanoCores": cpu}
    return {"cpu": {"time": TIME, "usageCoreNanoSeconds": 9, **rate}, "memory": {"workingSetBytes": memory}, **more}


SUMMARY = {
    "node": part(1_500_000_000, 1 << 30, nodeName="measured"),
    "pods": [
        {
            "podRef": {"name": "busy", "namespace": "pages", "uid": "u"},
            "containers": [part(123_456_789, 10 << 20, name="a"), part(0, 2 << 20, name="b")],
        },
        {"podRef": {"name": "fresh", "namespace": "pages", "uid": "v"}, "containers": [part(None, 1, name="a")]},
    ],
}


class Kubelet(http.server.BaseHTTPRequestHandler):
    asked: list[str] = []

    def log_message(self, format: str, *arguments: object) -> None:
        """Tests print nothing."""

    def do_GET(self) -> None:
        self.asked.append(self.path)
        body = json.dumps(SUMMARY).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(scope="module")
def metrics(server: Server) -> Iterator[Server]:
    """The group served, with one node that answers, one that is silent and one without a kubelet."""
    pki = Path(server.ca).parent
    kubelet = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Kubelet)
    secure(kubelet, pki, "kubelet", pki / "ca.crt")
    threading.Thread(target=kubelet.serve_forever, daemon=True).start()
    address = [{"type": "InternalIP", "address": "127.0.0.1"}]
    for name, port in (("measured", kubelet.server_port), ("silent", 1), ("bare", 0)):
        endpoint = {"daemonEndpoints": {"kubeletEndpoint": {"Port": port}}} if port else {}
        server.request(
            "POST",
            "/api/v1/nodes",
            {"metadata": {"name": name, "labels": {"disk": name}}, "status": {"addresses": address, **endpoint}},
        )
    for name in ("busy", "fresh"):
        server.request(
            "POST",
            "/api/v1/namespaces/pages/pods",
            {
                "metadata": {"name": name, "labels": {"app": name}},
                "spec": {"nodeName": "measured", "containers": [{"name": "a", "image": "host"}]},
            },
        )
    server.request(
        "POST",
        SERVICES,
        {
            "metadata": {"name": "v1beta1.metrics.k8s.io"},
            "spec": {
                "group": "metrics.k8s.io",
                "version": "v1beta1",
                "groupPriorityMinimum": 100,
                "versionPriority": 100,
            },
        },
    )
    yield server
    server.request("DELETE", f"{SERVICES}/v1beta1.metrics.k8s.io")
    kubelet.shutdown()
    kubelet.server_close()


def test_not_served_unless_switched_on(server: Server) -> None:
    groups = server.request("GET", "/apis")[1]
    if not any(group["name"] == "metrics.k8s.io" for group in groups["groups"]):
        assert server.request("GET", f"{API}/nodes")[0] == 404


def test_discovery(metrics: Server) -> None:
    groups = metrics.request("GET", "/apis")[1]["groups"]
    assert [g["preferredVersion"]["version"] for g in groups if g["name"] == "metrics.k8s.io"] == ["v1beta1"]
    found = metrics.request("GET", API)[1]["resources"]
    assert [(r["name"], r["kind"], r["namespaced"], r["verbs"]) for r in found] == [
        ("nodes", "NodeMetrics", False, ["get", "list"]),
        ("pods", "PodMetrics", True, ["get", "list"]),
    ]


def test_nodes(metrics: Server) -> None:
    status, found = metrics.request("GET", f"{API}/nodes/measured")
    assert status == 200 and found["kind"] == "NodeMetrics" and found["metadata"]["labels"]["disk"] == "measured"
    assert (found["timestamp"], found["window"]) == (TIME, "10s")
    assert found["usage"] == {"cpu": "1500000000n", "memory": "1048576Ki"}
    listed = metrics.request("GET", f"{API}/nodes")[1]
    assert listed["kind"] == "NodeMetricsList" and [i["metadata"]["name"] for i in listed["items"]] == ["measured"]
    assert metrics.request("GET", f"{API}/nodes?labelSelector=disk%3Dsilent")[1]["items"] == []
    status, refused = metrics.request("GET", f"{API}/nodes/silent")
    assert (status, refused["message"]) == (404, 'nodemetrics.metrics.k8s.io "silent" not found')


def test_pods(metrics: Server) -> None:
    found = metrics.request("GET", f"{API}/namespaces/pages/pods/busy")[1]
    assert found["containers"] == [
        {"name": "a", "usage": {"cpu": "123456789n", "memory": "10240Ki"}},
        {"name": "b", "usage": {"cpu": "0", "memory": "2048Ki"}},
    ]
    for path in (f"{API}/pods", f"{API}/namespaces/pages/pods", f"{API}/pods?labelSelector=app%3Dbusy"):
        assert [i["metadata"]["name"] for i in metrics.request("GET", path)[1]["items"]] == ["busy"]
    assert metrics.request("GET", f"{API}/namespaces/work/pods")[1]["items"] == []
    status, refused = metrics.request("GET", f"{API}/namespaces/pages/pods/fresh")
    assert (status, refused["message"]) == (404, 'podmetrics.metrics.k8s.io "pages/fresh" not found')


def test_table(metrics: Server) -> None:
    made = metrics.request("GET", f"{API}/namespaces/pages/pods", Accept=TABLE)[1]
    assert [c["name"] for c in made["columnDefinitions"]] == ["Name", "cpu", "memory", "Window"]
    assert [row["cells"] for row in made["rows"]] == [["busy", "123456789n", "12288Ki", "10s"]]


def test_only_reading(metrics: Server) -> None:
    assert metrics.request("POST", f"{API}/namespaces/pages/pods", {})[0] == 405
    assert metrics.request("GET", f"{API}/pods?watch=1")[0] == 405
    assert metrics.request("GET", f"{API}/secrets")[0] == 404


def test_one_round_serves_many_requests(metrics: Server) -> None:
    before = len(Kubelet.asked)
    assert [metrics.request("GET", f"{API}/nodes/measured")[0] for _ in range(12)] == [200] * 12
    assert set(Kubelet.asked) == {"/stats/summary?only_cpu_and_memory=true"}
    assert len(Kubelet.asked) - before < 12, "there is a round each 15 s"


def test_figures_that_are_not_whole_are_left_out() -> None:
    into = Round()
    read(
        {
            "node": part(None, 5, nodeName="x"),
            "pods": [
                {
                    "podRef": {"name": "half", "namespace": "d"},
                    "containers": [part(1, 1, name="a"), part(None, 1, name="b")],
                },
                {"podRef": {"name": "empty", "namespace": "d"}},
            ],
        },
        "x",
        into,
    )
    assert into.nodes == {} and into.pods == {}

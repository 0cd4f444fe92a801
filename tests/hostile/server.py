"""The API server, alone in a process."""

from __future__ import annotations

import ssl
import tempfile
from pathlib import Path
from random import Random

from kube.objects import Json
from tests.apiserver.backends import serve
from tests.apiserver.standalone import Server
from tests.hostile import seeds
from tests.hostile.api import Generator
from tests.hostile.drive import Drive, Report

WORK = "/api/v1/namespaces/work"
CUSTOM: Json = {
    "metadata": {"name": "widgets.example.com"},
    "spec": {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {
                    "status": {},
                    "scale": {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.size"},
                },
                "additionalPrinterColumns": [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}],
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "x-kubernetes-validations": [{"rule": "!has(self.size) || self.size < 100"}],
                                "properties": {
                                    "size": {"type": "integer", "minimum": 0, "default": 1},
                                    "ratio": {"type": "number"},
                                    "colour": {"type": "string", "enum": ["red", "green"], "maxLength": 5},
                                    "name": {"type": "string", "pattern": "^[a-z]+$"},
                                    "when": {"type": "string", "format": "date-time"},
                                    "port": {"x-kubernetes-int-or-string": True},
                                    "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                                    "parts": {
                                        "type": "array",
                                        "x-kubernetes-list-type": "map",
                                        "x-kubernetes-list-map-keys": ["name"],
                                        "items": {
                                            "type": "object",
                                            "required": ["name"],
                                            "properties": {
                                                "name": {"type": "string"},
                                                "n": {"type": "integer", "format": "int32"},
                                            },
                                        },
                                    },
                                },
                            },
                            "status": {"type": "object", "properties": {"size": {"type": "integer"}}},
                        },
                    }
                },
            }
        ],
    },
}


def apiserver(count: int, seed: int) -> Report:
    """The Kubernetes API, alone: with a custom kind, and a service, a pod and a node whose programs answer."""
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder) / "var", MALLOC_ARENA_MAX="2") as server:
        pods, kubelets = serve(None), serve(Path(server.ca).parent)
        try:
            behind = _world(server, next(pods), next(kubelets))
            index = server.request("GET", "/openapi/v3")[1]["paths"]
            documents = [server.request("GET", item["serverRelativeURL"])[1] for item in index.values()]
            requests = Generator(Random(seed), documents, seeds.load(), server.token, behind)
            drive = Drive(
                ("127.0.0.1", server.port),
                requests,
                lambda: server.process.pid,
                ssl.create_default_context(cafile=server.ca),
                requests.heard,
                lambda: _tidy(server, documents),
            )
            report = drive.run(count)
            _read_log(Path(server.log.name), report)
            return report
        finally:
            pods.close()  # type: ignore[attr-defined]
            kubelets.close()  # type: ignore[attr-defined]


def _world(server: Server, port: int, kubelet: int) -> tuple[str, ...]:
    for name in ("work", "pages"):
        server.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        server.request("POST", f"/api/v1/namespaces/{name}/serviceaccounts", {"metadata": {"name": "default"}})
    assert server.request("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", CUSTOM)[0] == 201
    service = {"metadata": {"name": "front"}, "spec": {"ports": [{"name": "http", "port": 80}]}}
    base = "/api/v1/namespaces/behind"
    server.request("POST", "/api/v1/namespaces", {"metadata": {"name": "behind"}})
    server.request("POST", f"{base}/serviceaccounts", {"metadata": {"name": "default"}})
    server.request("POST", f"{base}/services", service)
    server.request(
        "POST",
        "/apis/discovery.k8s.io/v1/namespaces/behind/endpointslices",
        {
            "metadata": {"name": "front-1", "labels": {"kubernetes.io/service-name": "front"}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": True}}],
            "ports": [{"name": "http", "port": port}],
        },
    )
    status = {
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": kubelet}},
    }
    server.request("POST", "/api/v1/nodes", {"metadata": {"name": "behind"}, "status": status})
    spec = {"nodeName": "behind", "containers": [{"name": "c", "image": "host"}]}
    assert server.request("POST", f"{base}/pods", {"metadata": {"name": "far"}, "spec": spec})[0] == 201
    pod = f"{base}/pods/far"
    return (
        f"{base}/services/front/proxy", f"{base}/services/front:http/proxy", f"{base}/services/http:front:80/proxy",
        f"{base}/services/a:b:c:d/proxy", f"{pod}/log", f"{pod}/exec", f"{pod}/attach", f"{pod}/portforward",
        f"{base}/pods/far:{port}/proxy", f"{base}/pods/far:99999999999/proxy", f"{base}/pods/far:/proxy",
        "/api/v1/nodes/behind/proxy", "/api/v1/nodes/behind:10250/proxy", "/api/v1/nodes/https:behind:x/proxy",
    )  # fmt: skip


def _tidy(server: Server, documents: list[Json]) -> None:
    """Take away what has come in: what is stored lawfully must not be taken for a leak."""
    for document in documents:
        for path, item in document["paths"].items():
            if "delete" in item and "{name}" not in path and "{namespace}" in path:
                for namespace in ("work", "pages", "default"):
                    _clear(server, path.replace("{namespace}", namespace))
    for path in ("/api/v1/nodes", "/api/v1/persistentvolumes"):
        for item in server.request("GET", path)[1]["items"]:
            if item["metadata"]["name"] != "behind":
                _clear(server, f"{path}/{item['metadata']['name']}")
    for name in ("work", "pages"):
        server.request("POST", f"/api/v1/namespaces/{name}/serviceaccounts", {"metadata": {"name": "default"}})


def _clear(server: Server, path: str) -> None:
    server.request("DELETE", f"{path}?gracePeriodSeconds=0")
    status, found = server.request("GET", path)
    for item in found.get("items", ()) if status == 200 else ():  # held by finalizers
        name = item["metadata"]["name"]
        server.request(
            "PATCH", f"{path}/{name}", {"metadata": {"finalizers": None}}, Content_Type="application/merge-patch+json"
        )


def _read_log(log: Path, report: Report) -> None:
    """A traceback in a program's log is a fault, whatever was answered."""
    text = log.read_text(errors="replace")
    if "Traceback" in text:
        at = text.index("Traceback")
        report.fault(
            f"{text.count('Traceback')} tracebacks in the log, the first: {text[max(at - 400, 0) : at + 4000]}"
        )

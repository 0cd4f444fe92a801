"""Connections are put before admission webhooks, with what is wanted of them; webhooks are counted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kube.objects import Json
from tests.apiserver.standalone import Server
from tests.apiserver.test_custom_kinds import eventually
from tests.apiserver.test_proxying import WORK, upgrade
from tests.cluster.test_webhooks import Hooks

HOOKS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
NAME = "doorman.example.com"


@pytest.fixture
def doorman(server: Server, tmp_path: Path) -> Iterator[Hooks]:
    """A webhook that is asked about every connection, and allows it."""
    hooks = Hooks(tmp_path)
    hooks.answers["/door"] = lambda request: {"allowed": True}
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CONNECT"], "resources": ["*/*"]}
    hook = {
        "name": NAME,
        "rules": [rule],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "clientConfig": {"url": f"https://127.0.0.1:{hooks.port}/door", "caBundle": hooks.bundle},
    }
    assert server.request("POST", HOOKS, {"metadata": {"name": "doorman"}, "webhooks": [hook]})[0] == 201
    yield hooks
    server.request("DELETE", f"{HOOKS}/doorman")
    hooks.close()


def asked(hooks: Hooks) -> Json:
    request: Json = hooks.asked[-1][1]["request"]
    return request


def test_what_a_webhook_sees_of_a_connection(server: Server, service: str, node: str, doorman: Hooks) -> None:
    assert server.request("GET", f"{service}/a/b?dryRun=odd")[0] == 200
    request = asked(doorman)
    assert (request["operation"], request["options"], request["oldObject"]) == ("CONNECT", None, None)
    assert request["kind"] == {"group": "", "version": "v1", "kind": "ServiceProxyOptions"}
    assert request["resource"]["resource"] == "services" and request["subResource"] == "proxy"
    assert (request["name"], request["namespace"], request["userInfo"]["username"]) == ("front:http", "work", "admin")
    assert request["object"] == {"kind": "ServiceProxyOptions", "apiVersion": "v1", "path": "/a/b"}
    upgrade(server, f"{node}/exec?command=ls&command=-l&stdout=true&stdin=false&container=c")
    assert asked(doorman)["object"] == {
        "kind": "PodExecOptions", "apiVersion": "v1", "stdout": True, "container": "c", "command": ["ls", "-l"],
    }  # fmt: skip
    upgrade(server, f"{node}/portforward?ports=80")
    assert asked(doorman)["object"] == {"kind": "PodPortForwardOptions", "apiVersion": "v1", "ports": [80]}
    assert asked(doorman)["kind"]["kind"] == "PodPortForwardOptions"


def test_a_connection_that_is_refused_is_not_opened(server: Server, node: str, doorman: Hooks) -> None:
    doorman.answers["/door"] = lambda request: {"allowed": False, "status": {"message": "closed", "code": 403}}
    found = upgrade(server, f"{node}/exec?command=ls&stdout=true")
    assert found.startswith(b"HTTP/1.1 403 ") and b"denied the request: closed" in found
    # What is read and written otherwise is not a connection.
    before = len(doorman.asked)
    assert server.request("GET", f"{WORK}/pods/far")[0] == 200 and len(doorman.asked) == before


def test_webhooks_are_counted(server: Server, service: str, doorman: Hooks) -> None:
    def sample(name: str, **labels: str) -> bool:
        wanted = "".join(f',{key}="{value}"' for key, value in labels.items())
        return f'{name}{{name="{NAME}"{wanted}}} '.encode() in server.request("GET", "/metrics")[1]

    server.request("GET", f"{service}/x")
    of = {"type": "validating", "operation": "CONNECT"}
    assert sample("apiserver_admission_webhook_request_total", **of, code="200", rejected="false")
    assert sample("apiserver_admission_webhook_admission_duration_seconds_count", **of, rejected="false")
    doorman.answers["/door"] = lambda request: {"allowed": False, "status": {"code": 403}}
    server.request("GET", f"{service}/x")
    count = "apiserver_admission_webhook_rejection_count"
    assert sample(count, **of, error_type="no_error", rejection_code="403")
    doorman.answers["/door"] = lambda request: None
    assert server.request("GET", f"{service}/x")[0] == 500
    assert sample(count, **of, error_type="calling_webhook_error", rejection_code="500")
    patch = [{"op": "replace", "path": "/webhooks/0/failurePolicy", "value": "Ignore"}]
    server.request("PATCH", f"{HOOKS}/doorman", patch, Content_Type="application/json-patch+json")
    eventually(lambda: server.request("GET", f"{service}/x")[0] == 200)
    assert sample("apiserver_admission_webhook_fail_open_count", type="validating")

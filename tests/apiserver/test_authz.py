"""Several authorizers in turn: a webhook over TLS is asked, its answers are kept, and its failures count as configured."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest

from apiserver.authz.configuration import AuthorizationConfiguration, Authorizer, check
from apiserver.authz.webhook import Verdict, Webhook, question
from cluster.rbac import Attributes
from config.pki import Authority
from kube.users import User
from tests.apiserver.standalone import Server
from tests.tls import secure

BOB = User("bob", "u-1", ["dev"], {"team": ["red"]})
WANT = Attributes("get", "apps", "deployments", "scale", "work", "web")
REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"


class Judge:
    """A webhook: `answer` makes the status of a review."""

    def __init__(self, folder: Path) -> None:
        self.asked: list[dict[str, Any]] = []
        self.answer: Callable[[dict[str, Any]], Any] = lambda spec: {}
        folder.mkdir()
        Authority(folder).issue("judge", "judge", names=["localhost"])
        judge = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                review = json.loads(self.rfile.read(int(self.headers["content-length"])))
                judge.asked.append(review | {"path": self.path, "authorization": self.headers["authorization"]})
                status = judge.answer(review["spec"])
                body = json.dumps({**review, "status": status}).encode() if status is not None else b"no"
                self.send_response(200 if status is not None else 500)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        secure(self.server, folder, "judge")
        authority = base64.b64encode((folder / "ca.crt").read_bytes()).decode()
        url = f"https://localhost:{self.server.server_port}/judge"
        self.kubeconfig = folder / "kubeconfig"
        self.kubeconfig.write_text(
            json.dumps(
                {
                    "current-context": "x",
                    "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
                    "clusters": [{"name": "x", "cluster": {"server": url, "certificate-authority-data": authority}}],
                    "users": [{"name": "x", "user": {"token": "secret"}}],
                }
            )
        )
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def config(self, **changed: Any) -> dict[str, Any]:
        webhook = {
            "timeout": "3s",
            "authorizedTTL": "5m",
            "unauthorizedTTL": "5m",
            "subjectAccessReviewVersion": "v1",
            "matchConditionSubjectAccessReviewVersion": "v1",
            "failurePolicy": "NoOpinion",
            "connectionInfo": {"type": "KubeConfigFile", "kubeConfigFile": str(self.kubeconfig)},
            **changed,
        }
        return {"type": "Webhook", "name": "judge", "webhook": webhook}

    def decide(self, *wants: Attributes, **changed: Any) -> list[Verdict]:
        """The verdicts of one webhook, asked in turn."""
        self.asked.clear()

        async def run() -> list[Verdict]:
            webhook = Webhook(msgspec.convert(self.config(**changed), Authorizer))
            try:
                return [await webhook.decide(BOB, want, "v1") for want in wants]
            finally:
                webhook.close()

        return asyncio.run(run())


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judge]:
    made = Judge(tmp_path_factory.mktemp("authz") / "judge")
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_what_a_webhook_is_asked(judge: Judge) -> None:
    judge.answer = lambda spec: {"allowed": True, "reason": "because"}
    assert judge.decide(WANT) == [Verdict(True, False, "because")]
    [asked] = judge.asked
    assert (asked["path"], asked["authorization"], asked["apiVersion"]) == (
        "/judge",
        "Bearer secret",
        "authorization.k8s.io/v1",
    )
    assert asked["spec"] == {
        "user": "bob",
        "uid": "u-1",
        "groups": ["dev"],
        "extra": {"team": ["red"]},
        "resourceAttributes": {
            "namespace": "work",
            "verb": "get",
            "group": "apps",
            "version": "v1",
            "resource": "deployments",
            "subresource": "scale",
            "name": "web",
        },
    }
    judge.decide(WANT, subjectAccessReviewVersion="v1beta1")
    assert judge.asked[0]["spec"]["group"] == ["dev"]
    path = question(User("a"), Attributes("get", path="/metrics"), "")
    assert path == {"user": "a", "groups": [], "nonResourceAttributes": {"path": "/metrics", "verb": "get"}}


@pytest.mark.parametrize("status", [{"allowed": True}, {"allowed": False}, {"denied": True}], ids=str)
def test_answers_are_kept_for_a_while(judge: Judge, status: dict[str, bool]) -> None:
    judge.answer = lambda spec: status
    wanted = Verdict(status.get("allowed", False), status.get("denied", False))
    assert judge.decide(WANT, WANT, WANT) == [wanted] * 3 and len(judge.asked) == 1
    short = {"authorizedTTL": "1ns", "unauthorizedTTL": "1ns"}
    assert judge.decide(WANT, WANT, **short) == [wanted] * 2 and len(judge.asked) == 2
    none = {"cacheAuthorizedRequests": False, "cacheUnauthorizedRequests": False}
    assert judge.decide(WANT, WANT, **none) == [wanted] * 2 and len(judge.asked) == 2


@pytest.mark.parametrize("status", [None, "text", {"allowed": True, "denied": True}], ids=str)
def test_a_failure_counts_as_configured_and_is_not_kept(judge: Judge, status: Any) -> None:
    judge.answer = lambda spec: status
    for policy in ("NoOpinion", "Deny"):
        for verdict in judge.decide(WANT, WANT, failurePolicy=policy):
            assert (verdict.allowed, verdict.denied) == (False, policy == "Deny") and "judge" in verdict.reason
        assert len(judge.asked) == 2


def test_conditions_say_what_is_asked_about(judge: Judge) -> None:
    judge.answer = lambda spec: {"denied": True}

    def of(*expressions: str, policy: str = "NoOpinion") -> Verdict:
        conditions = [{"expression": expression} for expression in expressions]
        [verdict] = judge.decide(WANT, matchConditions=conditions, failurePolicy=policy)
        return verdict

    assert of("request.user == 'bob'", "has(request.resourceAttributes)").denied
    assert of("request.user == 'bob'", "request.resourceAttributes.namespace == 'other'") == Verdict()
    assert judge.asked == []
    broken = "request.nonResourceAttributes.path == '/x'"
    assert of(broken, "request.user == 'eve'", policy="Deny") == Verdict(), "one that does not hold settles it"
    assert of(broken, policy="Deny").denied and not of(broken).denied
    assert judge.asked == []


def errors(*authorizers: dict[str, Any]) -> list[str]:
    whole = {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AuthorizationConfiguration",
        "authorizers": authorizers,
    }
    return [str(error) for error in check(msgspec.convert(whole, AuthorizationConfiguration))]


def test_what_is_wrong_in_a_file(judge: Judge) -> None:
    rbac = {"type": "RBAC", "name": "rbac"}
    assert errors(rbac, judge.config()) == []
    assert errors() == ["authorizers: Required value: at least one authorization mode must be defined"]
    for authorizers, words in [
        ([{"name": "x"}], "authorizers[0].type: Required value"),
        ([{"type": "Odd", "name": "x"}], "authorizers[0].type: Unsupported value"),
        ([rbac, {"type": "RBAC", "name": "x"}], "authorizers[1].type: Duplicate value"),
        ([{"type": "RBAC"}], "authorizers[0].name: Required value"),
        ([{"type": "RBAC", "name": "A b"}], "authorizers[0].name: Invalid value"),
        ([rbac, {"type": "Node", "name": "rbac"}], "authorizers[1].name: Duplicate value"),
        ([{"type": "Webhook", "name": "x"}], "authorizers[0].webhook: Required value"),
        ([{**judge.config(), "type": "RBAC"}], "authorizers[0].webhook: Invalid value"),
        ([judge.config(timeout="")], "webhook.timeout: Required value"),
        ([judge.config(timeout="31s")], "must be > 0s and <= 30s"),
        ([judge.config(authorizedTTL="x")], "webhook.authorizedTTL: Invalid value"),
        ([judge.config(subjectAccessReviewVersion="v2")], "webhook.subjectAccessReviewVersion: Unsupported value"),
        ([judge.config(failurePolicy="Odd")], "webhook.failurePolicy: Unsupported value"),
        ([judge.config(connectionInfo={})], "webhook.connectionInfo.type: Required value"),
        ([judge.config(connectionInfo={"type": "KubeConfigFile"})], "kubeConfigFile: Required value"),
        ([judge.config(connectionInfo={"type": "KubeConfigFile", "kubeConfigFile": "x"})], "absolute path"),
        ([judge.config(matchConditions=[{"expression": " "}])], "matchConditions[0].expression: Required value"),
        ([judge.config(matchConditions=[{"expression": "a ("}])], "compilation failed"),
        ([judge.config(matchConditions=[{"expression": "a"}] * 2)], "matchConditions[1].expression: Duplicate value"),
        (
            [judge.config(matchConditions=[{"expression": "a"}], matchConditionSubjectAccessReviewVersion="")],
            "required if match conditions are specified",
        ),
    ]:
        assert any(words in error for error in errors(*authorizers)), (words, errors(*authorizers))


def test_a_server_with_a_webhook_before_its_roles(judge: Judge, tmp_path: Path) -> None:
    judge.answer = lambda spec: {
        "denied": spec["user"] == "bob" and spec.get("resourceAttributes", {}).get("resource") == "secrets",
        "allowed": spec["user"] == "eve",
        "reason": "the judge says so",
    }
    file = tmp_path / "authorization.json"

    def write(*authorizers: dict[str, Any]) -> None:
        described = {"kind": "AuthorizationConfiguration", "authorizers": authorizers}
        file.write_text(json.dumps({"apiVersion": "apiserver.config.k8s.io/v1", **described}))

    node, rbac = {"type": "Node", "name": "node"}, {"type": "RBAC", "name": "rbac"}
    write(node, judge.config(), rbac)
    with Server(tmp_path / "var", "--authorization-config", str(file)) as server:
        path = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin"}
        subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "bob"}
        server.request("POST", path, {"metadata": {"name": "bob"}, "roleRef": role, "subjects": [subject]})

        def may(user: str, resource: str) -> int:
            return server.request("GET", f"/api/v1/namespaces/default/{resource}", Impersonate_User=user)[0]

        wait(lambda: may("bob", "configmaps") == 200)
        assert may("bob", "secrets") == 403 and may("eve", "secrets") == 200 and may("ann", "configmaps") == 403
        attributes = {"resource": "secrets", "verb": "get", "namespace": "default", "version": "v1"}
        review = server.request("POST", REVIEWS, {"spec": {"user": "eve", "resourceAttributes": attributes}})[1]
        assert review["status"] == {"allowed": True, "reason": "the judge says so"}
        refused = server.request("POST", REVIEWS, {"spec": {"user": "bob", "resourceAttributes": attributes}})[1]
        assert refused["status"] == {"allowed": False, "denied": True, "reason": "the judge says so"}
        write(node, rbac)
        wait(lambda: may("bob", "secrets") == 200)
        assert may("eve", "secrets") == 403
        write(rbac, rbac)
        log = Path(server.log.name)
        wait(lambda: bool(may("bob", "secrets")) and "stays as it was" in log.read_text())
        assert may("bob", "secrets") == 200


def wait(found: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not found():
        assert time.monotonic() < end
        time.sleep(0.05)

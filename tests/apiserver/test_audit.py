"""The audit log of the API server: the stages and levels of requests, in the form of Kubernetes' Events."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.apiserver.standalone import Server, Watch

POLICY = """
apiVersion: audit.k8s.io/v1
kind: Policy
rules:
- level: None
  nonResourceURLs: ["/readyz*"]
- level: None
  users: ["system:apiserver"]
- level: Metadata
  omitStages: [RequestReceived]
  resources: [{group: "", resources: [secrets]}]
- level: Request
  omitStages: [RequestReceived]
  resources: [{group: "", resources: [serviceaccounts]}]
- level: RequestResponse
  omitManagedFields: true
  omitStages: [RequestReceived]
  resources: [{group: "", resources: [configmaps]}]
- level: Metadata
"""
Event = dict[str, Any]


class Audited:
    def __init__(self, server: Server, path: Path) -> None:
        self.server, self.path = server, path

    def events(self, audit_id: str, stages: int) -> list[Event]:
        """The events of one request, when there are so many."""
        return self.found(lambda event: event["auditID"] == audit_id, stages)

    def found(self, fits: Callable[[Event], bool], number: int = 1) -> list[Event]:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            lines = self.path.read_text().splitlines(keepends=True) if self.path.exists() else []
            events = [json.loads(line) for line in lines if line.endswith("\n")]
            if len(chosen := [event for event in events if fits(event)]) >= number:
                assert len(chosen) == number, chosen
                return chosen
            time.sleep(0.05)
        raise AssertionError(f"{number} such events are not there, of {len(lines)} lines")


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Audited]:
    folder = tmp_path_factory.mktemp("audited")
    (folder / "policy.yaml").write_text(POLICY)
    path = folder / "audit.log"
    arguments = ("--audit-policy-file", str(folder / "policy.yaml"), "--audit-log-path", str(path))
    with Server(folder / "var", *arguments) as server:
        yield Audited(server, path)


COLLECTION = "/api/v1/namespaces/default"


def configmap(name: str) -> Event:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "1"}}


def test_each_answer_has_an_audit_id_and_a_client_may_give_it(audited: Audited) -> None:
    connection = audited.server.connection()
    connection.request("GET", "/version")
    answer = connection.getresponse()
    answer.read()
    assert len(answer.headers["Audit-ID"]) == 36
    connection.request("GET", "/version", headers={"Audit-ID": "x" * 99})
    answer = connection.getresponse()
    answer.read()
    assert answer.headers["Audit-ID"] == "x" * 64
    connection.close()


def test_metadata_says_who_did_what_without_any_body(audited: Audited) -> None:
    secret = {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "s"}, "stringData": {"p": "hunter-two"}}
    path = f"{COLLECTION}/secrets?fieldManager=me"
    assert audited.server.request("POST", path, secret, Audit_ID="one", User_Agent="tool/1")[0] == 201
    [event] = audited.events("one", 1)
    received, at = event.pop("requestReceivedTimestamp"), event.pop("stageTimestamp")
    assert received <= at and len(at) == len("2026-01-01T00:00:00.000000Z")
    assert event == {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "auditID": "one",
        "stage": "ResponseComplete",
        "requestURI": path,
        "verb": "create",
        "user": {"username": "admin", "uid": "admin-uid", "groups": ["system:masters", "system:authenticated"]},
        "sourceIPs": ["127.0.0.1"],
        "userAgent": "tool/1",
        "objectRef": {"resource": "secrets", "namespace": "default", "name": "s", "apiVersion": "v1"},
        "responseStatus": {"metadata": {}, "code": 201},
        "annotations": {"authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": ""},
    }
    assert "hunter" not in audited.path.read_text()


def test_request_has_what_was_sent_in_any_form(audited: Audited) -> None:
    text = b"apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: robot}\n"
    answer = audited.server.request(
        "POST", f"{COLLECTION}/serviceaccounts", text, Content_Type="application/yaml", Audit_ID="yaml"
    )
    assert answer[0] == 201
    [event] = audited.events("yaml", 1)
    assert event["requestObject"]["metadata"] == {"name": "robot"} and "responseObject" not in event
    patch = b'[{"op": "add", "path": "/metadata/labels", "value": {"a": "b"}}]'
    path = f"{COLLECTION}/serviceaccounts/robot"
    assert (
        audited.server.request("PATCH", path, patch, Content_Type="application/json-patch+json", Audit_ID="p")[0] == 200
    )
    assert audited.events("p", 1)[0]["requestObject"] == json.loads(patch)


def test_request_response_has_both_without_managed_fields(audited: Audited) -> None:
    assert audited.server.request("POST", f"{COLLECTION}/configmaps", configmap("both"), Audit_ID="both")[0] == 201
    [event] = audited.events("both", 1)
    assert event["requestObject"]["data"] == {"a": "1"}
    assert event["responseObject"]["metadata"]["uid"] and "managedFields" not in event["responseObject"]["metadata"]
    # Others' tests may have made one that is too long.
    path = f"{COLLECTION}/configmaps?fieldSelector=metadata.name%3Dboth"
    assert audited.server.request("GET", path, Audit_ID="list")[0] == 200
    [event] = audited.events("list", 1)
    assert event["verb"] == "list" and event["responseObject"]["items"]
    assert all("managedFields" not in item["metadata"] for item in event["responseObject"]["items"])


def test_bodies_that_are_too_long_are_left_out_and_that_is_said(audited: Audited) -> None:
    large = {**configmap("large"), "data": {"a": "x" * 200_000}}
    assert audited.server.request("POST", f"{COLLECTION}/configmaps", large, Audit_ID="large")[0] == 201
    [event] = audited.events("large", 1)
    assert "requestObject" not in event and "responseObject" not in event
    assert event["annotations"]["audit.k8s.io/truncated"] == "true"


def test_the_stages_of_a_short_request_and_of_a_watch(audited: Audited) -> None:
    assert audited.server.request("GET", "/api/v1/nodes", Audit_ID="short")[0] == 200
    assert [one["stage"] for one in audited.events("short", 2)] == ["RequestReceived", "ResponseComplete"]
    watch = Watch(audited.server, "/api/v1/namespaces?watch=1")
    watch.next()
    begun = audited.found(lambda e: e["verb"] == "watch" and e["stage"] == "ResponseStarted")
    assert begun[0]["responseStatus"]["code"] == 200
    watch.close()
    stages = [one["stage"] for one in audited.events(begun[0]["auditID"], 3)]
    assert stages == ["RequestReceived", "ResponseStarted", "ResponseComplete"]


def test_refusals_are_told_with_their_reason(audited: Audited) -> None:
    status, told = audited.server.request("GET", "/api/v1/nodes", Impersonate_User="eve", Audit_ID="eve")
    assert status == 403
    event = audited.events("eve", 2)[-1]
    assert event["user"]["username"] == "admin" and event["impersonatedUser"]["username"] == "eve"
    assert event["annotations"]["authorization.k8s.io/decision"] == "forbid"
    assert event["responseStatus"] == {
        "metadata": {},
        "status": "Failure",
        "message": told["message"],
        "reason": "Forbidden",
        "code": 403,
    }
    answer = audited.server.request("GET", "/version", Impersonate_User="eve", Audit_ID="allowed")
    assert answer[0] == 200
    reason = audited.events("allowed", 2)[-1]["annotations"]["authorization.k8s.io/reason"]
    assert reason.startswith('RBAC: allowed by ClusterRoleBinding "system:') and 'to Group "system:' in reason


def test_a_token_that_is_not_good_is_told_without_it(audited: Audited) -> None:
    answer = audited.server.request("GET", "/api/v1/nodes", Authorization="Bearer not-that-one", Audit_ID="who")
    assert answer[0] == 401
    [event] = audited.events("who", 1)
    assert (event["user"], event["responseStatus"]["code"]) == ({}, 401)
    assert "not-that-one" not in audited.path.read_text()


def test_the_way_that_a_request_claims_is_told_before_where_it_came_from(audited: Audited) -> None:
    audited.server.request("GET", "/version", X_Forwarded_For="203.0.113.1, junk, 2001:db8::1", Audit_ID="way")
    assert audited.events("way", 2)[0]["sourceIPs"] == ["203.0.113.1", "2001:db8::1", "127.0.0.1"]


def test_what_is_wrong_in_the_options_is_said(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: []\n")
    for arguments, words in (
        (("--audit-log-path", str(tmp_path / "x.log")), "--audit-log-path needs --audit-policy-file"),
        (("--audit-policy-file", str(tmp_path / "policy.yaml"), "--audit-log-path", "-"), "no rules"),
    ):
        with pytest.raises(AssertionError, match=words):
            Server(tmp_path / "var", *arguments).__enter__()


def test_a_bug_of_ours_is_a_stage_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from apiserver import app, metrics
    from cluster.audit.events import AuditLog
    from cluster.audit.policy import load
    from kube.users import MASTERS, User

    async def broken(request: object) -> None:
        raise KeyError("oh")

    async def nothing(*_: object) -> dict[str, Any]:
        return {}

    async def let_in(request: Any) -> None:
        """Nobody waits."""

    async def ann(request: Any) -> User:
        return User("ann", groups=(MASTERS,))

    written: list[Event] = []
    writer = SimpleNamespace(put=lambda line: written.append(json.loads(line.encode())))
    (tmp_path / "policy.yaml").write_text(POLICY)
    state = SimpleNamespace(
        audit=AuditLog(load(tmp_path / "policy.yaml"), writer),  # type: ignore[arg-type]
        fairness=SimpleNamespace(enter=let_in),
        authenticator=SimpleNamespace(authenticate=ann),
        remotes=None,
    )
    monkeypatch.setitem(app.EXACT, "/version", broken)  # type: ignore[arg-type]
    monkeypatch.setattr(metrics, "observe", lambda *_: None)
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/version",
        "raw_path": b"/version",
        "query_string": b"",
        "headers": [],
    }
    asyncio.run(app.App(state)(scope, nothing, nothing))  # type: ignore[arg-type]
    assert [(event["stage"], event.get("responseStatus", {}).get("code")) for event in written] == [
        ("RequestReceived", None),
        ("Panic", 500),
    ]
    assert written[1]["responseStatus"]["message"] == "KeyError: 'oh'"


def test_policies_annotate_the_event(audited: Audited) -> None:
    """A write that is refused as well."""
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}
    group = "/apis/admissionregistration.k8s.io/v1"
    spec = {
        "matchConstraints": {"resourceRules": [rule], "objectSelector": {"matchLabels": {"noted": "yes"}}},
        "validations": [{"expression": "false", "message": "never"}],
        "auditAnnotations": [{"key": "name", "valueExpression": "'about ' + object.metadata.name"}],
    }
    for path, body in (
        ("validatingadmissionpolicies", {"metadata": {"name": "noting"}, "spec": spec}),
        (
            "validatingadmissionpolicybindings",
            {"metadata": {"name": "b"}, "spec": {"policyName": "noting", "validationActions": ["Deny", "Audit"]}},
        ),
    ):
        assert audited.server.request("POST", f"{group}/{path}", body)[0] == 201
    made = configmap("noted")
    made["metadata"]["labels"] = {"noted": "yes"}
    assert audited.server.request("POST", f"{COLLECTION}/configmaps", made)[0] == 422
    [event] = audited.found(lambda event: "noting/name" in event.get("annotations", {}))
    assert event["annotations"]["noting/name"] == "about noted"
    [failure] = json.loads(event["annotations"]["validation.policy.admission.k8s.io/validation_failure"])
    assert (failure["policy"], failure["message"]) == ("noting", "never")
    assert event["annotations"]["authorization.k8s.io/decision"] == "allow"

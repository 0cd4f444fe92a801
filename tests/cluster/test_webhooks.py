"""Admission webhooks, against a real HTTPS server: what it is asked, and what comes of its answers."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from cluster.cache import Cache
from cluster.plan import arun
from cluster.store import Store
from cluster.verbs import Session, create
from cluster.verbs.call import Call
from config.pki import Authority
from kube import registry
from kube.errors import ApiError
from kube.objects import Json
from kube.registry import Settings
from kube.users import User
from tests.cluster.sessions import NS, config, make, pod
from tests.tls import secure

GROUP = "admissionregistration.k8s.io"
CONFIG_MAPS = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["configmaps"]}
PODS = {**CONFIG_MAPS, "resources": ["pods"]}
ALLOWED: Json = {"allowed": True}
Answer = Callable[[Json], Json | bytes | None]


class Hooks:
    """The server: `answers[path](request)` is the response to an AdmissionRequest; `asked` are (path, review)."""

    def __init__(self, folder: Path) -> None:
        authority = Authority(folder)
        authority.issue("hook", "hook", [], ["127.0.0.1", "127.0.0.9", "hook.work.svc"])
        self.bundle = base64.b64encode((folder / "ca.crt").read_bytes()).decode()
        self.answers: dict[str, Answer] = {}
        self.asked: list[tuple[str, Json]] = []
        self._server = ThreadingHTTPServer(("0.0.0.0", 0), self._handler())
        secure(self._server, folder, "hook")
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        hooks = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                path, review = self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                hooks.asked.append((path, review))
                response = hooks.answers[path.partition("?")[0]](review["request"])
                if isinstance(response, dict):
                    whole = {"uid": review["request"]["uid"], **response}
                    response = json.dumps(
                        {"apiVersion": review["apiVersion"], "kind": review["kind"], "response": whole}
                    ).encode()
                self.send_response(200 if response is not None else 503)
                self.end_headers()
                self.wfile.write(response or b"not now")

            def log_message(self, *_: object) -> None:
                """Quiet."""

        return Handler

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def session(cache: Cache, store: Store) -> Session:
    made = make(cache, store, User("ann", groups=("devs",)))
    return Session(1, made.user, cache, store, settings=Settings(service_cidr="127.0.0.0/24"))


@pytest.fixture
def hooks(tmp_path: Path) -> Iterator[Hooks]:
    made = Hooks(tmp_path)
    yield made
    made.close()


def register(
    session: Session,
    hooks: Hooks,
    path: str,
    answer: Answer = lambda asked: ALLOWED,
    *,
    sort: str = "validating",
    rule: Json = CONFIG_MAPS,
    **more: Any,
) -> None:
    """A configuration with one webhook, which answers at `path`."""
    hooks.answers[path] = answer
    name = path.strip("/")
    hook = {
        "name": f"{name}.example.com",
        "rules": [rule],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "timeoutSeconds": 30,
        "clientConfig": {"url": f"https://127.0.0.1:{hooks.port}{path}", "caBundle": hooks.bundle},
        **more,
    }
    session.create(f"{sort}webhookconfigurations.{GROUP}", "", {"metadata": {"name": name}, "webhooks": [hook]})


def patch(*operations: Json) -> Json:
    return {
        "allowed": True,
        "patchType": "JSONPatch",
        "patch": base64.b64encode(json.dumps(operations).encode()).decode(),
    }


def label(key: str, value: str) -> Json:
    return {"op": "add", "path": "/metadata/labels", "value": {key: value}}


def refusal(session: Session, obj: Json, storage: str = "configmaps") -> ApiError:
    with pytest.raises(ApiError) as refused:
        session.create(storage, NS, obj)
    return refused.value


def test_what_a_webhook_is_asked(session: Session, hooks: Hooks) -> None:
    register(session, hooks, "/all")
    session.create("configmaps", NS, config("x", a="1"), dry_run=True)
    session.create("configmaps", NS, config("x", a="1"))
    session.mutate("configmaps", NS, "x", lambda obj: obj["data"].update(a="2"))
    session.delete("configmaps", NS, "x")
    reviews = [review for _, review in hooks.asked]
    assert [path for path, _ in hooks.asked] == ["/all?timeout=30s"] * 4
    assert {(review["apiVersion"], review["kind"]) for review in reviews} == {
        ("admission.k8s.io/v1", "AdmissionReview")
    }
    dry, made, changed, gone = (review["request"] for review in reviews)
    assert [asked["dryRun"] for asked in (dry, made, changed, gone)] == [True, False, False, False]
    assert [asked["operation"] for asked in (made, changed, gone)] == ["CREATE", "UPDATE", "DELETE"]
    assert made["object"]["data"] == {"a": "1"} and made["oldObject"] is None
    assert (changed["object"]["data"], changed["oldObject"]["data"]) == ({"a": "2"}, {"a": "1"})
    assert gone["object"] is None and gone["oldObject"]["data"] == {"a": "2"}
    assert made["kind"] == made["requestKind"] == {"group": "", "version": "v1", "kind": "ConfigMap"}
    assert made["resource"] == {"group": "", "version": "v1", "resource": "configmaps"}
    assert (made["namespace"], made["name"], made["userInfo"]) == (NS, "x", {"username": "ann", "groups": ["devs"]})
    assert made["options"]["kind"] == "CreateOptions" and "subResource" not in made


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        ({"message": "not on Fridays", "code": 403, "reason": "Forbidden"}, 403, "denied the request: not on Fridays"),
        ({"reason": "Late"}, 400, "denied the request: Late"),
        (None, 400, "denied the request without explanation"),
        ({"message": "fine", "code": 200}, 400, "denied the request: fine"),
    ],
)
def test_a_webhook_that_refuses(session: Session, hooks: Hooks, status: Json | None, code: int, message: str) -> None:
    register(session, hooks, "/no", lambda asked: {"allowed": False, **({"status": status} if status else {})})
    error = refusal(session, config("x"))
    assert (error.code, error.message) == (code, f'admission webhook "no.example.com" {message}')
    assert session.get("configmaps", NS, "x") is None


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (None, "the answer is 503: not now"),
        (b"<html>", "the answer is no AdmissionReview"),
        (b'{"response": []}', "the answer is no AdmissionReview"),
        ({"uid": "other", "allowed": True}, 'expected response.uid="'),
        ({"allowed": True, "patch": "e30=", "patchType": "Merge"}, 'response.patchType is "Merge"'),
        ({"allowed": True, "patch": "!", "patchType": "JSONPatch"}, "no JSON patch in base64"),
        (patch({"op": "remove", "path": "/none"}), "its patch cannot be applied: "),
        (patch({"op": "replace", "path": "/data", "value": 7}), "its patch cannot be applied: "),
    ],
)
@pytest.mark.parametrize("policy", ["Fail", "Ignore"])
def test_a_webhook_that_fails(
    session: Session, hooks: Hooks, answer: Json | bytes | None, why: str, policy: str
) -> None:
    register(session, hooks, "/ill", lambda asked: answer, sort="mutating", failurePolicy=policy)
    if policy == "Ignore":
        assert session.create("configmaps", NS, config("x", a="1"))["data"] == {"a": "1"}
        return
    error = refusal(session, config("x", a="1"))
    assert error.code == 500
    assert error.message.startswith('Internal error occurred: failed calling webhook "ill.example.com": ')
    assert why in error.message, error.message


def test_a_webhook_that_is_not_there(session: Session, hooks: Hooks) -> None:
    register(session, hooks, "/gone", clientConfig={"url": "https://127.0.0.1:1/gone", "caBundle": hooks.bundle})
    assert (
        'failed to call webhook: Post "https://127.0.0.1:1/gone?timeout=30s": ' in refusal(session, config("x")).message
    )


def test_a_webhook_of_another_authority(session: Session, hooks: Hooks) -> None:
    register(session, hooks, "/foreign", clientConfig={"url": f"https://127.0.0.1:{hooks.port}/foreign"})
    assert "certificate verify failed" in refusal(session, config("x")).message
    assert hooks.asked == []


def test_a_service(session: Session, hooks: Hooks) -> None:
    where = {
        "service": {"name": "hook", "namespace": NS, "port": hooks.port, "path": "/service"},
        "caBundle": hooks.bundle,
    }
    register(session, hooks, "/service", clientConfig=where)
    assert 'service "hook" not found' in refusal(session, config("x")).message
    session.create(
        "services",
        NS,
        {"metadata": {"name": "hook"}, "spec": {"clusterIP": "127.0.0.9", "ports": [{"port": hooks.port}]}},
    )
    session.create("configmaps", NS, config("x"))
    assert len(hooks.asked) == 1


def test_which_writes_it_is_asked_about(session: Session, hooks: Hooks) -> None:
    register(
        session,
        hooks,
        "/some",
        rule={**CONFIG_MAPS, "operations": ["CREATE"]},
        objectSelector={"matchLabels": {"asked": "yes"}},
        matchConditions=[{"name": "not-small", "expression": "object.data.size() > 1"}],
    )
    labels = {"labels": {"asked": "yes"}}
    session.create("configmaps", NS, config("plain", a="1", b="2"))
    session.create("configmaps", NS, {"metadata": {"name": "small", **labels}, "data": {"a": "1"}})
    assert hooks.asked == []
    session.create("configmaps", NS, {"metadata": {"name": "large", **labels}, "data": {"a": "1", "b": "2"}})
    session.delete("configmaps", NS, "large")
    assert [review["request"]["name"] for _, review in hooks.asked] == ["large"]


def test_what_configures_admission_is_free_of_it(session: Session, hooks: Hooks) -> None:
    register(
        session,
        hooks,
        "/no",
        lambda asked: {"allowed": False},
        rule={"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*/*"]},
    )
    session.delete(f"validatingwebhookconfigurations.{GROUP}", "", "no")
    session.create("configmaps", NS, config("x"))
    assert hooks.asked == []


def test_a_sidecar_that_is_put_in_gets_what_all_containers_get(session: Session, hooks: Hooks) -> None:
    session.create(
        "limitranges",
        NS,
        {"metadata": {"name": "l"}, "spec": {"limits": [{"type": "Container", "defaultRequest": {"memory": "64Mi"}}]}},
    )
    register(
        session,
        hooks,
        "/inject",
        lambda asked: patch({"op": "add", "path": "/spec/containers/-", "value": {"name": "sidecar", "image": "host"}}),
        sort="mutating",
        rule={**PODS, "operations": ["CREATE"]},
    )
    made = session.create("pods", NS, pod())
    first, second = made["spec"]["containers"]
    assert second["name"] == "sidecar" and second["imagePullPolicy"] == first["imagePullPolicy"]
    assert second["resources"]["requests"] == {"memory": "64Mi"}
    assert second["volumeMounts"] == first["volumeMounts"] and len(made["spec"]["volumes"]) == 1


def test_a_change_that_is_not_valid_is_refused_as_such(session: Session, hooks: Hooks) -> None:
    register(session, hooks, "/bad", lambda asked: patch(label("a b", "c")), sort="mutating")
    error = refusal(session, config("x"))
    assert error.code == 422 and "metadata.labels" in error.message


def test_webhooks_go_one_after_the_other_and_again_where_they_want_to(session: Session, hooks: Hooks) -> None:
    def count(asked: Json) -> Json:
        return patch({"op": "add", "path": "/data/count", "value": str(len(asked["object"]["data"]))})

    register(session, hooks, "/a-again", count, sort="mutating", reinvocationPolicy="IfNeeded")
    register(session, hooks, "/b-once", count, sort="mutating")
    more = patch({"op": "add", "path": "/data/more", "value": "1"})
    register(session, hooks, "/c-adds", lambda asked: more, sort="mutating")
    register(session, hooks, "/z-sees")
    made = session.create("configmaps", NS, config("x", a="1"))
    order = [path.partition("?")[0] for path, _ in hooks.asked]
    assert order == ["/a-again", "/b-once", "/c-adds", "/a-again", "/z-sees"]
    assert made["data"] == {"a": "1", "count": "3", "more": "1"}
    assert hooks.asked[-1][1]["request"]["object"]["data"] == made["data"], "who validates sees what is stored"


def test_warnings_and_versions(session: Session, hooks: Hooks) -> None:
    register(
        session,
        hooks,
        "/old",
        lambda asked: {"allowed": True, "warnings": ["mind the gap"]},
        admissionReviewVersions=["v1beta1"],
    )
    kind = registry.of_cluster(1).by_storage("configmaps")
    assert kind is not None
    call = Call(session, kind, NS, "")
    asyncio.run(arun(create.plan(call, config("x")), session.store))
    assert call.warnings == ["mind the gap"]
    assert hooks.asked[0][1]["apiVersion"] == "admission.k8s.io/v1beta1"


def test_each_of_many_is_asked_about(session: Session, hooks: Hooks) -> None:
    register(session, hooks, "/each", lambda asked: {"allowed": len(hooks.asked) != 2}, rule=PODS)
    template = pod()
    template["metadata"] = {"generateName": "web-"}
    results = session.create_many([("pods", NS, template)] * 3)
    assert [isinstance(result, ApiError) for result in results] == [False, True, False]
    assert len({review["request"]["uid"] for _, review in hooks.asked}) == 3


def test_nobody_waits_for_the_webhook_of_another(session: Session, hooks: Hooks) -> None:
    release = threading.Event()

    def slow(asked: Json) -> Json:
        assert release.wait(60)
        return ALLOWED

    register(session, hooks, "/slow", slow, objectSelector={"matchLabels": {"slow": "yes"}})
    kind = registry.of_cluster(1).by_storage("configmaps")
    assert kind is not None

    def plan(name: str, **labels: str) -> Any:
        return arun(
            create.plan(Call(session, kind, NS, ""), {"metadata": {"name": name, "labels": labels}}), session.store
        )

    async def story() -> None:
        waiting = asyncio.create_task(plan("waits", slow="yes"))
        async with asyncio.timeout(60):
            while not hooks.asked:
                await asyncio.sleep(0.01)
            await plan("quick")
            assert not waiting.done()
            release.set()
            await waiting

    asyncio.run(story())
    assert session.get("configmaps", NS, "waits")

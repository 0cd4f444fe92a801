"""What one may do who has `view` in one namespace, who has nothing, who is not known, and who comes with a wrong token: every
verb of every resource, and every other path, against a real server. Nothing of another namespace is in any answer.

What is expected stands here and in `rights`, of every resource that discovery names: a new one fails until it has its row.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.apiserver.rights import ASK, CANARY, NOTHING, VIEW
from tests.apiserver.standalone import Server

METHODS = {
    "get": "GET",
    "list": "GET",
    "watch": "GET",
    "create": "POST",
    "update": "PUT",
    "patch": "PATCH",
    "delete": "DELETE",
    "deletecollection": "DELETE",
}
# Other paths: what who is known is answered, and who is not.
PATHS = {
    "/": (403, 403),
    "/api": (200, 403),
    "/api/v1": (200, 403),
    "/apis": (200, 403),
    "/apis/apps": (200, 403),
    "/apis/apps/v1": (200, 403),
    "/openapi/v2": (200, 403),
    "/openapi/v3": (200, 403),
    "/openapi/v3/api/v1": (200, 403),
    "/version": (200, 200),
    "/healthz": (200, 200),
    "/livez": (200, 200),
    "/readyz": (200, 200),
    "/.well-known/openid-configuration": (200, 403),  # to service accounts, as these people are
    "/openid/v1/jwks": (200, 403),
    "/livez/ping": (403, 403),
    "/metrics": (403, 403),
    "/logs": (403, 403),
    "/debug/pprof": (403, 403),
    "/nothing/such": (403, 403),
}
MINE, THEIRS = "/api/v1/namespaces/mine", "/api/v1/namespaces/theirs"
# Ways around: all are refused to who may only view `mine`.
AROUND = [
    ("GET", "/api/v1/pods?fieldSelector=metadata.namespace=mine"),
    ("GET", "/api/v1/pods?namespace=mine"),
    ("GET", "/api/v1/watch/pods"),
    ("GET", "/api/v1/watch/namespaces/theirs/pods"),
    ("GET", "/api/v1/watch/namespaces/theirs/pods/thing"),
    ("GET", f"{THEIRS}/pods/thing/log"),
    ("GET", f"{THEIRS}/pods/thing/log?follow=true"),
    ("GET", f"{THEIRS}/pods/thing/proxy/"),
    ("GET", f"{THEIRS}/pods/thing/exec?command=id"),
    ("POST", f"{THEIRS}/pods/thing/exec?command=id"),
    ("POST", f"{THEIRS}/pods/thing/attach"),
    ("POST", f"{THEIRS}/pods/thing/portforward?ports=80"),
    ("GET", f"{THEIRS}/services/thing/proxy/"),
    ("POST", f"{MINE}/pods/thing/exec?command=id"),
    ("POST", f"{MINE}/pods/thing/portforward?ports=80"),
    ("GET", f"{MINE}/services/thing/proxy/../../../theirs/configmaps/thing"),
    ("GET", f"{MINE}/../theirs/configmaps/thing"),
    ("GET", "//api/v1/namespaces/theirs/configmaps/thing"),
    ("GET", f"{THEIRS}//configmaps/thing"),
    ("GET", "/api/v1/namespaces/%74heirs/configmaps/thing"),
    ("GET", "/api/v1/nodes/n1/proxy/pods"),
    ("GET", "/api/v1/nodes/n1/proxy/logs/"),
    ("GET", "/api/v1/namespaces/theirs"),
    ("POST", f"{MINE}/serviceaccounts/viewer/token"),
    ("POST", f"{THEIRS}/pods/thing/eviction"),
    ("POST", f"{MINE}/pods/thing/binding"),
    ("POST", f"{THEIRS}/bindings"),
    ("HEAD", f"{THEIRS}/configmaps/thing"),
    ("OPTIONS", f"{THEIRS}/configmaps/thing"),
]


@dataclass
class People:
    """The tokens of who asks; "" is nobody."""

    server: Server
    tokens: dict[str, str]
    leaks: list[str] = field(default_factory=list)
    local: threading.local = field(default_factory=threading.local)

    def ask(self, who: str, method: str, path: str, **headers: str) -> int:
        """The status of an answer; what it tells of the other namespace is noted."""
        token = self.tokens[who]
        headers.setdefault("Authorization", f"Bearer {token}" if token else "")
        body = b"{}" if method in ("POST", "PUT", "PATCH") else None
        headers["Content_Type"] = "application/merge-patch+json" if method == "PATCH" else "application/json"
        # One connection a thread: a TLS handshake takes longer than most answers.
        if not hasattr(self.local, "connection"):
            self.local.connection = self.server.connection()
        connection = self.local.connection
        connection.request(method, path, body, {name.replace("_", "-"): text for name, text in headers.items()})
        answer = connection.getresponse()
        told = f"{answer.headers}".encode() + answer.read()
        if CANARY.encode() in told:
            self.leaks.append(f"{who}: {method} {path}")
        return int(answer.status)

    def all(self, rows: list[tuple[str, str, str]]) -> list[int]:
        """The statuses of (who, method, path), side by side: watches wait until their time is over."""
        with ThreadPoolExecutor(12) as pool:
            return list(pool.map(lambda row: self.ask(*row), rows))


def objects(namespace: str, secret: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Paths and objects of a namespace in which `secret` is everywhere: (collection, object)."""
    core, apps = f"/api/v1/namespaces/{namespace}", f"/apis/apps/v1/namespaces/{namespace}"
    for name in ("thing", secret):
        meta = {"name": name, "labels": {"of": secret, secret: "x"}, "annotations": {"note": secret, secret: "x"}}
        pod = {"containers": [{"name": "c", "image": secret, "env": [{"name": "E", "value": secret}]}]}
        template = {"metadata": {"labels": {"of": secret}}, "spec": pod}
        yield f"{core}/configmaps", {"metadata": meta, "data": {secret: secret}}
        yield f"{core}/secrets", {"metadata": meta, "stringData": {secret: secret}}
        yield f"{core}/pods", {"metadata": meta, "spec": {**pod, "nodeName": "n1"}}
        yield f"{core}/services", {"metadata": meta, "spec": {"selector": {"of": secret}, "ports": [{"port": 80}]}}
        yield f"{core}/serviceaccounts", {"metadata": meta}
        about = {"kind": "Pod", "namespace": namespace, "name": secret}
        yield f"{core}/events", {"metadata": meta, "involvedObject": about, "reason": secret, "message": secret}
        selector = {"matchLabels": {"of": secret}}
        yield f"{apps}/deployments", {"metadata": meta, "spec": {"selector": selector, "template": template}}
        rules = [{"apiGroups": [""], "resources": [secret], "verbs": ["get"]}]
        yield f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/roles", {"metadata": meta, "rules": rules}


@pytest.fixture(scope="module")
def people(server: Server, node: str) -> People:
    """The namespace `mine` with a viewer and one without rights; the namespace `theirs`, which nobody of them may see."""

    def made(path: str, obj: dict[str, Any]) -> Any:
        status, answer = server.request("POST", path, obj)
        assert status in (200, 201), (path, answer)
        return answer

    for name, note in (("mine", "x"), ("theirs", CANARY)):
        made("/api/v1/namespaces", {"metadata": {"name": name, "annotations": {"note": note}}})
        made(f"/api/v1/namespaces/{name}/serviceaccounts", {"metadata": {"name": "default"}})
        for path, obj in objects(name, {"mine": "own"}.get(name, CANARY)):
            made(path, obj)
    tokens = {"nobody known": "", "stranger": "no-such-token"}
    for name in ("viewer", "nothing"):
        made(f"{MINE}/serviceaccounts", {"metadata": {"name": name}})
        token = made(f"{MINE}/serviceaccounts/{name}/token", {"spec": {}})
        tokens[name] = token["status"]["token"]
    group = "rbac.authorization.k8s.io"
    binding = {
        "metadata": {"name": "viewer"},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "view"},
        "subjects": [{"kind": "ServiceAccount", "name": "viewer", "namespace": "mine"}],
    }
    made(f"/apis/{group}/v1/namespaces/mine/rolebindings", binding)
    return People(server, tokens)


@dataclass(frozen=True)
class Served:
    """A resource or subresource as discovery names it."""

    group: str
    version: str
    name: str
    namespaced: bool
    verbs: tuple[str, ...]

    def path(self, verb: str, namespace: str) -> str:
        resource, _, part = self.name.partition("/")
        place = f"namespaces/{namespace}/" if namespace and self.namespaced else ""
        whole = f"/{f'apis/{self.group}' if self.group else 'api'}/{self.version}/{place}{resource}"
        if verb in ("get", "update", "patch", "delete") or part:
            whole += f"/{namespace if resource == 'namespaces' and namespace else 'thing'}{f'/{part}' if part else ''}"
        return whole + ("?watch=1&timeoutSeconds=1" if verb == "watch" else "")


def served(server: Server) -> list[Served]:
    groups = [("", "v1", "/api/v1")]
    for group in server.request("GET", "/apis")[1]["groups"]:
        groups += [(group["name"], v["version"], f"/apis/{v['groupVersion']}") for v in group["versions"]]
    return [
        Served(group, version, found["name"], found["namespaced"], tuple(found["verbs"]))
        for group, version, path in groups
        for found in server.request("GET", path)[1]["resources"]
    ]


def test_every_route_has_its_row(server: Server) -> None:
    from apiserver.app import BELOW, EXACT
    from apiserver.subresources import HANDLERS, VIRTUAL
    from kube import registry

    known = {(group, name) for group, names in VIEW.items() for name in names}
    found = {(one.group, one.name) for one in served(server) if "example" not in one.group}
    assert found <= known, "resources without a row"
    kinds = {(kind.group, kind.plural) for kind in registry.load().all() if "list" in kind.verbs}
    assert kinds <= known and {(group, name) for group, _, name in VIRTUAL} <= known
    parts = {f"{storage}/{part}" for storage, part in HANDLERS if storage != "*"}
    assert parts <= {name for _, name in known}, "subresources without a row"
    assert {path or "/" for path in EXACT} <= set(PATHS)
    assert {f"/{name}" for name in BELOW if name != "openapi"} <= set(PATHS)


def test_every_verb_of_every_resource(server: Server, people: People) -> None:
    people.leaks.clear()
    rows, wanted = [], []
    for one in served(server):
        expected = VIEW.get(one.group, {}).get(one.name, NOTHING)
        for verb, namespace in itertools.product(one.verbs, ("mine", "theirs", "") if one.namespaced else ("mine", "")):
            if verb not in METHODS or (verb in ("create", "get", "update", "patch", "delete") and not namespace):
                continue
            if not one.namespaced and namespace and one.name.partition("/")[0] != "namespaces" and expected is not ASK:
                continue  # asked once, without
            here = namespace == "mine" and (one.namespaced or one.name.startswith("namespaces"))
            if one.name.startswith("namespaces") and verb not in ("get", "update", "patch", "delete"):
                here = False
            allowed = verb in expected and (here or expected is ASK)
            path = one.path(verb, namespace)
            rows += [(who, METHODS[verb], path) for who in ("viewer", "nothing", "nobody known", "stranger")]
            wanted += ["yes" if allowed else "403", "yes" if expected is ASK and allowed else "403", "403", "401"]
    found = people.all(rows)
    words = ["yes" if status not in (401, 403) else str(status) for status in found]
    wrong = [
        f"{row} is {status}, not {want}"
        for row, status, word, want in zip(rows, found, words, wanted, strict=True)
        if word != want
    ]
    assert wrong == []
    assert len(rows) > 1000 and words.count("yes") > 60
    assert people.leaks == []


def test_every_other_path(people: People) -> None:
    rows = [(who, "GET", path) for path in PATHS for who in ("viewer", "nothing", "nobody known", "stranger")]
    wanted = [status for known, unknown in PATHS.values() for status in (known, known, unknown, 401)]
    assert dict(zip(rows, people.all(rows), strict=True)) == dict(zip(rows, wanted, strict=True))


@pytest.mark.parametrize(("method", "path"), AROUND)
def test_ways_around(people: People, method: str, path: str) -> None:
    people.leaks.clear()
    known = [people.ask(who, method, path) for who in ("viewer", "nothing", "nobody known")]
    assert (known, people.ask("stranger", method, path)) == ([403, 403, 403], 401)
    assert people.leaks == []


def test_nobody_becomes_somebody_else(people: People) -> None:
    for who in ("viewer", "nothing", "nobody known"):
        for headers in (
            {"Impersonate_User": "admin"},
            {"Impersonate_User": "x", "Impersonate_Group": "system:masters"},
        ):
            assert people.ask(who, "GET", f"{MINE}/configmaps", **headers) == 403
        # Headers of a proxy in front are believed of no one else.
        names = {"X_Remote_User": "admin", "X_Remote_Group": "system:masters"}
        assert people.ask(who, "GET", f"{THEIRS}/configmaps", **names) == 403


def test_own_lists_are_whole_and_reviews_tell_only_of_oneself(people: People, server: Server) -> None:
    bearer = f"Bearer {people.tokens['viewer']}"
    _, found = server.request("GET", f"{MINE}/configmaps", Authorization=bearer)
    assert {item["metadata"]["name"] for item in found["items"]} >= {"thing", "own"}
    review = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
    _, rules = server.request("POST", review, {"spec": {"namespace": "theirs"}}, Authorization=bearer)
    assert CANARY not in str(rules)
    assert not any("configmaps" in rule["resources"] for rule in rules["status"]["resourceRules"])

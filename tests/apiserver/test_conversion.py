"""Kinds whose versions a webhook makes out of each other, with a real webhook: reads, writes, lists, watches, failures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kube.objects import Json
from tests.apiserver.standalone import Server, Watch
from tests.apiserver.test_custom_kinds import DEFINITIONS, MERGE, eventually
from tests.cluster.test_webhooks import Answer, Hooks

NAME = "doors.house.example.com"
OLD, NEW = (f"/apis/house.example.com/{version}/namespaces/default/doors" for version in ("v1beta1", "v1"))
STRING = {"type": "string"}


def convert(request: Json) -> Json:
    """`address: host:port` of v1beta1 is `host` and `port` of v1."""
    wanted = request["desiredAPIVersion"]
    return {"result": {"status": "Success"}, "convertedObjects": [converted(obj, wanted) for obj in request["objects"]]}


def converted(obj: Json, wanted: str) -> Json:
    spec = obj["spec"]
    if wanted.endswith("v1"):
        host, _, port = spec["address"].partition(":")
        spec = {"host": host, "port": port}
    else:
        spec = {"address": f"{spec['host']}:{spec['port']}"}
    meta = {**obj["metadata"], "annotations": {**(obj["metadata"].get("annotations") or {}), "seen": wanted}}
    return {**obj, "apiVersion": wanted, "spec": spec, "metadata": meta}


def version(name: str, storage: bool, *fields: str) -> Json:
    spec: Json = {"type": "object", "properties": dict.fromkeys(fields, STRING)}
    spec["properties"]["port"] = {**STRING, "default": "80"} if "port" in fields else STRING
    schema = {"type": "object", "properties": {"spec": spec}}
    return {"name": name, "served": True, "storage": storage, "schema": {"openAPIV3Schema": schema}}


def door(version: str, name: str, **spec: str) -> Json:
    return {"apiVersion": f"house.example.com/{version}", "kind": "Door", "metadata": {"name": name}, "spec": spec}


@pytest.fixture
def hooks(tmp_path: Path) -> Iterator[Hooks]:
    made = Hooks(tmp_path)
    made.answers["/convert"] = convert
    yield made
    made.close()


@pytest.fixture
def served(server: Server, hooks: Hooks) -> Iterator[Server]:
    """A server with the kind in two versions, stored as v1."""
    client = {"url": f"https://127.0.0.1:{hooks.port}/convert", "caBundle": hooks.bundle}
    definition = {
        "metadata": {"name": NAME},
        "spec": {
            "group": "house.example.com",
            "scope": "Namespaced",
            "names": {"plural": "doors", "kind": "Door"},
            "versions": [version("v1", True, "host", "port"), version("v1beta1", False, "address")],
            "conversion": {
                "strategy": "Webhook",
                "webhook": {"clientConfig": client, "conversionReviewVersions": ["v1"]},
            },
        },
    }
    assert server.request("POST", DEFINITIONS, definition)[0] == 201
    eventually(lambda: server.request("GET", OLD)[0] == 200)
    yield server
    # The objects go also where the webhook answers no more.
    server.request("DELETE", f"{DEFINITIONS}/{NAME}")
    eventually(lambda: server.request("GET", f"{DEFINITIONS}/{NAME}")[0] == 404)


def test_every_version_reads_and_writes_the_same_object(served: Server, hooks: Hooks) -> None:
    status, made = served.request("POST", OLD, door("v1beta1", "a", address="left:1"))
    assert (status, made["apiVersion"], made["spec"]) == (201, "house.example.com/v1beta1", {"address": "left:1"})
    assert made["metadata"]["annotations"] == {"seen": "house.example.com/v1beta1"}
    new = served.request("GET", f"{NEW}/a")[1]
    assert new["spec"] == {"host": "left", "port": "1"} and new["metadata"]["uid"] == made["metadata"]["uid"]
    changed = served.request("PATCH", f"{OLD}/a", {"spec": {"address": "right:2"}}, Content_Type=MERGE)[1]
    assert changed["spec"] == {"address": "right:2"} and changed["metadata"]["generation"] == 2
    changed["spec"]["address"] = "top:3"
    assert served.request("PUT", f"{OLD}/a", changed)[1]["spec"] == {"address": "top:3"}
    assert served.request("GET", f"{NEW}/a")[1]["spec"] == {"host": "top", "port": "3"}
    applied = "application/apply-patch+yaml"
    status, made = served.request(
        "PATCH", f"{OLD}/b?fieldManager=me", door("v1beta1", "b", address="c:4"), Content_Type=applied
    )
    assert (status, made["spec"]) == (201, {"address": "c:4"})
    assert served.request("DELETE", f"{OLD}/b")[0] == 200


def test_a_list_asks_once(served: Server, hooks: Hooks) -> None:
    for i in range(5):
        assert served.request("POST", NEW, door("v1", f"d{i}", host=f"h{i}"))[0] == 201
    asked = len(hooks.asked)
    items = served.request("GET", OLD)[1]["items"]
    assert [item["spec"]["address"] for item in items] == [f"h{i}:80" for i in range(5)]
    assert len(hooks.asked) == asked + 1
    table = served.request("GET", OLD, Accept="application/json;as=Table;g=meta.k8s.io;v=v1")[1]
    assert len(table["rows"]) == 5 and served.request("GET", f"{OLD}/d1")[1]["spec"]["address"] == "h1:80"
    assert len(hooks.asked) == asked + 1


def test_a_watch_shows_the_version_that_it_asked_for(served: Server) -> None:
    served.request("POST", NEW, door("v1", "w", host="first", port="1"))
    watch = Watch(served, f"{OLD}?watch=1")
    try:
        assert watch.next()["object"]["spec"] == {"address": "first:1"}
        served.request("PATCH", f"{NEW}/w", {"spec": {"host": "second"}}, Content_Type=MERGE)
        event = watch.next()
        assert (event["type"], event["object"]["spec"]) == ("MODIFIED", {"address": "second:1"})
        served.request("DELETE", f"{NEW}/w")
        event = watch.next()
        assert (event["type"], event["object"]["apiVersion"]) == ("DELETED", "house.example.com/v1beta1")
    finally:
        watch.close()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda request: None, "the answer is 503"),
        (lambda request: b"{}", "no response provided"),
        (lambda request: {"result": {"status": "Failed", "message": "not today"}}, "failed: not today"),
        (lambda request: {"result": {"status": "Success"}, "convertedObjects": []}, "returned 0 objects, expected 1"),
        (lambda request: {"result": {"status": "Success"}, "convertedObjects": request["objects"]}, "invalid apiVersion"),
        (
            lambda request: {
                "result": {"status": "Success"},
                "convertedObjects": [
                    {**converted(obj, request["desiredAPIVersion"]), "metadata": {"name": "another"}}
                    for obj in request["objects"]
                ],
            },
            "must have the same name",
        ),
    ],
    ids=["away", "empty", "refused", "none", "unchanged", "another"],
)  # fmt: skip
def test_a_webhook_that_fails_is_named_and_nothing_is_lost(
    served: Server, hooks: Hooks, answer: Answer, said: str
) -> None:
    served.request("POST", NEW, door("v1", "kept", host="h", port="1"))
    hooks.answers["/convert"] = answer
    for method, path, body in (
        ("GET", f"{OLD}/kept", None),
        ("GET", OLD, None),
        ("POST", OLD, door("v1beta1", "new", address="a:1")),
        ("GET", f"{OLD}?watch=1", None),
    ):
        status, told = served.request(method, path, body)
        assert status == 500 and told["message"].startswith("conversion webhook for house.example.com/v1"), told
        assert said in told["message"]
    # In the stored version nobody is asked.
    assert served.request("GET", f"{NEW}/kept")[1]["spec"] == {"host": "h", "port": "1"}
    assert served.request("GET", f"{NEW}/new")[0] == 404
    hooks.answers["/convert"] = convert
    assert served.request("GET", f"{OLD}/kept")[1]["spec"] == {"address": "h:1"}


def test_a_watch_ends_with_the_reason_when_the_webhook_goes(served: Server, hooks: Hooks) -> None:
    watch = Watch(served, f"{OLD}?watch=1")
    try:
        hooks.answers["/convert"] = lambda request: None
        served.request("POST", NEW, door("v1", "late", host="h", port="1"))
        event = watch.next()
        assert event["type"] == "ERROR" and "conversion webhook" in event["object"]["message"]
        assert watch.answer.readline() == b""
    finally:
        watch.close()


def test_objects_of_an_older_storage_version_are_converted_when_they_are_read(served: Server) -> None:
    served.request("POST", NEW, door("v1", "old", host="h", port="1"))
    versions = [version("v1", False, "host", "port"), version("v1beta1", True, "address")]
    patch = {"spec": {"versions": versions}}
    assert served.request("PATCH", f"{DEFINITIONS}/{NAME}", patch, Content_Type=MERGE)[0] == 200
    eventually(lambda: served.request("POST", f"{OLD}?dryRun=All", door("v1beta1", "x", address="a:1"))[0] == 201)
    eventually(lambda: served.request("GET", f"{OLD}/old")[1]["spec"] == {"address": "h:1"})
    # Written back, it is stored as v1beta1; it is the same object in both versions.
    assert served.request("PATCH", f"{NEW}/old", {"spec": {"port": "2"}}, Content_Type=MERGE)[0] == 200
    assert served.request("GET", f"{OLD}/old")[1]["spec"] == {"address": "h:2"}
    assert served.request("GET", f"{NEW}/old")[1]["spec"] == {"host": "h", "port": "2"}

"""Custom kinds over their life: definitions that change, and that go, while objects and watches exist."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from kube.objects import Json
from tests.apiserver.standalone import Server, Watch

MERGE = "application/merge-patch+json"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
DEFINITION = f"{DEFINITIONS}/ships.sea.example.com"
OLD, NEW = (f"/apis/sea.example.com/{version}/namespaces/work/ships" for version in ("v1beta1", "v1"))


def version(name: str, storage: bool, **more: Json) -> Json:
    spec = {"type": "object", "properties": {"mast": {"type": "integer"}, "sail": {"type": "string"}, **more}}
    return {
        "name": name,
        "served": True,
        "storage": storage,
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}},
    }


def eventually(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.05)


def change(server: Server, path: str, patch: Json) -> Json:
    status, obj = server.request("PATCH", path, patch, Content_Type=MERGE)
    assert status == 200, obj
    found: Json = obj
    return found


def release(server: Server) -> None:
    """Delete the definition with its ship, however that is held."""
    server.request("DELETE", DEFINITION)
    server.request("PATCH", f"{OLD}/argo", {"metadata": {"finalizers": None}}, Content_Type=MERGE)
    eventually(lambda: server.request("GET", DEFINITION)[0] == 404)


@pytest.fixture
def ship(server: Server) -> Iterator[Json]:
    """A ship of a kind in one version, v1beta1."""
    names = {"plural": "ships", "kind": "Ship"}
    server.request(
        "POST",
        DEFINITIONS,
        {
            "metadata": {"name": "ships.sea.example.com"},
            "spec": {
                "group": "sea.example.com",
                "scope": "Namespaced",
                "names": names,
                "versions": [version("v1beta1", True)],
            },
        },
    )
    eventually(lambda: server.request("GET", OLD)[0] == 200)
    status, obj = server.request("POST", OLD, {"kind": "Ship", "metadata": {"name": "argo"}, "spec": {"mast": 1}})
    assert status == 201, obj
    yield obj
    release(server)


def versions_of(server: Server, path: str) -> set[str]:
    """In which versions the ship is shown, by each way to read it."""
    _, one = server.request("GET", f"{path}/argo")
    _, listed = server.request("GET", path)
    watch = Watch(server, f"{path}?watch=1&timeoutSeconds=20")
    event = watch.next()
    watch.close()
    _, table = server.request(
        "GET", f"{path}?includeObject=Object", Accept="application/json;as=Table;v=v1;g=meta.k8s.io"
    )
    shown = [one, listed["items"][0], event["object"], table["rows"][0]["object"]]
    return {obj["apiVersion"].partition("/")[2] for obj in shown}


def test_objects_are_read_in_the_version_asked_for_after_the_storage_version_changed(
    server: Server, ship: Json
) -> None:
    change(server, DEFINITION, {"spec": {"versions": [version("v1beta1", False), version("v1", True)]}})
    eventually(lambda: server.request("GET", NEW)[0] == 200)
    assert (versions_of(server, OLD), versions_of(server, NEW)) == ({"v1beta1"}, {"v1"})
    patched = change(server, f"{NEW}/argo", {"spec": {"sail": "red"}})
    assert (patched["apiVersion"], patched["spec"]) == ("sea.example.com/v1", {"mast": 1, "sail": "red"})
    assert (versions_of(server, OLD), versions_of(server, NEW)) == ({"v1beta1"}, {"v1"})


def test_a_version_shows_the_fields_that_it_knows(server: Server, ship: Json) -> None:
    newer = version("v1", True, keel={"type": "string", "default": "oak"})
    change(server, DEFINITION, {"spec": {"versions": [version("v1beta1", False), newer]}})
    eventually(lambda: server.request("GET", NEW)[0] == 200)
    assert change(server, f"{NEW}/argo", {"spec": {"sail": "red"}})["spec"] == {"mast": 1, "sail": "red", "keel": "oak"}
    assert server.request("GET", OLD)[1]["items"][0]["spec"] == {"mast": 1, "sail": "red"}
    older = change(server, f"{OLD}/argo?fieldValidation=Strict", {"spec": {"mast": 3}})
    assert older["spec"] == {"mast": 3, "sail": "red"}


def test_an_object_written_back_unchanged_is_stored_in_the_new_version(server: Server, ship: Json) -> None:
    change(server, DEFINITION, {"spec": {"versions": [version("v1beta1", False), version("v1", True)]}})
    eventually(lambda: server.request("GET", NEW)[0] == 200)
    _, same = server.request("GET", f"{NEW}/argo")
    _, migrated = server.request("PUT", f"{NEW}/argo", same)
    assert int(migrated["metadata"]["resourceVersion"]) > int(ship["metadata"]["resourceVersion"])
    assert migrated["metadata"]["generation"] == ship["metadata"]["generation"]
    _, again = server.request("PUT", f"{NEW}/argo", migrated)
    assert again["metadata"]["resourceVersion"] == migrated["metadata"]["resourceVersion"]


def test_a_new_default_shows_in_objects_that_were_there(server: Server, ship: Json) -> None:
    with_default = version("v1beta1", True, sail={"type": "string", "default": "white"})
    change(server, DEFINITION, {"spec": {"versions": [with_default]}})
    eventually(lambda: server.request("GET", f"{OLD}/argo")[1]["spec"] == {"mast": 1, "sail": "white"})
    assert server.request("GET", OLD)[1]["items"][0]["spec"]["sail"] == "white"
    labelled = change(server, f"{OLD}/argo", {"metadata": {"labels": {"a": "b"}}})
    assert (labelled["spec"]["sail"], labelled["metadata"]["generation"]) == ("white", 1)


def test_watches_end_when_their_definition_changes(server: Server, ship: Json) -> None:
    watch = Watch(server, f"{OLD}?watch=1")
    assert watch.next()["type"] == "ADDED"
    change(server, DEFINITION, {"metadata": {"labels": {"a": "b"}}})
    change(server, f"{OLD}/argo", {"spec": {"mast": 2}})
    assert watch.next()["object"]["spec"] == {"mast": 2}
    change(server, DEFINITION, {"spec": {"versions": [version("v1beta1", False), version("v1", True)]}})
    assert watch.answer.readline() == b""  # of itself it would go on for longer than the connection waits
    watch.close()


def test_a_deleted_definition_waits_for_its_objects(server: Server, ship: Json) -> None:
    change(server, f"{OLD}/argo", {"metadata": {"finalizers": ["sea.example.com/moored"]}})
    watch = Watch(server, f"{OLD}?watch=1")
    assert watch.next()["type"] == "ADDED"
    status, marked = server.request("DELETE", DEFINITION)
    assert status == 200 and marked["metadata"]["finalizers"] == ["customresourcecleanup.apiextensions.k8s.io"]
    assert marked["status"]["conditions"][-1]["type"] == "Terminating"
    eventually(lambda: "deletionTimestamp" in server.request("GET", f"{OLD}/argo")[1]["metadata"])
    assert server.request("POST", OLD, {"kind": "Ship", "metadata": {"name": "late"}})[0] == 405
    assert server.request("GET", DEFINITION)[0] == 200
    change(server, f"{OLD}/argo", {"metadata": {"finalizers": None}})
    eventually(lambda: server.request("GET", DEFINITION)[0] == 404)
    eventually(lambda: server.request("GET", OLD)[0] == 404)
    lines = watch.answer.read().splitlines()
    watch.close()
    assert b'"DELETED"' in lines[-1]

"""JSON patch, merge patch and strategic merge patch."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from kube import patch
from kube.errors import ApiError, BadRequest
from kube.objects import Json
from kube.patch import jsonpatch, merge
from kube.patch.strategic import interleave
from kube.registry import Kind

DEPLOYMENT = Kind("apps", "v1", "Deployment", "deployments", definition="io.k8s.api.apps.v1.Deployment")
SERVICE = Kind("", "v1", "Service", "services", definition="io.k8s.api.core.v1.Service")


def deployment() -> Json:
    containers = [
        {
            "name": "c",
            "image": "nginx",
            "command": ["x", "y"],
            "resources": {},
            "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
        },
        {"name": "d", "image": "j", "resources": {}},
    ]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "x"},
        "spec": {
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%"}},
            "template": {"spec": {"containers": containers, "volumes": [{"name": "v", "emptyDir": {}}]}},
        },
    }


def strategic(change: Json) -> Json:
    return patch.apply(DEPLOYMENT, deployment(), copy.deepcopy(change), patch.STRATEGIC)[0]


def pod(change: Json) -> Json:
    result: Json = strategic({"spec": {"template": {"spec": change}}})["spec"]["template"]["spec"]
    return result


def names(items: list[Json]) -> list[str]:
    return [item["name"] for item in items]


@pytest.mark.parametrize(
    ("operations", "result"),
    [
        ([{"op": "add", "path": "/a", "value": 1}], {"a": 1, "l": [1, 2]}),
        ([{"op": "add", "path": "/l/-", "value": 3}], {"l": [1, 2, 3]}),
        ([{"op": "add", "path": "/l/1", "value": 3}], {"l": [1, 3, 2]}),
        ([{"op": "add", "path": "", "value": {"z": 1}}], {"z": 1}),
        ([{"op": "remove", "path": "/l/0"}], {"l": [2]}),
        ([{"op": "replace", "path": "/l", "value": []}], {"l": []}),
        (
            [{"op": "copy", "from": "/l", "path": "/m"}, {"op": "add", "path": "/m/0", "value": 0}],
            {"l": [1, 2], "m": [0, 1, 2]},
        ),
        ([{"op": "move", "from": "/l", "path": "/m"}], {"m": [1, 2]}),
        ([{"op": "test", "path": "/l/0", "value": 1}], {"l": [1, 2]}),
        ([{"op": "add", "path": "/a~1b~0c", "value": 1}], {"l": [1, 2], "a/b~c": 1}),
    ],
)
def test_json_patch_operations(operations: list[Json], result: Json) -> None:
    assert jsonpatch.apply({"l": [1, 2]}, operations) == result


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": "/none"},
        {"op": "replace", "path": "/none", "value": 1},
        {"op": "test", "path": "/l/0", "value": True},
        {"op": "add", "path": "/l/9", "value": 1},
        {"op": "add", "path": "/l/x", "value": 1},
        {"op": "odd", "path": "/l"},
        {"op": "add", "path": "/a"},
        {"op": "add", "path": "no-slash", "value": 1},
        {"op": "add", "path": "/n/deep", "value": 1},
    ],
)
def test_json_patch_that_does_not_fit_is_422(operation: Json) -> None:
    with pytest.raises(ApiError) as caught:
        jsonpatch.apply({"l": [1, 2], "n": 1}, [operation])
    assert (caught.value.code, caught.value.reason) == (422, "Invalid")


def test_json_patch_is_bounded() -> None:
    with pytest.raises(ApiError, match="maximum operations") as caught:
        jsonpatch.apply({}, [{"op": "add", "path": "/a", "value": 1}] * 10_001)
    assert caught.value.code == 413
    grow = [{"op": "copy", "from": "", "path": f"/{i}"} for i in range(40)]
    with pytest.raises(ApiError, match="limited to"):
        jsonpatch.apply({"a": "x" * 100}, grow)


@pytest.mark.parametrize(
    ("target", "change", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ],
)
def test_merge_patch_examples_of_the_rfc(target: Any, change: Any, result: Any) -> None:
    assert merge.apply(target, change) == result


def test_lists_merge_by_their_key() -> None:
    result = pod({"containers": [{"name": "d", "image": "z"}]})["containers"]
    assert {c["name"]: c["image"] for c in result} == {"c": "nginx", "d": "z"}
    env = pod({"containers": [{"name": "c", "env": [{"name": "A", "value": "9"}]}]})["containers"][0]["env"]
    assert env == [{"name": "A", "value": "9"}, {"name": "B", "value": "2"}]


def test_lists_without_a_key_are_replaced() -> None:
    assert pod({"containers": [{"name": "c", "command": ["z"]}]})["containers"][0]["command"] == ["z"]


def test_items_and_fields_are_deleted() -> None:
    assert names(pod({"containers": [{"name": "d", "$patch": "delete"}]})["containers"]) == ["c"]
    assert names(pod({"containers": [{"name": "none", "$patch": "delete"}]})["containers"]) == ["c", "d"]
    assert "volumes" not in pod({"volumes": None})


def test_replace_directives() -> None:
    assert names(pod({"containers": [{"$patch": "replace"}, {"name": "only", "image": "x"}]})["containers"]) == ["only"]
    assert strategic({"spec": {"strategy": {"$patch": "replace", "type": "Recreate"}}})["spec"]["strategy"] == {
        "type": "Recreate"
    }


def test_retain_keys_drop_the_others() -> None:
    kept = strategic({"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}})["spec"]["strategy"]
    assert kept == {"type": "Recreate"}
    with pytest.raises(BadRequest, match="invalid patch format of retainKeys"):
        pod({"volumes": [{"name": "v", "$retainKeys": ["name"], "hostPath": {"path": "/y"}}]})


def test_element_order_is_followed() -> None:
    order = {"$setElementOrder/containers": [{"name": "d"}, {"name": "n"}, {"name": "c"}]}
    assert names(pod({**order, "containers": [{"name": "n", "image": "k"}]})["containers"]) == ["d", "n", "c"]
    with pytest.raises(BadRequest, match="doesn't match"):
        pod({"$setElementOrder/containers": [{"name": "c"}], "containers": [{"name": "d"}]})


def test_primitive_lists_lose_values() -> None:
    obj = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x", "finalizers": ["a/a", "b/b"]}}
    change = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a/a"], "finalizers": ["c/c"]}}
    assert sorted(patch.apply(DEPLOYMENT, obj, change, patch.STRATEGIC)[0]["metadata"]["finalizers"]) == ["b/b", "c/c"]


def test_new_items_come_before_what_only_the_server_has() -> None:
    assert interleave(["a", "b", "new"], ["new"], ["a", "b"], "") == ["new", "a", "b"]
    assert interleave(["a", "b", "c"], ["c", "a"], ["a", "b", "c"], "") == ["b", "c", "a"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"spec": {"template": {"spec": {"containers": [{"image": "x"}]}}}}, 400),
        ({"$patch": "odd"}, 400),
        ({"spec": {"template": {"spec": {"containers": {}}}}}, 422),
        ({"spec": "x"}, 422),
        ({"spec": {"replicas": "x"}}, 422),
        ({"kind": "Other"}, 422),
        ({"metadata": None}, 400),
    ],
)
def test_bad_strategic_patches(change: Json, code: int) -> None:
    with pytest.raises(ApiError) as caught:
        strategic(change)
    assert caught.value.code == code


def test_unknown_fields_of_a_patch_are_warned_of() -> None:
    changed, warnings = patch.apply(DEPLOYMENT, deployment(), {"spec": {"odd": 1}}, patch.MERGE, "Warn")
    assert warnings == ['unknown field "spec.odd"']
    assert "odd" not in changed["spec"]


@pytest.mark.parametrize(("media", "body"), [(patch.MERGE, b"{"), (patch.MERGE, b"[]"), (patch.JSON, b"{}")])
def test_what_is_no_patch_is_400(media: str, body: bytes) -> None:
    with pytest.raises(BadRequest, match="error decoding patch"):
        patch.apply(DEPLOYMENT, deployment(), body, media)


def test_other_media_types_are_415() -> None:
    with pytest.raises(ApiError) as caught:
        patch.apply(DEPLOYMENT, deployment(), b"{}", "application/odd")
    assert caught.value.code == 415


def test_service_ports_merge_by_port_and_keep_other_protocols() -> None:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "x"},
        "spec": {"ports": [{"port": 80, "name": "a"}, {"port": 80, "name": "u", "protocol": "UDP"}]},
    }
    changed, _ = patch.apply(SERVICE, service, {"spec": {"ports": [{"port": 81, "name": "b"}]}}, patch.STRATEGIC)
    assert [p["name"] for p in changed["spec"]["ports"]] == ["b", "a", "u"]


CONFIG_MAP = Kind("", "v1", "ConfigMap", "configmaps", definition="io.k8s.api.core.v1.ConfigMap")


@pytest.mark.parametrize(
    ("media", "sent", "said"),
    [
        (patch.MERGE, b'{"data":{"a":"1","a":"2"},"foo":1}', 'duplicate field "data.a", unknown field "foo"'),
        (patch.STRATEGIC, b'{"data":{"a":"1","a":"2"},"foo":1}', 'duplicate field "data.a", unknown field "foo"'),
        (patch.JSON, b'[{"op":"add","op":"add","path":"/foo","value":1}]',
         'json patch duplicate field "[0].op", unknown field "foo"'),
    ],
)  # fmt: skip
def test_strict_validation_of_a_patch_tells_all_at_once(media: str, sent: bytes, said: str) -> None:
    def current() -> Json:
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}

    with pytest.raises(ApiError) as raised:
        patch.apply(CONFIG_MAP, current(), sent, media, "Strict")
    assert raised.value.code == 422
    assert raised.value.details is not None and raised.value.details["causes"][0]["field"] == "patch"
    assert raised.value.message.endswith(f"strict decoding error: {said}")
    assert patch.apply(CONFIG_MAP, current(), sent, media, "Warn")[1] == said.split(", ")
    assert patch.apply(CONFIG_MAP, current(), sent, media)[1] == []

"""Devices: what claims, classes and slices are refused for, and what may change."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from kube import registry
from kube.objects import Json
from kube.registry import Context
from tests.kube.kinds.groups.pipeline import create, refused, update

V1 = "resource.k8s.io/v1"
REQUEST = {"name": "r", "exactly": {"deviceClassName": "c"}}
OPAQUE = {"opaque": {"driver": "d.example.com", "parameters": {"a": 1}}}
RESULT = {"request": "r", "driver": "d", "pool": "p", "device": "x"}


def claim(**devices: Any) -> Json:
    return create(V1, "ResourceClaim", spec={"devices": {"requests": [REQUEST], **devices}})


def exactly(**more: Any) -> list[Json]:
    return [{"name": "r", "exactly": {"deviceClassName": "c", **more}}]


@pytest.mark.parametrize(
    ("devices", "causes"),
    [
        ({"requests": [{**REQUEST, "name": ""}]}, {("requests[0].name", "Invalid")}),
        ({"requests": [REQUEST, REQUEST]}, {("requests[1]", "Duplicate")}),
        ({"requests": exactly(count=-1)}, {("requests[0].exactly.count", "Invalid")}),
        (
            {"requests": exactly(tolerations=[{"operator": "Odd"}])},
            {("requests[0].exactly.tolerations[0].operator", "NotSupported")},
        ),
        (
            {"requests": exactly(tolerations=[{"operator": "Exists", "value": "v"}])},
            {("requests[0].exactly.tolerations[0].value", "Invalid")},
        ),
        (
            {"config": [{**OPAQUE, "requests": ["r", "r", "s", "r/a/b"]}]},
            {
                ("config[0].requests[1]", "Duplicate"),
                ("config[0].requests[2]", "Invalid"),
                ("config[0].requests[3]", "Invalid"),
            },
        ),
        (
            {"config": [{"opaque": {"driver": "", "parameters": "a"}}]},
            {
                ("config[0].opaque.driver", "Required"),
                ("config[0].opaque.parameters", "Invalid"),
            },
        ),
        (
            {"config": [{"opaque": {"driver": "d", "parameters": {"a": "x" * 11000}}}]},
            {("config[0].opaque.parameters", "TooLong")},
        ),
        ({"constraints": [{}]}, {("constraints[0]", "Required")}),
        (
            {"constraints": [{"matchAttribute": "a" * 40}]},
            {
                ("constraints[0].matchAttribute", "TooLong"),
                ("constraints[0].matchAttribute", "Invalid"),
            },
        ),
        ({"constraints": [{"distinctAttribute": "/"}]}, {("constraints[0].distinctAttribute", "Invalid")}),
    ],
)
def test_bad_claims(devices: Json, causes: set[tuple[str, str]]) -> None:
    assert refused(claim, **devices) == {(f"spec.devices.{field}", reason) for field, reason in causes}


def test_requests_may_have_alternatives() -> None:
    first = {"name": "r", "firstAvailable": [{"name": "a", "deviceClassName": "c"}]}
    made = claim(requests=[first], constraints=[{"requests": ["r/a"], "matchAttribute": "d.example.com/model"}])
    assert made["spec"]["devices"]["requests"][0]["firstAvailable"][0]["allocationMode"] == "ExactCount"
    assert claim(requests=exactly(tolerations=[{}]))["spec"]["devices"]["requests"][0]["exactly"]["tolerations"] == [
        {"operator": "Equal"}
    ]


def test_what_is_wrong_with_a_spec_is_not_told_when_it_changed() -> None:
    assert refused(update, claim(), {"spec": {"devices": {"requests": [{"name": "A B"}]}}}) == {("spec", "Invalid")}


class Namespaces:
    """A cache in which one namespace has these labels."""

    def __init__(self, **labels: str) -> None:
        self.entry = SimpleNamespace(body=orjson.dumps({"metadata": {"name": "ns", "labels": labels}}))

    def list(self, storage: str) -> list[SimpleNamespace]:
        return [self.entry] if storage == "namespaces" else []


def test_admin_access_is_for_marked_namespaces() -> None:
    kind = registry.BUILT_IN.by_storage("resourceclaims.resource.k8s.io")
    assert kind is not None
    asked = claim()
    asked["spec"]["devices"]["requests"] = exactly(adminAccess=True, allocationMode="All")
    plain: Any = Namespaces()
    marked: Any = Namespaces(**{"resource.kubernetes.io/admin-access": "true"})
    assert [e.field for e in kind.strategy.validate(asked, Context(cache=plain))] == [
        "spec.devices.requests[0].adminAccess"
    ]
    assert kind.strategy.validate(asked, Context(cache=marked)) == []


@pytest.mark.parametrize(
    ("status", "causes"),
    [
        (
            {"reservedFor": [{"resource": "pods", "name": "p", "uid": "u"}] * 2},
            {("reservedFor[1]", "Duplicate"), ("reservedFor", "Forbidden")},
        ),
        ({"devices": [{"driver": "d", "pool": "p", "device": "y"}]}, {("devices[0]", "Invalid")}),
        (
            {"allocation": {"devices": {"results": [{**RESULT, "request": "s", "pool": ""}]}}},
            {
                ("allocation.devices.results[0].request", "Invalid"),
                ("allocation.devices.results[0].pool", "Required"),
            },
        ),
        (
            {"allocation": {"devices": {"results": [{**RESULT, "bindingConditions": ["a"]}]}}},
            {
                ("allocation.devices.results[0].bindingFailureConditions", "Invalid"),
            },
        ),
        ({"allocation": {"devices": {"config": [OPAQUE]}}}, {("allocation.devices.config[0].source", "Required")}),
    ],
)
def test_bad_statuses_of_claims(status: Json, causes: set[tuple[str, str]]) -> None:
    found = refused(update, claim(), {"status": status}, "status")
    assert found == {(f"status.{field}", reason) for field, reason in causes}


def test_an_allocation_stays() -> None:
    allocated = update(claim(), {"status": {"allocation": {"devices": {"results": [RESULT]}}}}, "status")
    changed = {"status": {"allocation": {"devices": {"results": [{**RESULT, "device": "y"}]}}}}
    assert refused(update, allocated, changed, "status") == {("status.allocation", "Invalid")}


@pytest.mark.parametrize("name", ["", "A B", "cpu", "kubernetes.io/x"])
def test_extended_resources_of_classes(name: str) -> None:
    assert create(V1, "DeviceClass", spec={"extendedResourceName": "example.com/gpu"})
    assert refused(create, V1, "DeviceClass", spec={"extendedResourceName": name}) == {
        ("spec.extendedResourceName", "Invalid")
    }


def published(device: Json | None = None, **spec: Any) -> Json:
    devices = [{"name": "d", **(device or {})}]
    base = {"driver": "d", "pool": {"name": "p", "resourceSliceCount": 1}, "nodeName": "n", "devices": devices}
    return create(V1, "ResourceSlice", spec={**base, **spec})


@pytest.mark.parametrize(
    ("device", "causes"),
    [
        ({"attributes": {"a": {}}}, {("attributes[a]", "Invalid")}),
        ({"attributes": {"a": {"version": "1.0"}}}, {("attributes[a].version", "Invalid")}),
        ({"attributes": {"a/": {"bool": True}}}, {("attributes", "Invalid")}),
        ({"attributes": {"a": {"strings": ["x" * 65]}}}, {("attributes[a].strings[0]", "TooLong")}),
        ({"capacity": {"m": {"value": "1", "requestPolicy": {}}}}, {("capacity[m].requestPolicy", "Forbidden")}),
        ({"taints": [{"key": "k"}]}, {("taints[0].effect", "Required")}),
        ({"consumesCounters": [{"counterSet": "c"}]}, {("consumesCounters[0].counters", "Required")}),
        ({"nodeName": "n"}, {("", "Invalid")}),
    ],
)
def test_bad_devices(device: Json, causes: set[tuple[str, str]]) -> None:
    found = refused(published, device)
    assert found == {(f"spec.devices[0].{field}".removesuffix("."), reason) for field, reason in causes}


@pytest.mark.parametrize(
    ("spec", "causes"),
    [
        ({"allNodes": True}, {("spec", "Invalid")}),
        (
            {"nodeName": "", "allNodes": False},
            {("spec.nodeName", "Invalid"), ("spec.allNodes", "Invalid"), ("spec", "Required")},
        ),
        ({"pool": {"name": "a//b"}}, {("spec.pool.name", "Invalid"), ("spec.pool.resourceSliceCount", "Invalid")}),
        ({"nodeName": None, "perDeviceNodeSelection": True}, {("spec.devices[0]", "Required")}),
        ({"sharedCounters": [{"name": "c", "counters": {"x": {"value": "1"}}}]}, {("spec", "Invalid")}),
    ],
)
def test_bad_slices(spec: Json, causes: set[tuple[str, str]]) -> None:
    assert refused(published, **spec) == causes


def test_a_slice_stays_where_it_is() -> None:
    old = published()
    moved = {"spec": {"driver": "e", "nodeName": "m", "pool": {"name": "q"}}}
    assert refused(update, old, moved) == {(f"spec.{name}", "Invalid") for name in ("driver", "nodeName", "pool.name")}

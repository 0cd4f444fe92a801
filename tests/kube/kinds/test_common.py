"""Formats of names and values, object metadata, resource lists."""

from __future__ import annotations

import pytest

from kube import columns, ipaddresses, selectors
from kube import objectmeta as metadata
from kube import resourcelist as resources
from kube import validation as common
from kube.objects import Json


@pytest.mark.parametrize(
    ("checker", "good", "bad"),
    [
        (common.dns1123_label, ["a", "a-1", "a" * 63], ["", "A", "a.b", "-a", "a-", "a" * 64, "a\n"]),
        (common.dns1123_subdomain, ["a.b", "a" * 253], ["", "a..b", "A", "a_b", "a" * 254, "a.b\n"]),
        (common.dns1035_label, ["a1"], ["1a", "a.b", ""]),
        (common.qualified_name, ["a", "A_b.c", "a.b/C"], ["", "a/b/c", "/a", "A/b", "a" * 64, "a b"]),
        (common.label_value, ["", "a", "A_b"], ["a b", "-a", "a" * 64]),
        (common.config_key, ["a.b", "_x", "..a"[1:]], ["", ".", "..", "..a", "a b", "a" * 254]),
        (common.env_var_name, ["A", "a.b", "1"], ["", "A=B", "é"]),
        (common.port_name, ["http", "a1"], ["", "123", "a--b", "-a", "A", "a" * 16]),
        (common.dns_search_domain, ["a.b", "a.b.", ".", "_x.b"], ["Bad_.x", ""]),
        (common.c_identifier, ["_a1"], ["1a", "a-b"]),
        (ipaddresses.ip_address, ["10.0.0.1", "::1"], ["x", "10.0.0.256", "10.0.0.1/8"]),
        (ipaddresses.cidr, ["10.0.0.0/8", "fd00::/64"], ["10.0.0.0", "10.0.0.1/8", "x/8", "10.0.0.0/33"]),
    ],
)
def test_formats(checker: common.Checker, good: list[str], bad: list[str]) -> None:
    assert [value for value in good if checker(value)] == []
    assert [value for value in bad if not checker(value)] == []


def test_label_selector() -> None:
    selector = {
        "matchLabels": {"a b": "c"},
        "matchExpressions": [
            {"key": "a", "operator": "In"},
            {"key": "a", "operator": "Exists", "values": ["b"]},
            {"key": "a", "operator": "Odd"},
        ],
    }
    assert [error.field for error in common.check_label_selector("s", selector)] == [
        "s.matchLabels",
        "s.matchExpressions[0].values",
        "s.matchExpressions[1].values",
        "s.matchExpressions[2].operator",
    ]
    assert common.check_label_selector("s", None) == []


def meta_causes(meta: Json, namespaced: bool = True) -> list[str]:
    return [error.field for error in metadata.validate_meta({"namespace": "ns", **meta}, namespaced)]


def test_metadata() -> None:
    assert meta_causes({"name": "a", "generateName": "a-"}) == []
    assert meta_causes({}) == ["metadata.name"]
    assert meta_causes({"name": "a"}, namespaced=False) == ["metadata.namespace"]
    assert meta_causes({"name": "a", "labels": {"b": "c d"}, "annotations": {"e f": ""}}) == [
        "metadata.labels",
        "metadata.annotations",
    ]
    assert meta_causes({"name": "a", "annotations": {"a": "é" * 140_000}}) == ["metadata.annotations"]
    assert meta_causes({"name": "a", "finalizers": ["short"]}) == ["metadata.finalizers[0]"]
    assert meta_causes({"name": "a", "finalizers": ["orphan", "foregroundDeletion"]}) == ["metadata.finalizers"]
    owner = {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "u", "controller": True}
    assert meta_causes({"name": "a", "ownerReferences": [owner, {**owner, "uid": ""}]}) == [
        "metadata.ownerReferences.uid",
        "metadata.ownerReferences",
    ]


def test_metadata_updates() -> None:
    old = {"name": "a", "namespace": "ns", "uid": "u", "deletionTimestamp": "t", "finalizers": ["a/b"]}

    def causes(**change: object) -> list[str]:
        return [error.field for error in metadata.validate_meta_update({**old, **change}, old)]

    assert causes(labels={"a": "b"}, finalizers=[]) == []
    assert causes(uid="v") == ["metadata.uid"]
    assert causes(finalizers=["a/b", "c/d"]) == ["metadata.finalizers"]


def test_resource_lists() -> None:
    amounts = {"cpu": 0.5, "memory": "1024Mi", "x": "0.0001", "y": "-0.0001", "z": "2e9"}
    resources.canonical_list(amounts)
    assert amounts == {"cpu": "500m", "memory": "1Gi", "x": "1m", "y": "-1m", "z": "2e9"}


def test_extended_resources_cannot_be_overcommitted() -> None:
    def causes(requests: Json, limits: Json) -> list[tuple[str, str]]:
        return [
            (error.field, error.reason)
            for error in resources.check_requirements("r", {"requests": requests, "limits": limits})
        ]

    gpu = "example.com/gpu"
    assert causes({gpu: "1"}, {gpu: "1"}) == []
    assert causes({gpu: "1"}, {}) == [("r.limits", "FieldValueRequired")]
    assert causes({gpu: "1"}, {gpu: "2"}) == [("r.requests", "FieldValueInvalid")]
    assert causes({}, {gpu: "1500m"}) == [(f"r.limits[{gpu}]", "FieldValueInvalid")]
    assert causes({}, {"cpu": "1", "hugepages-odd": "1"}) == [("r.limits[hugepages-odd]", "FieldValueInvalid")]


def test_columns() -> None:
    assert columns.selector(
        {
            "matchLabels": {"b": "c"},
            "matchExpressions": [
                {"key": "a", "operator": "NotIn", "values": ["y", "x"]},
                {"key": "z", "operator": "DoesNotExist"},
            ],
        }
    ) == ("a notin (x,y),b=c,!z")
    assert columns.labels(None) == columns.selector({}) == "<none>"
    assert columns.since(None, 0) == "<unknown>" and columns.since("1970-01-01T00:00:00Z", 90) == "90s"
    assert columns.first_of(["a", "b", "c"], 2) == "a,b + 1 more..."
    assert selectors.field("a", "b")({"a": {"b": True}}) == "true" and selectors.field("a", "b")({}) == ""

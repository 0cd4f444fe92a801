"""Decoding as kube-apiserver decodes: types, canonical forms, unknown and duplicate fields."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from kube import schema
from kube.errors import BadRequest
from kube.registry import Kind
from kube.schema import definitions

POD = "io.k8s.api.core.v1.Pod"
DEPLOYMENT = "io.k8s.api.apps.v1.Deployment"
CONFIG_MAP = Kind("", "v1", "ConfigMap", "configmaps", definition="io.k8s.api.core.v1.ConfigMap")


def container(**fields: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "c", **fields}]}}


@pytest.mark.parametrize(
    ("obj", "message"),
    [
        (
            {"spec": {"containers": {}}},
            "json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container",
        ),
        (
            {"metadata": {"name": 5}},
            "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.name of type string",
        ),
        (
            {"spec": {"restartPolicy": 5}},
            "json: cannot unmarshal number into Go struct field PodSpec.spec.restartPolicy of type v1.RestartPolicy",
        ),
        (
            {"spec": {"volumes": [{"configMap": {"name": 5}}]}},
            "json: cannot unmarshal number into Go struct field "
            "ConfigMapVolumeSource.spec.volumes.VolumeSource.configMap.LocalObjectReference.name of type string",
        ),
        ({"spec": []}, "json: cannot unmarshal array into Go struct field Pod.spec of type v1.PodSpec"),
        (
            container(stdin="yes"),
            "json: cannot unmarshal string into Go struct field Container.spec.containers.stdin of type bool",
        ),
        (
            container(command="x"),
            "json: cannot unmarshal string into Go struct field Container.spec.containers.command of type []string",
        ),
        (
            {"spec": {"activeDeadlineSeconds": 1.5}},
            "json: cannot unmarshal number 1.5 into Go struct field PodSpec.spec.activeDeadlineSeconds of type int64",
        ),
        (
            {"spec": {"priority": 2**31}},
            "json: cannot unmarshal number 2147483648 into Go struct field PodSpec.spec.priority of type int32",
        ),
        (
            {"metadata": {"labels": {"a": 1}}},
            "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string",
        ),
    ],
)
def test_wrong_types_are_worded_as_by_the_go_decoder(obj: dict[str, Any], message: str) -> None:
    assert schema.check(POD, obj) == ([message], [])


def test_a_bad_quantity_names_the_rule() -> None:
    errors, _ = schema.check(POD, container(resources={"limits": {"cpu": "abc"}}))
    assert errors == ["quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"]


def test_bytes_must_be_base64_and_lose_their_line_breaks() -> None:
    definition = "io.k8s.api.core.v1.Secret"
    assert schema.check(definition, {"data": {"a": "!"}})[0] == ["illegal base64 data at input byte 0"]
    secret = {"data": {"a": "YWJj\nZGVm"}}
    assert schema.check(definition, secret) == ([], [])
    assert secret["data"] == {"a": "YWJjZGVm"}


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"),
        ("2026-01-02T03:04:05.9Z", "2026-01-02T03:04:05Z"),
        ("2026-01-02T03:04:05+02:00", "2026-01-02T01:04:05Z"),
    ],
)
def test_times_become_utc_seconds(given: str, kept: str) -> None:
    obj = {"metadata": {"deletionTimestamp": given}}
    assert schema.check(POD, obj) == ([], [])
    assert obj["metadata"]["deletionTimestamp"] == kept


@pytest.mark.parametrize("given", ["yesterday", "2026-13-02T03:04:05Z", "2026-01-02"])
def test_what_is_no_time_is_refused(given: str) -> None:
    errors, _ = schema.check(POD, {"metadata": {"deletionTimestamp": given}})
    assert errors[0].startswith(f'parsing time "{given}"')


@pytest.mark.parametrize("fraction", ["", ".12", ".1234567"])
def test_micro_times_have_six_digits(fraction: str) -> None:
    lease = {"spec": {"renewTime": f"2026-01-02T03:04:05{fraction}Z"}}
    errors, _ = schema.check("io.k8s.api.coordination.v1.Lease", lease)
    assert errors[0].endswith(f'cannot parse "{fraction}Z" as ".000000"')


def test_micro_times_keep_six_digits() -> None:
    lease = {"spec": {"renewTime": "2026-01-02T03:04:05.120000Z"}}
    schema.normalise("io.k8s.api.coordination.v1.Lease", lease)
    assert lease["spec"]["renewTime"] == "2026-01-02T03:04:05.120000Z"


def test_quantities_become_canonical_everywhere() -> None:
    pod = container(resources={"requests": {"cpu": 0.5, "memory": "1024Mi"}, "limits": {"cpu": "1000m"}})
    schema.normalise(POD, pod)
    assert pod["spec"]["containers"][0]["resources"] == {
        "requests": {"cpu": "500m", "memory": "1Gi"},
        "limits": {"cpu": "1"},
    }


def test_nulls_and_empty_optional_values_are_dropped_and_pointers_kept() -> None:
    pod = container(image="", args=[], stdin=False, env=None, securityContext={})
    pod["spec"].update(hostNetwork=False, terminationGracePeriodSeconds=0, volumes=[{"name": "v", "emptyDir": {}}])
    schema.normalise(POD, pod)
    assert pod["spec"] == {
        "containers": [{"name": "c", "securityContext": {}, "resources": {}}],
        "terminationGracePeriodSeconds": 0,
        "volumes": [{"name": "v", "emptyDir": {}}],
    }


def test_a_null_in_a_map_of_strings_is_an_empty_string() -> None:
    obj = {"data": {"a": None}}
    schema.normalise(CONFIG_MAP.definition, obj)
    assert obj["data"] == {"a": ""}


def test_unknown_fields_are_dropped_and_named_in_order() -> None:
    pod = {"metadata": {"nothing": 1}, "spec": {"containers": [{"name": "c", "imagePullPolice": "x"}]}, "extra": 1}
    assert schema.normalise(POD, pod) == ["metadata.nothing", "spec.containers[0].imagePullPolice", "extra"]
    assert "extra" not in pod
    assert pod["spec"] == {"containers": [{"name": "c", "resources": {}}]}


def test_field_names_are_case_sensitive() -> None:
    assert schema.normalise(DEPLOYMENT, {"spec": {"Replicas": 2}}) == ["spec.Replicas"]


def test_field_validation_warns_refuses_or_ignores() -> None:
    def decode(mode: str) -> list[str]:
        return schema.decode_fields(CONFIG_MAP, {"apiVersion": "v1", "kind": "ConfigMap", "extra": 1}, mode)

    assert decode("Ignore") == []
    assert decode("Warn") == ['unknown field "extra"']
    with pytest.raises(
        BadRequest,
        match='ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding '
        'error: unknown field "extra"',
    ):
        decode("Strict")


def test_decoding_twice_changes_nothing() -> None:
    pod = container(resources={"limits": {"cpu": "0.5"}}, ports=[{"containerPort": 80}])
    schema.normalise(POD, pod)
    once = copy.deepcopy(pod)
    schema.normalise(POD, pod)
    assert pod == once


def test_fill_adds_what_kubernetes_always_shows() -> None:
    assert schema.fill(DEPLOYMENT, {"metadata": {}}) == {
        "metadata": {},
        "status": {},
        "spec": {"selector": None, "strategy": {}, "template": {"metadata": {}, "spec": {"containers": None}}},
    }
    service = schema.fill("io.k8s.api.core.v1.Service", {"metadata": {"labels": {}}})
    assert service == {"metadata": {}, "spec": {}, "status": {"loadBalancer": {}}}


def test_fill_is_undone_by_decoding() -> None:
    pod: dict[str, Any] = {
        "metadata": {"name": "x"},
        "spec": {"containers": [{"name": "c"}]},
        "status": {"conditions": [{"type": "A"}]},
    }
    schema.fill(POD, pod)
    assert pod["status"]["conditions"] == [
        {"type": "A", "status": "", "lastProbeTime": None, "lastTransitionTime": None}
    ]
    schema.normalise(POD, pod)
    assert pod["status"]["conditions"] == [{"type": "A", "status": ""}]


def test_an_empty_list_is_stored_as_none_but_in_definitions() -> None:
    assert schema.fill("io.k8s.api.rbac.v1.Role", {"metadata": {}, "rules": []})["rules"] is None
    definition = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinitionSpec"
    assert schema.fill(definition, {"versions": []})["versions"] == []


def test_recursive_definitions_decode() -> None:
    definition = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps"
    nested = {"properties": {"a": {"type": "object", "properties": {"b": {"odd": 1}}}}}
    assert schema.normalise(definition, nested) == ["properties.a.properties.b.odd"]


def test_an_unknown_definition_says_what_to_look_at() -> None:
    with pytest.raises(KeyError, match="spelled as in OpenAPI"):
        definitions.get("io.k8s.api.core.v1.Pot")


def test_every_definition_compiles() -> None:
    names, closed = list(definitions.published().names()), 0
    for name in names:
        schema.fill(name, {})
        closed += schema.check(name, {"noSuchField": 1}) == ([], ["noSuchField"])
    assert len(names) > 700 and closed > 0.95 * len(names), "all but the free-form ones know their fields"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("0001-01-01T00:00:00.000000Z", None),  # the zero time, which is no time
        ("0001-01-01T01:00:00.000000+01:00", None),
        ("0001-01-01T00:00:01.000000Z", "0001-01-01T00:00:01.000000Z"),
        ("0999-12-31T23:59:59.500000Z", "0999-12-31T23:59:59.500000Z"),
    ],
)
def test_early_years_have_four_digits(sent: str, kept: str | None) -> None:
    lease = {"spec": {"renewTime": sent}}
    assert schema.check("io.k8s.api.coordination.v1.Lease", lease) == ([], [])
    assert lease["spec"]["renewTime"] == kept
    event = {"firstTimestamp": sent}
    assert schema.check("io.k8s.api.core.v1.Event", event) == ([], [])
    assert event["firstTimestamp"] == (kept and kept[:19] + "Z")


def test_a_time_before_all_years_is_refused() -> None:
    (said,), _ = schema.check("io.k8s.api.core.v1.Event", {"firstTimestamp": "0001-01-01T00:00:00+01:00"})
    assert said.startswith('parsing time "0001-01-01T00:00:00+01:00"')

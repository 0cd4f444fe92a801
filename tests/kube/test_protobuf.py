"""Bodies in protobuf: the table against the schemas, objects there and back, and bytes that are no message."""

from __future__ import annotations

import copy
import random
import struct
import subprocess
import sys
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kube import protobuf, registry, schema
from kube.errors import ApiError, BadRequest, UnsupportedMediaType
from kube.protobuf import envelope, layout, reading, wire
from kube.schema import definitions
from kube.schema import types as t

POD = {
    "kind": "Pod",
    "apiVersion": "v1",
    "metadata": {
        "name": "web",
        "labels": {"app": "web", "empty": ""},
        "annotations": {"note": "x" * 300},
        "creationTimestamp": "2024-01-02T03:04:05Z",
    },
    "spec": {
        "volumes": [{"name": "v", "configMap": {"name": "c", "defaultMode": 420}}, {"name": "w", "emptyDir": {}}],
        "containers": [
            {
                "name": "a",
                "image": "i:1",
                "ports": [{"containerPort": 80, "protocol": "TCP"}],
                "resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "100m"}},
                "env": [{"name": "S", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
                "livenessProbe": {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 5},
            }
        ],
        "tolerations": [{"operator": "Exists", "tolerationSeconds": -1}],
        "terminationGracePeriodSeconds": 0,
    },
}


def kinds() -> list[registry.Kind]:
    return [kind for kind in registry.load().all() if not schema.is_custom(kind.definition)]


def message(number: int, content: bytes) -> bytes:
    return wire.put_varint(number << 3 | 2) + wire.put_varint(len(content)) + content


def body(api_version: str, kind: str, raw: bytes) -> bytes:
    """An envelope put together here, not by the code under test."""
    meta = message(1, api_version.encode()) + message(2, kind.encode())
    return b"k8s\0" + message(1, meta) + message(2, raw) + message(3, b"") + message(4, b"")


def test_every_kind_has_a_form_under_its_own_definition() -> None:
    found = {kind.definition: envelope.definition(kind.api_version, kind.kind) for kind in kinds()}
    assert found and {name: name for name in found} == found


def test_every_field_of_every_message_is_in_the_schema_and_the_other_way_round() -> None:
    inline = {
        f"{package}.{word[1:]}"
        for package, messages in layout.packages().items()
        for fields in messages.values()
        for word in fields.split()
        if word[0] == ">"
    }
    for package, messages in layout.packages().items():
        for name in messages:
            full = f"{package}.{name}"
            if full in inline and not definitions.known(full):
                continue
            kind = definitions.get(full)
            assert isinstance(kind, t.Struct)
            assert set(kind.fields) - {"apiVersion", "kind"} <= names(full, full) <= set(kind.fields), full


def names(message_name: str, owner: str) -> set[str]:
    found: set[str] = set()
    for slot in layout.slots(message_name, owner):
        found |= names(slot.inline, owner) if slot.inline else {slot.key}
    return found


def test_kinds_that_share_a_name_with_a_built_in_one_have_no_form() -> None:
    assert not protobuf.knows("apps.example.com/v1", "Deployment")
    assert not protobuf.knows("example.com/v1", "Widget")
    with pytest.raises(UnsupportedMediaType, match=r"Widget of example.com/v1"):
        protobuf.decode(body("example.com/v1", "Widget", b""))


def test_numbers_of_the_wire() -> None:
    """A Deployment as bytes written by hand: metadata 1, spec 2, replicas 1, status 3."""
    raw = message(1, message(1, b"web") + message(11, message(1, b"app") + message(2, b"x"))) + message(2, b"\x08\x00")
    assert protobuf.decode(body("apps/v1", "Deployment", raw + message(3, b""))) == {
        "kind": "Deployment",
        "apiVersion": "apps/v1",
        "metadata": {"name": "web", "labels": {"app": "x"}},
        "spec": {"replicas": 0},
        "status": {},
    }


def test_a_pod_there_and_back() -> None:
    assert protobuf.decode(protobuf.encode(POD)) == POD


@pytest.mark.parametrize("value", ["2Gi", "", "100m"])
def test_quantities_are_text_in_a_message(value: str) -> None:
    raw = message(2, message(1, message(1, b"cpu") + message(2, message(1, value.encode()))))
    assert protobuf.decode(body("v1", "ResourceQuota", raw))["spec"] == {"hard": {"cpu": value}}


def test_unions_of_custom_resource_schemas() -> None:
    root: dict[str, Any] = {
        "type": "object",
        "$ref": "#/x",
        "default": {"a": [None, 1.5]},
        "enum": ["a", None],
        "maximum": 2.5,
        "items": {"type": "string"},
        "additionalProperties": False,
        "x-kubernetes-preserve-unknown-fields": True,
        "dependencies": {"a": ["b"], "c": {"type": "integer"}},
        "not": {"items": [{"type": "a"}, {"type": "b"}]},
        "properties": {"p": {"additionalProperties": {"type": "string"}}, "q": {"additionalItems": True}},
    }
    crd = {
        "kind": "CustomResourceDefinition",
        "apiVersion": "apiextensions.k8s.io/v1",
        "spec": {"versions": [{"name": "v1", "schema": {"openAPIV3Schema": root}}]},
    }
    assert protobuf.decode(protobuf.encode(crd)) == crd


@pytest.mark.parametrize(
    ("definition_kind", "obj"),
    [
        ("authorization.k8s.io/v1 SubjectAccessReview", {"spec": {"user": "u", "extra": {"a": ["b", "c"], "d": []}}}),
        ("apps/v1 ControllerRevision", {"data": {"spec": {"x": [1, {"y": None}]}}, "revision": 3}),
        ("v1 Secret", {"data": {"a": "AAECAw==", "b": ""}}),
        ("coordination.k8s.io/v1 Lease", {"spec": {"renewTime": "2024-01-02T03:04:05.000006Z"}}),
        ("v1 ConfigMap", {"metadata": {"managedFields": [{"manager": "m", "fieldsV1": {"f:data": {".": {}}}}]}}),
        ("policy/v1 PodDisruptionBudget", {"spec": {"minAvailable": "50%", "maxUnavailable": 0, "selector": {}}}),
        (
            "policy/v1 Eviction",
            {"metadata": {"name": "p"}, "deleteOptions": {"gracePeriodSeconds": 0, "dryRun": ["All"]}},
        ),
        (
            "apps/v1 DeleteOptions",
            {"gracePeriodSeconds": 0, "propagationPolicy": "Foreground", "preconditions": {"uid": "u"}},
        ),
        ("autoscaling/v1 Scale", {"metadata": {"name": "a"}, "spec": {"replicas": 3}}),
        ("v1 PodList", {"metadata": {"resourceVersion": "7"}, "items": [{"metadata": {"name": "a"}}]}),
        ("v1 Status", {"status": "Failure", "code": 404, "details": {"causes": [{"reason": "x"}]}}),
    ],
)
def test_special_shapes_there_and_back(definition_kind: str, obj: dict[str, Any]) -> None:
    api_version, kind = definition_kind.split()
    whole = {"kind": kind, "apiVersion": api_version, **obj}
    assert protobuf.decode(protobuf.encode(whole)) == whole


LEAVES: dict[str, list[Any]] = {
    t.STRING: ["", "a", "é" * 70],
    t.BOOL: [True, False],
    t.INT32: [0, 1, -1, 300, 2**31 - 1, -(2**31)],
    t.INT64: [0, 1, -1, 2**63 - 1, -(2**63)],
    t.DOUBLE: [0.5, -3.0],
    t.BYTES: ["", "AAE="],
    t.QUANTITY: ["1", "5m"],
    t.TIME: ["2024-01-02T03:04:05Z", "0001-01-01T00:00:01Z"],
    t.MICROTIME: ["2024-01-02T03:04:05.000006Z"],
    t.INT_OR_STRING: [0, -1, "x", "5%"],
    t.ANY: [{"a": [1, None]}],
    t.OBJECT: [{"a": {}}],
    layout.SCHEMA_OR_LIST: [{"type": "a"}, [{"type": "b"}]],
    layout.SCHEMA_OR_BOOL: [True, False, {"type": "c"}],
    layout.SCHEMA_OR_NAMES: [["a"], {"type": "d"}],
}


def sample(kind: t.Type, dice: random.Random, depth: int) -> Any:
    """A random value of a type, none where it would get too deep."""
    match kind:
        case t.Scalar(name=name):
            return dice.choice(LEAVES[name])
        case t.ListOf(item=item):
            return [v for _ in range(dice.randint(1, 2)) if (v := sample(item, dice, depth)) is not None] or None
        case t.MapOf(value=value):
            found = {key: v for key in ("", "k", "l" * 130) if (v := sample(value, dice, depth)) is not None}
            return found or None
        case t.Ref(name=name):
            return random_object(name, name, dice, depth - 1) if depth else None
    raise TypeError(kind)


def random_object(name: str, owner: str, dice: random.Random, depth: int) -> dict[str, Any]:
    obj: dict[str, Any] = {}
    for slot in layout.slots(name, owner):
        if slot.inline:
            obj.update(random_object(slot.inline, owner, dice, depth))
        elif dice.random() < 0.7:
            value = sample(slot.type, dice, depth)
            if value is not None and (value or not slot.omit):
                obj[slot.key] = value
    return obj


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.definition.rpartition("apis.")[2])
def test_random_objects_there_and_back(kind: registry.Kind) -> None:
    for seed in range(2):
        obj = {
            "kind": kind.kind,
            "apiVersion": kind.api_version,
            **random_object(kind.definition, kind.definition, random.Random(seed), 5),
        }
        back = protobuf.decode(protobuf.encode(copy.deepcopy(obj)))
        assert back == obj
        assert schema.check(kind.definition, back) == ([], [])


def test_fields_nobody_knows_are_skipped() -> None:
    unknown = (
        wire.put_varint(900 << 3)
        + wire.put_varint(2**40)
        + message(901, b"text")
        + wire.put_varint(902 << 3 | 1)
        + b"8" * 8
        + wire.put_varint(903 << 3 | 5)
        + b"4444"
        + wire.put_varint(904 << 3 | 3)
        + message(1, b"inside")
        + wire.put_varint(904 << 3 | 4)
    )
    raw = unknown + message(1, unknown + message(1, b"n") + unknown) + unknown
    assert protobuf.decode(body("v1", "ConfigMap", raw))["metadata"] == {"name": "n"}


def test_repeated_integers_packed_or_one_by_one() -> None:
    field = layout.Slot(1, "ids", t.ListOf(t.Scalar(t.INT64)))
    read = reading._message("Test", reading._entries((field,)))
    for sent in (message(1, b"\x01\x80\x01"), b"\x08\x01\x08\x80\x01"):
        assert read(sent, 0, len(sent), 0) == {"ids": [1, 128]}


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        (b"", "begins with nothing"),
        (b'{"kind":"Pod"}', "must begin with the bytes 6b 38 73 00"),
        (b"k8s\0", "names no apiVersion and kind"),
        (b"k8s\0\xff", "unexpected end"),
        (body("v1", "Pod", b"\x0a\x05ab"), "Pod.metadata: unexpected end"),
        (body("v1", "Pod", b"\x08\x01"), "Pod.metadata: wrong wire type 0"),
        (body("v1", "Pod", b"\x00\x01"), "illegal tag 0"),
        (body("v1", "Pod", b"\xff" * 11), "integer overflow"),
        (body("v1", "Pod", message(900, b"")[:-1] + b"\x05"), "unexpected end"),
        (body("v1", "Pod", message(1, message(1, b"\xff"))), "utf-8"),
        (body("v1", "Pod", message(1, message(8, b"\x08" + wire.put_varint(2**62)))), "cannot be decoded"),
        (body("apps/v1", "ControllerRevision", message(2, message(1, b"{"))), "cannot be decoded"),
        (body("v1", "Pod", wire.put_varint(900 << 3 | 3) * 1000), "unexpected end"),
        (body("apiextensions.k8s.io/v1", "CustomResourceDefinition", b"")[:-9], "unexpected end"),
    ],
)
def test_bytes_that_are_no_message_are_bad_requests(sent: bytes, says: str) -> None:
    with pytest.raises(BadRequest) as caught:
        protobuf.decode(sent)
    assert says in caught.value.message and caught.value.code == 400


def test_numbers_that_json_lacks_are_refused() -> None:
    inner = message(1, wire.put_varint(9 << 3 | 1) + struct.pack("<d", float("nan")))
    nested = message(2, message(7, message(4, inner)))
    with pytest.raises(BadRequest, match="no number in JSON"):
        protobuf.decode(body("apiextensions.k8s.io/v1", "CustomResourceDefinition", nested))


def test_nesting_has_a_bound() -> None:
    deep = b""
    for _ in range(5000):
        deep = message(28, deep)  # `not`
    nested = message(2, message(7, message(4, message(1, deep))))
    with pytest.raises(BadRequest, match="nested more than"):
        protobuf.decode(body("apiextensions.k8s.io/v1", "CustomResourceDefinition", nested))


@settings(max_examples=150)
@given(st.data())
def test_damaged_bodies_never_crash(data: st.DataObject) -> None:
    whole = bytearray(protobuf.encode(POD))
    for _ in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(4, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(whole[: data.draw(st.integers(0, len(whole)))])
    for sent in (
        bytes(whole),
        cut,
        b"k8s\0" + data.draw(st.binary(max_size=60)),
        body("v1", "Pod", data.draw(st.binary(max_size=60))),
    ):
        try:
            orjson.dumps(protobuf.decode(sent))
        except ApiError as error:
            assert error.code in (400, 415)


def test_a_process_without_protobuf_bodies_loads_nothing() -> None:
    code = "import sys, kube.schema, apiserver.app; sys.exit('kube.protobuf' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0

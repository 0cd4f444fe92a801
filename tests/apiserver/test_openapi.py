"""OpenAPI documents as kubectl and Helm read them."""

from __future__ import annotations

import copy
import gzip
from pathlib import Path
from typing import Any

import orjson
import pytest

from apiserver import openapi
from apiserver.openapi import protobuf, protobuf3
from kube import crd, registry
from kube.objects import Json
from kube.registry import Kind

APPS = "/openapi/v3/apis/apps/v1"
CRD: Json = {
    "spec": {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"plural": "xs", "kind": "X", "listKind": "XList", "singular": "x"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {"spec": {"type": "object", "description": "what is wanted"}},
                    }
                },
            }
        ],
    }
}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BINNACLE_VAR", str(tmp_path))
    return tmp_path / "cache"


@pytest.fixture
def kinds() -> list[Kind]:
    return list(registry.load().all())


def ask(path: str, kinds: list[Kind], **headers: str) -> tuple[int, dict[str, str], bytes]:
    return openapi.respond(path, {name.replace("_", "-"): value for name, value in headers.items()}, kinds)


def document(path: str, kinds: list[Kind]) -> Json:
    status, _, body = ask(path, kinds)
    assert status == 200
    found: Json = orjson.loads(body)
    return found


def test_the_index_leads_to_documents_that_may_be_kept_for_ever(kinds: list[Kind]) -> None:
    paths = document("/openapi/v3", kinds)["paths"]
    assert {"api/v1", "apis/apps/v1", "apis/batch/v1"} <= paths.keys()
    status, headers, _ = ask(paths["apis/apps/v1"]["serverRelativeURL"], kinds)
    assert (status, headers["cache-control"]) == (200, "public, immutable")


def test_a_patch_says_that_it_validates_fields_and_of_which_kind(kinds: list[Kind]) -> None:
    paths = document(APPS, kinds)["paths"]
    patch = paths["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"]
    assert patch["x-kubernetes-group-version-kind"] == {"group": "apps", "kind": "Deployment", "version": "v1"}
    assert patch["x-kubernetes-action"] == "patch"
    assert {"dryRun", "fieldValidation", "fieldManager", "force"} <= {p["name"] for p in patch["parameters"]}
    assert "application/apply-patch+yaml" in patch["requestBody"]["content"]


def test_a_document_holds_every_schema_it_refers_to(kinds: list[Kind]) -> None:
    found = document(APPS, kinds)
    text = orjson.dumps(found).decode()
    refs = {part.split('"', 1)[0] for part in text.split("#/components/schemas/")[1:]}
    assert refs <= found["components"]["schemas"].keys()
    container = found["components"]["schemas"]["io.k8s.api.core.v1.Container"]
    assert container["properties"]["ports"]["x-kubernetes-list-map-keys"] == ["containerPort", "protocol"]
    assert container["properties"]["image"]["type"] == "string"


def test_subresources_have_paths_of_their_own(kinds: list[Kind]) -> None:
    paths = document(APPS, kinds)["paths"]
    scale = paths["/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale"]
    answer = scale["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert answer == {"$ref": "#/components/schemas/io.k8s.api.autoscaling.v1.Scale"}


def test_what_the_client_has_is_not_sent_again(kinds: list[Kind]) -> None:
    _, headers, _ = ask(APPS, kinds)
    assert ask(APPS, kinds, if_none_match=headers["etag"])[0] == 304


def test_gzip_for_those_who_take_it(kinds: list[Kind]) -> None:
    _, headers, packed = ask(APPS, kinds, accept_encoding="gzip")
    assert headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed) == ask(APPS, kinds)[2]
    assert len(packed) < 100_000


def test_documents_are_kept_on_disk_not_in_memory(kinds: list[Kind], cache: Path) -> None:
    body = ask(APPS, kinds)[2]
    (kept,) = cache.glob("v3-*.json.gz")
    assert gzip.decompress(kept.read_bytes()) == body


def test_other_paths_and_media_types(kinds: list[Kind]) -> None:
    assert ask("/openapi/v3/apis/none/v1", kinds)[0] == 404
    assert ask(APPS, kinds, accept="application/odd")[0] == 406
    assert ask("/openapi/v2", kinds, accept="text/html")[0] == 406


def test_version_2_has_its_own_shapes(kinds: list[Kind]) -> None:
    found = document("/openapi/v2", kinds)
    assert found["swagger"] == "2.0"
    deployment = found["definitions"]["io.k8s.api.apps.v1.Deployment"]
    assert deployment["properties"]["spec"]["$ref"] == "#/definitions/io.k8s.api.apps.v1.DeploymentSpec"
    assert b"#/components" not in orjson.dumps(found)
    port = found["definitions"]["io.k8s.apimachinery.pkg.util.intstr.IntOrString"]
    assert (port["type"], port["format"]) == ("string", "int-or-string")


def fields(message: bytes) -> list[tuple[int, Any]]:
    """The fields of a protobuf message, as (number, value)."""
    found: list[tuple[int, Any]] = []
    place = 0

    def varint() -> int:
        nonlocal place
        value = shift = 0
        while True:
            byte = message[place]
            place += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while place < len(message):
        tag = varint()
        if tag & 7 == 2:
            size = varint()
            found.append((tag >> 3, message[place : place + size]))
            place += size
        elif tag & 7 == 1:
            found.append((tag >> 3, message[place : place + 8]))
            place += 8
        else:
            assert tag & 7 == 0
            found.append((tag >> 3, varint()))
    return found


def test_version_2_as_protobuf_can_be_read_back(kinds: list[Kind]) -> None:
    status, headers, body = ask("/openapi/v2", kinds, accept=openapi.PROTOBUF_V2 + ",*/*")
    assert (status, headers["content-type"]) == (200, openapi.PROTOBUF_V2.replace("@", "."))
    top = dict(fields(body))
    assert top[1] == b"2.0"
    names = {dict(fields(entry))[1].decode() for _, entry in fields(top[9])}
    assert names == document("/openapi/v2", kinds)["definitions"].keys()
    paths = {dict(fields(entry))[1].decode() for _, entry in fields(top[8])}
    assert "/apis/apps/v1/namespaces/{namespace}/deployments/{name}" in paths


def test_version_3_as_protobuf_can_be_read_back(kinds: list[Kind]) -> None:
    status, headers, body = ask("/openapi/v3/apis/apps/v1", kinds, accept=openapi.PROTOBUF_V3)
    assert (status, headers["content-type"]) == (200, openapi.PROTOBUF_V3.replace("@", ".")) and headers["etag"]
    as_json = document("/openapi/v3/apis/apps/v1", kinds)
    top = dict(fields(body))
    assert top[1] == b"3.0.0"
    paths = {dict(fields(entry))[1].decode() for _, entry in fields(top[4])}
    schemas = {dict(fields(entry))[1].decode() for _, entry in fields(dict(fields(top[5]))[1])}
    assert paths == as_json["paths"].keys() and schemas == as_json["components"]["schemas"].keys()


def test_protobuf_of_a_version_3_schema() -> None:
    """`type`, a reference in `items`, a property, an alternative, a default and an extension, each in its field."""
    schema = {
        "type": "array", "items": {"$ref": "#/x"}, "properties": {"n": {"type": "integer"}},
        "anyOf": [{"type": "string"}], "default": "d", "x-a": True, "minimum": -1, "maxItems": 2,
    }  # fmt: skip
    small = {
        "openapi": "3.0.0",
        "info": {"title": "T", "version": "1"},
        "paths": {},
        "components": {"schemas": {"A": schema}},
    }
    top = dict(fields(protobuf3.encode(orjson.dumps(small))))
    assert top[2] == b"\n\x01T2\x011"
    name, either = (value for _, value in fields(dict(fields(dict(fields(top[5]))[1]))[1]))
    found = dict(fields(dict(fields(either))[1]))
    assert (name, found[25], found[18]) == (b"A", b"array", 2)
    assert dict(fields(dict(fields(found[30]))[1]))[2] == b"\n\x03#/x"
    assert b"\n\x01n" in found[31] and b"string" in found[28] and found[33] == b"\x1a\x01d" and b"x-a" in found[36]


def test_protobuf_of_a_small_document() -> None:
    small = {
        "swagger": "2.0",
        "info": {"title": "T", "version": "1"},
        "paths": {},
        "definitions": {"A": {"type": "object", "properties": {"n": {"type": "integer"}}}},
    }
    top = dict(fields(protobuf.encode(orjson.dumps(small))))
    assert top[2] == b"\n\x01T\x12\x011"
    name, schema = (value for _, value in fields(dict(fields(top[9]))[1]))
    assert name == b"A"
    assert dict(fields(schema))[22] == b"\n\x06object"


def test_custom_kinds_are_published_and_change_the_hash(kinds: list[Kind]) -> None:
    custom = crd.kinds(CRD)
    found = document("/openapi/v3/apis/example.com/v1", kinds + custom)
    shown = found["components"]["schemas"]["com.example.v1.X"]
    assert shown["properties"]["spec"]["description"] == "what is wanted"
    assert shown["x-kubernetes-group-version-kind"] == [{"group": "example.com", "version": "v1", "kind": "X"}]
    assert "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta" in found["components"]["schemas"]
    assert "com.example.v1.XList" in found["components"]["schemas"]
    patch = found["paths"]["/apis/example.com/v1/namespaces/{namespace}/xs/{name}"]["patch"]
    assert "application/strategic-merge-patch+json" not in patch["requestBody"]["content"]
    before = document("/openapi/v3", kinds + custom)["paths"]["apis/example.com/v1"]
    CRD["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["description"] = "changed"
    after = document("/openapi/v3", kinds + crd.kinds(CRD))["paths"]["apis/example.com/v1"]
    assert before != after


def test_custom_kinds_are_published_as_each_version_can_say_it(kinds: list[Kind]) -> None:
    spec: Json = {
        "type": "object",
        "required": ["n", "p"],
        "properties": {
            "p": {"x-kubernetes-int-or-string": True},
            "q": {"x-kubernetes-int-or-string": True, "anyOf": [{"pattern": "x"}]},
            "n": {"type": "string", "nullable": True},
            "k": {
                "type": "object",
                "x-kubernetes-preserve-unknown-fields": True,
                "properties": {"a": {"type": "string"}},
            },
            "e": {"type": "object", "x-kubernetes-embedded-resource": True, "properties": {"spec": {"type": "object"}}},
        },
        "oneOf": [{"required": ["p"]}],
    }
    definition = copy.deepcopy(CRD)
    version = definition["spec"]["versions"][0]
    version["schema"]["openAPIV3Schema"] = {"type": "object", "properties": {"spec": spec}}
    version["selectableFields"] = [{"jsonPath": ".spec.n"}]
    custom = crd.kinds(definition)
    v3 = document("/openapi/v3/apis/example.com/v1", kinds + custom)["components"]["schemas"]["com.example.v1.X"]
    either = [{"type": "integer"}, {"type": "string"}]
    shown = v3["properties"]["spec"]["properties"]
    assert shown["p"]["anyOf"] == either and shown["q"]["allOf"] == [{"anyOf": either}]
    assert (
        shown["n"]["nullable"] and v3["properties"]["spec"]["oneOf"] and v3["properties"]["apiVersion"]["description"]
    )
    assert set(shown["e"]["properties"]) == {"apiVersion", "kind", "metadata", "spec"}
    assert shown["e"]["required"] == ["kind", "apiVersion"]
    assert v3["x-kubernetes-selectable-fields"] == [{"fieldPath": "spec.n"}]
    v2 = document("/openapi/v2", kinds + custom)["definitions"]["com.example.v1.X"]["properties"]
    assert v2["metadata"]["$ref"] == "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
    assert v2["spec"]["required"] == ["p"] and "oneOf" not in v2["spec"]
    shown = v2["spec"]["properties"]
    assert shown["p"] == {"x-kubernetes-int-or-string": True} == shown["q"] and shown["n"] == {}
    assert shown["k"] == {"x-kubernetes-preserve-unknown-fields": True}
    version["schema"]["openAPIV3Schema"]["x-kubernetes-preserve-unknown-fields"] = True
    free = document("/openapi/v2", kinds + crd.kinds(definition))["definitions"]["com.example.v1.X"]
    assert "properties" not in free and free["type"] == "object"

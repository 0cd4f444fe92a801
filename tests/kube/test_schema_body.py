"""Request bodies: JSON and YAML, with errors in the words of kube-apiserver."""

from __future__ import annotations

import pytest

from kube import schema
from kube.errors import BadRequest, UnsupportedMediaType

JSON = "application/json"
PREFIX = "the object provided is unrecognized (must be of type ConfigMap): "


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"{", "couldn't get version/kind; json parse error: unexpected end of JSON input ({)"),
        (b"", "couldn't get version/kind; json parse error: unexpected end of JSON input (<empty>)"),
        (
            b"a: b",
            "couldn't get version/kind; json parse error: invalid character 'a' looking for beginning of value "
            "(613a2062)",
        ),
        (
            b'{"metadata":{"name":"x"}} trailing',
            "couldn't get version/kind; json parse error: invalid character 't' after "
            'top-level value ({"metadata":{"name":"x"}} trai ...)',
        ),
    ],
)
def test_broken_json(raw: bytes, message: str) -> None:
    with pytest.raises(BadRequest) as caught:
        schema.parse(raw, JSON, "ConfigMap")
    assert caught.value.message == PREFIX + message


@pytest.mark.parametrize(("raw", "kind"), [(b"[]", "array"), (b'"x"', "string"), (b"1", "number"), (b"true", "bool")])
def test_json_that_is_no_object(raw: bytes, kind: str) -> None:
    with pytest.raises(BadRequest, match=f"json: cannot unmarshal {kind} into Go value of type struct"):
        schema.parse(raw, JSON, "ConfigMap")


def test_null_is_an_empty_object() -> None:
    assert schema.parse(b"null", JSON, "ConfigMap") == ({}, [])


def test_duplicate_keys_are_named_and_objects_under_them_merged() -> None:
    raw = b'{"metadata":{"name":"x"},"data":{"a":"1","a":"2"},"data":{"b":"1"}}'
    obj, problems = schema.parse(raw, JSON, "ConfigMap")
    assert obj == {"metadata": {"name": "x"}, "data": {"a": "2", "b": "1"}}
    assert problems == ['duplicate field "data.a"', 'duplicate field "data"']


@pytest.mark.parametrize("raw", [b'{"a": "\\"x\\"", "b": ["y"]}', '{"a": "é\\u00e9"}'.encode(), b'{"a":"\\u0022"}'])
def test_ordinary_bodies_have_no_duplicates(raw: bytes) -> None:
    assert schema.parse(raw, JSON, "ConfigMap")[1] == []


def test_yaml_has_the_booleans_of_its_old_version_and_no_dates() -> None:
    obj, _ = schema.parse(b"a: y\nb: off\nc: 2020-01-01\n1: x\n", "application/yaml", "ConfigMap")
    assert obj == {"a": True, "b": False, "c": "2020-01-01", "1": "x"}


def test_broken_yaml_says_where() -> None:
    with pytest.raises(BadRequest, match=r"yaml: line 1: did not find expected node content"):
        schema.parse(b"a: [", "application/yaml", "ConfigMap")


def test_another_media_type_is_refused() -> None:
    with pytest.raises(UnsupportedMediaType, match="application/json, application/yaml"):
        schema.parse(b"", "text/plain", "ConfigMap")

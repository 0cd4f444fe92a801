"""What definitions may say: the schemas, versions, columns and webhooks that generators of other projects write."""

from __future__ import annotations

from typing import Any

import pytest

from kube import conditions
from kube.crd import approval, definition, names, schemas, structural
from kube.crd.structural import EMBEDDED, INT_OR_STRING, PRESERVE
from kube.crd.validations import RULES
from kube.kinds.apiextensions import DefinitionStrategy
from kube.objects import Json
from kube.registry import Context
from tests.kube.test_crd import INTEGER, STRING, crd_of, custom_object, kind_of, problems, spec_schema

EITHER = [INTEGER, STRING]
ROOT: Json = {"type": "object"}


def of(prop: Json) -> list[tuple[str, str]]:
    """(field below `a`, message) of what is wrong with the schema of a field."""
    found = schemas.check({**ROOT, "properties": {"a": prop}}, "p")
    return [(error.field.removeprefix("p.properties[a]."), error.message) for error in found]


def list_of(item: Json, **more: Any) -> Json:
    return {"type": "array", "items": item, **{f"x-kubernetes-list-{key}": value for key, value in more.items()}}


KEYED = {**ROOT, "properties": {"k": STRING}, "required": ["k"]}


@pytest.mark.parametrize(
    "prop",
    [
        {INT_OR_STRING: True},
        {INT_OR_STRING: True, "type": "string"},
        {INT_OR_STRING: True, "anyOf": EITHER, "pattern": "^[0-9]+%?$"},
        {INT_OR_STRING: True, "allOf": [{"anyOf": EITHER}, {"pattern": "x"}]},
        {**STRING, "anyOf": EITHER},
        {**ROOT, PRESERVE: True},
        {PRESERVE: True},
        {**ROOT, EMBEDDED: True, PRESERVE: True},
        {**ROOT, EMBEDDED: True, "properties": {"kind": STRING, "metadata": ROOT, "spec": ROOT}},
        {**ROOT, "additionalProperties": True},
        {**ROOT, "additionalProperties": True, "properties": {"b": STRING}},
        {**ROOT, "additionalProperties": {**STRING, "nullable": True}},
        {**ROOT, "x-kubernetes-map-type": "atomic"},
        list_of(STRING, type="set"),
        list_of({**ROOT, "x-kubernetes-map-type": "atomic"}, type="set"),
        list_of(KEYED, **{"type": "map", "map-keys": ["k"]}),
        {**STRING, "nullable": True, "default": "x"},
        {**ROOT, "properties": {"b": STRING}, "oneOf": [{"required": ["b"]}, {"not": {"required": ["b"]}}]},
        {**ROOT, "properties": {"b": STRING}, "not": {"properties": {"b": {"enum": ["z"]}}}},
        {**STRING, "format": "of-our-own"},
    ],
    ids=str,
)
def test_schemas_that_generators_write(prop: Json) -> None:
    assert of(prop) == []


@pytest.mark.parametrize(
    ("prop", "field", "message"),
    [
        ({**STRING, INT_OR_STRING: True, PRESERVE: True}, PRESERVE, f"must be false if {INT_OR_STRING} is true"),
        ({**STRING, EMBEDDED: True, PRESERVE: True}, "type", f"must be object if {EMBEDDED} is true"),
        ({**ROOT, EMBEDDED: True}, "properties", "must not be empty if"),
        ({**ROOT, PRESERVE: False}, PRESERVE, "must be true or undefined"),
        ({**ROOT, "additionalProperties": False, "properties": {"b": STRING}}, "additionalProperties", "exclusive"),
        ({**STRING, "anyOf": [STRING, INTEGER]}, "anyOf[0].type", "must be empty to be structural"),
        ({**ROOT, "anyOf": [{"properties": {"b": {"default": 0}}}]}, "anyOf[0].properties[b].default", "undefined"),
        ({**ROOT, "x-kubernetes-map-type": ""}, "x-kubernetes-map-type", 'values: "atomic", "granular"'),
        ({**STRING, "x-kubernetes-list-type": "set"}, "type", "must be array if x-kubernetes-list-type is specified"),
        (list_of(KEYED, type="set"), "items.x-kubernetes-map-type", "must be atomic as item"),
        (list_of(STRING, type="map"), "x-kubernetes-list-map-keys", "must not be empty"),
        (list_of({**ROOT, "properties": {"k": STRING}}, **{"type": "map", "map-keys": ["k"]}),
         "items.properties[k].default", "must have a default or be a required property"),
        (list_of({**STRING, "nullable": True}, type="set"), "items.nullable", "cannot be nullable"),
        ({**STRING, "$ref": ""}, "$ref", "$ref is not supported"),
    ],
    ids=str,
)  # fmt: skip
def test_schemas_that_cannot_be_read(prop: Json, field: str, message: str) -> None:
    found = dict(of(prop))
    assert message in found.get(field, ""), found


@pytest.mark.parametrize(
    ("root", "field"),
    [
        ({"additionalProperties": STRING}, "p.additionalProperties"),
        ({"properties": {"metadata": {**ROOT, "properties": {"labels": ROOT}}}}, "p.properties[metadata]"),
        ({"properties": {"metadata": {**ROOT, "default": {}}}}, "p.properties[metadata].default"),
        ({"properties": {"kind": INTEGER}}, "p.properties[kind].type"),
        ({"nullable": True}, "p.nullable"),
        ({"anyOf": [{"properties": {"spec": {"required": ["a"]}}}]}, "p.properties[spec]"),
    ],
)
def test_the_root_of_a_schema_is_an_object_with_metadata(root: Json, field: str) -> None:
    assert [error.field for error in schemas.check({**ROOT, **root}, "p")] == [field]


def test_a_status_of_its_own_leaves_little_to_say_at_the_root() -> None:
    said = {"x-kubernetes-map-type": "granular", "minProperties": 0, "anyOf": [{}]}
    for key, value in said.items():
        assert schemas.check({**ROOT, key: value}, "p") == []
        assert [error.field for error in schemas.check({**ROOT, key: value}, "p", status=True)] == ["p"]
    assert schemas.check({**ROOT, "required": ["spec"], "title": "t", "id": "", PRESERVE: True}, "p", True) == []


@pytest.mark.parametrize(
    ("version", "field"),
    [
        ({"deprecationWarning": "soon"}, "spec.versions[0].deprecationWarning"),
        ({"deprecated": True, "deprecationWarning": ""}, "spec.versions[0].deprecationWarning"),
        ({"deprecated": True, "deprecationWarning": "a\nb"}, "spec.versions[0].deprecationWarning"),
        ({"additionalPrinterColumns": [{"name": "A", "jsonPath": ".a"}]}, "spec.additionalPrinterColumns[0].type"),
        ({"additionalPrinterColumns": [{"name": "A", "type": "string", "format": "odd", "jsonPath": ".a"}]},
         "spec.additionalPrinterColumns[0].format"),
        ({"selectableFields": [{"jsonPath": ".spec.a"}] * 2}, "spec.selectableFields[1].jsonPath"),
        ({"selectableFields": [{"jsonPath": ".spec.none"}]}, "spec.selectableFields[0].jsonPath"),
        ({"subresources": {"scale": {"specReplicasPath": ".spec.n"}}}, "spec.subresources.scale.statusReplicasPath"),
    ],
    ids=str,
)  # fmt: skip
def test_what_a_version_may_not_say(version: Json, field: str) -> None:
    found = definition.validate(crd_of(spec_schema({"a": STRING}), **version))
    assert [error.field for error in found] == [field]


def test_any_path_from_the_root_may_be_a_column() -> None:
    column = {"name": "A", "type": "string", "jsonPath": ".spec.a[?(@.b)]..c"}
    obj = crd_of(ROOT, additionalPrinterColumns=[column])
    assert definition.validate(obj) == []
    # One that cannot be read is left out, with the others: the age is shown.
    assert [shown.name for shown in kind_of(ROOT, additionalPrinterColumns=[column]).columns] == ["Name", "Age"]


@pytest.mark.parametrize(
    ("conversion", "fields"),
    [
        ({}, ["strategy"]),
        ({"strategy": "Odd"}, ["strategy"]),
        ({"strategy": "Webhook"}, ["webhookClientConfig", "conversionReviewVersions"]),
        ({"strategy": "Webhook", "webhook": {"clientConfig": {}, "conversionReviewVersions": ["v1"]}},
         ["webhookClientConfig"]),
        ({"strategy": "Webhook", "webhook": {"clientConfig": {"url": "http://a"}, "conversionReviewVersions": ["v9"]}},
         ["webhookClientConfig.url", "conversionReviewVersions"]),
        ({"strategy": "None", "webhook": {"conversionReviewVersions": ["v1"]}}, ["conversionReviewVersions"]),
        ({"strategy": "Webhook", "webhook": {"clientConfig": {"service": {"name": "a", "namespace": "b"}},
                                             "conversionReviewVersions": ["v1", "v1beta1"]}}, []),
    ],
)  # fmt: skip
def test_conversion_names_a_webhook_or_nothing(conversion: Json, fields: list[str]) -> None:
    obj = crd_of(ROOT)
    obj["spec"]["conversion"] = conversion
    DefinitionStrategy().default(obj)
    assert [error.field.removeprefix("spec.conversion.") for error in definition.validate(obj)] == fields


def test_what_has_no_effect_is_said() -> None:
    custom = spec_schema(
        {"a": {**STRING, "format": "odd"}, "b": list_of(KEYED, type="set"), "c": {**INTEGER, "format": "int32"}}
    )
    strategy, obj = DefinitionStrategy(), crd_of(custom)
    assert strategy.warnings(obj, None, Context()) == [
        'unrecognized format "odd"',
        'x-kubernetes-list-type: set for items of type "object" is not supported by server-side apply or CEL '
        "validation rules",
    ]
    assert strategy.warnings(obj, obj, Context()) == []


def test_what_every_object_has_may_be_required_and_restricted() -> None:
    name = {**STRING, "maxLength": 3}
    root = {**spec_schema({}), "required": ["apiVersion", "kind", "metadata", "spec"]}
    root["properties"]["metadata"] = {**ROOT, "properties": {"name": name}, "required": ["name"]}
    kind = kind_of(root)
    assert problems(kind, {}) == []
    long = {**custom_object({}), "metadata": {"name": "long", "namespace": "n"}}
    assert [error.field for error in kind.strategy.validate(long, Context())] == ["metadata.name"]


def test_finalizers_of_others_are_welcome() -> None:
    strategy = kind_of(ROOT).strategy
    obj = custom_object({})
    obj["metadata"]["finalizers"] = ["plain.example.com", "bare", "a.b/c", "orphan"]
    assert strategy.validate(obj, Context()) == []
    said = strategy.warnings(obj, None, Context())
    assert [text.partition(": prefer")[0] for text in said] == [
        'metadata.finalizers: "bare"', 'metadata.finalizers: "plain.example.com"'
    ]  # fmt: skip
    assert "including a path (/)" in said[1] and strategy.warnings(obj, obj, Context()) == []


def test_what_scale_shows_are_numbers() -> None:
    scale = {"specReplicasPath": ".spec.n", "statusReplicasPath": ".status.n", "labelSelectorPath": ".status.s"}
    kind = kind_of(spec_schema({"n": INTEGER}), subresources={"scale": scale})
    assert problems(kind, {"n": 2**31 - 1}) == [] == problems(kind, {})
    assert [field for field, _ in problems(kind, {"n": -1})] == [".spec.n"]
    assert [field for field, _ in problems(kind, {"n": 2**31})] == [".spec.n"]


def test_every_part_of_a_schema_is_found() -> None:
    leaf = {"title": "leaf"}
    whole = {"items": leaf, "not": leaf, "additionalProperties": leaf, "properties": {"a": leaf}, "anyOf": [leaf]}
    assert sum(part is leaf for part in structural.parts(whole)) == len(whole)


def test_a_rule_is_read_where_the_schema_is_sound() -> None:
    broken = {**STRING, RULES: [{"rule": "self +"}]}
    assert [field for field, _ in of(broken)] == [f"{RULES}[0].rule"]
    assert [field for field, _ in of({**broken, "$ref": "x"})] == ["$ref"]


@pytest.mark.parametrize(
    ("said", "refused", "condition"),
    [
        ("https://github.com/kubernetes/enhancements/pull/1", False, ("True", "ApprovedAnnotation")),
        ("unapproved, experimental", False, ("False", "UnapprovedAnnotation")),
        ("of course", True, ("False", "InvalidAnnotation")),
        ("https://[", True, ("False", "InvalidAnnotation")),
        ("", True, ("False", "MissingAnnotation")),
    ],
)
def test_groups_of_the_community_need_an_approval(said: str, refused: bool, condition: tuple[str, str]) -> None:
    obj = crd_of(ROOT)
    obj["spec"]["group"] = "x.k8s.io"
    obj["metadata"].update(name="xs.x.k8s.io", annotations={approval.ANNOTATION: said})
    assert bool(definition.validate(obj)) is refused
    assert definition.validate(obj, obj) == []  # one that is there may be changed
    found = conditions.find(names.accept(obj, [])["status"], approval.CONFORMANT) or {}
    assert (found["status"], found["reason"]) == condition and not names.outdated(obj)
    obj["metadata"]["annotations"][approval.ANNOTATION] = "https://other.example/1"
    assert names.outdated(obj) is (said != "https://other.example/1")

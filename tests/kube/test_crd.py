"""Custom resource definitions: their own rules, and the kinds that they make."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from kube import conditions, crd, schema
from kube.crd import definition, formats, jsonpath, names, schemas, structural, validations, values
from kube.crd.validations import RULES
from kube.kinds.apiextensions import DefinitionStrategy
from kube.objects import Json
from kube.registry import Context, Kind, Registry

STRING, INTEGER = {"type": "string"}, {"type": "integer"}


def spec_schema(properties: Json, **more: Any) -> Json:
    return {"type": "object", "properties": {"spec": {"type": "object", "properties": properties, **more}}}


def crd_of(custom: Json, **version: Any) -> Json:
    versions = [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": custom}, **version}]
    obj: Json = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "xs.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": "xs", "kind": "X"},
            "versions": versions,
        },
    }
    strategy = DefinitionStrategy()
    strategy.default(obj)
    strategy.prepare_create(obj, Context())
    return obj


def kind_of(custom: Json, **version: Any) -> Kind:
    return crd.kinds(crd_of(custom, **version))[0]


def custom_object(spec: Any) -> Json:
    return {"apiVersion": "example.com/v1", "kind": "X", "metadata": {"name": "x", "namespace": "n"}, "spec": spec}


def fields_of(obj: Json) -> list[str]:
    return [error.field for error in DefinitionStrategy().validate(obj, Context())]


def problems(kind: Kind, spec: Any, old: Any = None) -> list[tuple[str, str]]:
    obj = custom_object(spec)
    errors = (
        kind.strategy.validate_update(obj, custom_object(old), Context())
        if old is not None
        else kind.strategy.validate(obj, Context())
    )
    return [(error.field, error.message) for error in errors]


def test_names_and_conversion_have_defaults() -> None:
    spec = crd_of({"type": "object"})["spec"]
    assert spec["names"] == {"plural": "xs", "kind": "X", "singular": "x", "listKind": "XList"}
    assert spec["conversion"] == {"strategy": "None"}


def test_a_kind_has_what_its_definition_says() -> None:
    obj = crd_of(
        spec_schema({"n": INTEGER}),
        subresources={"status": {}, "scale": {"specReplicasPath": ".spec.n", "statusReplicasPath": ".status.n"}},
        deprecated=True,
    )
    obj["spec"]["names"].update(shortNames=["ex"], categories=["all"])
    kind = crd.kinds(obj)[0]
    assert (kind.storage, kind.definition, kind.list_kind) == ("xs.example.com", "com.example.v1.X", "XList")
    assert (kind.short_names, kind.categories, kind.subresources) == (("ex",), ("all",), ("status", "scale"))
    assert kind.scale is not None and kind.scale.replicas == "spec.n"
    assert kind.deprecation == "example.com/v1 X is deprecated"


def test_versions_are_converted_by_their_name_only() -> None:
    obj = crd_of({"type": "object"})
    obj["spec"]["versions"].append(
        {
            "name": "v1beta1",
            "served": True,
            "storage": False,
            "deprecated": True,
            "schema": {"openAPIV3Schema": {"type": "object"}},
        }
    )
    stored, old = crd.kinds(obj)
    assert (stored.version, old.version) == ("v1", "v1beta1")
    assert old.from_storage({"apiVersion": "example.com/v1"}) == {"apiVersion": "example.com/v1beta1"}
    assert old.to_storage({"apiVersion": "example.com/v1beta1"}) == {"apiVersion": "example.com/v1"}
    assert old.deprecation == "example.com/v1beta1 X is deprecated; use example.com/v1 X"


def test_a_changed_kind_whose_storage_version_is_not_served_takes_the_place_of_the_old_one() -> None:
    obj = crd_of({"type": "object"}, served=False)
    obj["spec"]["versions"].append(
        {"name": "v1beta1", "served": True, "storage": False, "schema": {"openAPIV3Schema": {"type": "object"}}}
    )
    registry, (old,), (new,) = Registry(), crd.kinds(obj), crd.kinds(obj)
    registry.register(old)
    registry.register(new)
    assert registry.by_storage("xs.example.com") is new


def test_unknown_fields_are_pruned_but_where_they_are_preserved() -> None:
    free = {
        "type": "object",
        structural.PRESERVE: True,
        "properties": {"z": {"type": "object", "properties": {"i": STRING}}},
    }
    resource = {"type": "object", structural.EMBEDDED: True, structural.PRESERVE: True}
    kind = kind_of(spec_schema({"a": STRING, "k": free, "e": resource}))
    obj = custom_object(
        {
            "a": "b",
            "u": 1,
            "k": {"free": [1], "z": {"i": "j", "gone": 1}},
            "e": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "odd": 1}, "spec": {}},
        }
    )
    obj["other"] = 1
    assert schema.check(kind.definition, obj) == ([], ["other", "spec.e.metadata.odd", "spec.k.z.gone", "spec.u"])
    assert obj["spec"]["k"] == {"free": [1], "z": {"i": "j"}}


def test_wrong_metadata_is_a_decoding_error() -> None:
    kind = kind_of({"type": "object"})
    errors, _ = schema.check(kind.definition, {"metadata": {"labels": {"a": 1}}})
    assert errors == ["json: cannot unmarshal number into Go struct field ObjectMeta.labels of type string"]


def test_defaults_fill_absent_fields_and_nulls() -> None:
    item = {"type": "object", "properties": {"p": {**STRING, "default": "q"}}}
    custom = spec_schema(
        {
            "a": {**STRING, "default": "hello"},
            "l": {"type": "array", "items": item},
            "b": STRING,
            "n": {**STRING, "nullable": True, "default": "z"},
        },
        default={},
    )
    obj: Json = {"metadata": {}}
    structural.default(obj, custom)
    assert obj["spec"] == {"a": "hello", "n": "z"}
    obj = {"spec": {"a": None, "b": None, "n": None, "l": [{}, {"p": "r"}]}}
    structural.default(obj, custom)
    assert obj["spec"] == {"a": "hello", "n": None, "l": [{"p": "q"}, {"p": "r"}]}


@pytest.mark.parametrize(
    ("prop", "value", "message"),
    [
        (STRING, 1, 'Invalid value: "integer": spec.v in body must be of type string: "integer"'),
        ({**STRING, "minLength": 2}, "x", 'Invalid value: "x": spec.v in body should be at least 2 chars long'),
        ({**STRING, "maxLength": 1}, "xy", "Too long: may not be more than 1 bytes"),
        ({**STRING, "pattern": "^a$"}, "b", "Invalid value: \"b\": spec.v in body should match '^a$'"),
        ({**STRING, "enum": ["x", "y"]}, "z", 'Unsupported value: "z": supported values: "x", "y"'),
        ({**STRING, "format": "ipv4"}, "z", 'Invalid value: "z": spec.v in body must be of type ipv4: "z"'),
        ({**INTEGER, "minimum": 1}, 0, "Invalid value: 0: spec.v in body should be greater than or equal to 1"),
        (
            {**INTEGER, "maximum": 5, "exclusiveMaximum": True},
            5,
            "Invalid value: 5: spec.v in body should be less than 5",
        ),
        ({**INTEGER, "multipleOf": 2}, 3, "Invalid value: 3: spec.v in body should be a multiple of 2"),
        (
            {"type": "array", "items": STRING, "minItems": 1},
            [],
            "Invalid value: 0: spec.v in body should have at least 1 items",
        ),
        (
            {structural.INT_OR_STRING: True},
            True,
            'Invalid value: "boolean": spec.v in body must be of type integer,string: "boolean"',
        ),
    ],
)
def test_values_are_checked_in_the_words_of_the_real_server(prop: Json, value: Any, message: str) -> None:
    assert problems(kind_of(spec_schema({"v": prop})), {"v": value}) == [("spec.v", message)]


def test_required_fields_and_alternatives() -> None:
    either = {
        "type": "object",
        "properties": {"p": STRING, "r": STRING},
        "oneOf": [{"required": ["p"]}, {"required": ["r"]}],
    }
    kind = kind_of(spec_schema({"a": STRING, "o": either}, required=["a"]))
    assert problems(kind, {}) == [("spec.a", "Required value")]
    assert [field for field, _ in problems(kind, {"a": "x", "o": {}})] == ["<nil>", "spec.o.p"]
    assert "Found 2 valid alternatives" in problems(kind, {"a": "x", "o": {"p": "1", "r": "2"}})[0][1]
    assert problems(kind, {"a": "x", "o": {"p": "1"}}) == []


def test_items_of_sets_and_maps_are_unique() -> None:
    keyed = {
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["k"],
        "items": {"type": "object", "required": ["k"], "properties": {"k": STRING}},
    }
    found = values.validate({"l": [{"k": "a"}, {"k": "a"}]}, {"type": "object", "properties": {"l": keyed}})
    assert [(e.reason, e.field) for e in found] == [("FieldValueDuplicate", "l[1]")]


def test_what_was_invalid_before_may_stay() -> None:
    kind = kind_of(spec_schema({"a": {**STRING, "maxLength": 3}, "b": STRING}))
    assert problems(kind, {"a": "toolong", "b": "new"}, old={"a": "toolong"}) == []
    assert problems(kind, {"a": "toolong2"}, old={"a": "toolong"})[0][0] == "spec.a"


FIXED = {**STRING, RULES: [{"rule": "self == oldSelf", "message": "im is fixed"}]}
RULED = spec_schema(
    {"min": INTEGER, "max": INTEGER, "im": FIXED},
    **{
        RULES: [
            {
                "rule": "!has(self.min) || !has(self.max) || self.min <= self.max",
                "fieldPath": ".min",
                "messageExpression": "self.min > 7 ? 'far over max' : 'over max'",
                "reason": "FieldValueForbidden",
            }
        ]
    },
)


def test_rules_are_evaluated() -> None:
    kind = kind_of(RULED)
    assert problems(kind, {"min": 1, "max": 3}) == []
    assert problems(kind, {"min": 5, "max": 3}) == [("spec.min", "Forbidden: over max")]
    assert problems(kind, {"min": 9, "max": 3}) == [("spec.min", "Forbidden: far over max")]


def test_transition_rules_need_an_old_value() -> None:
    kind = kind_of(RULED)
    assert problems(kind, {"im": "a"}) == []
    assert problems(kind, {"im": "b"}, old={"im": "a"}) == [("spec.im", 'Invalid value: "b": im is fixed')]


def test_rules_wait_for_a_valid_object() -> None:
    fields = [field for field, _ in problems(kind_of(RULED), {"min": "x", "max": 3})]
    assert fields == ["spec.min", "<nil>"]


@pytest.mark.parametrize(
    "rule",
    [
        "self.s.split(',').size() == 2",
        "isURL(self.u)",
        "self.n.sum() == 6",
        "self.f > 1.5",
        "self.s.lowerAscii() == 'a,b'",
        "self.t > timestamp('2025-01-01T00:00:00Z')",
        "self.n.all(x, x > 0) && self.n.exists_one(x, x == 2)",
        "self.__namespace__ == 'q' && self.a__dash__b == 1",
        "self.s.find('[a-z]+') == 'a'",
        "self.n.indexOf(2) == 1",
    ],
)
def test_the_functions_of_kubernetes(rule: str) -> None:
    custom = {
        "type": "object",
        RULES: [{"rule": rule}],
        "properties": {
            "s": STRING,
            "u": STRING,
            "n": {"type": "array", "items": INTEGER},
            "f": {"type": "number"},
            "t": {**STRING, "format": "date-time"},
            "namespace": STRING,
            "a-b": INTEGER,
        },
    }
    value = {
        "s": "a,B".lower(),
        "u": "https://x/y",
        "n": [1, 2, 3],
        "f": 2,
        "t": "2026-01-01T00:00:00Z",
        "namespace": "q",
        "a-b": 1,
    }
    assert validations.Rules(custom).check(value, values.MISSING) == []


@pytest.mark.parametrize(
    ("custom", "field"),
    [
        ({}, "p.type"),
        ({"type": "string"}, "p.type"),
        ({"type": "object", "properties": {"a": {}}}, "p.properties[a].type"),
        ({"type": "object", "properties": {"a": {"type": "array"}}}, "p.properties[a].items"),
        ({"type": "object", "properties": {"a": {**STRING, "$ref": "x"}}}, "p.properties[a].$ref"),
        ({"type": "object", "properties": {"a": {**STRING, "default": 1}}}, "p.properties[a].default"),
        ({"type": "object", "properties": {"a": {**STRING, "pattern": "("}}}, "p.properties[a].pattern"),
        (
            {"type": "object", "properties": {"a": INTEGER}, RULES: [{"rule": "self.a +"}]},
            f"p.{RULES}[0].rule",
        ),
        (
            {"type": "object", "properties": {"a": INTEGER}, RULES: [{"rule": "self.b > 1"}]},
            f"p.{RULES}[0].rule",
        ),
        (
            {"type": "object", "properties": {"a": INTEGER}, RULES: [{"rule": "self.a"}]},
            f"p.{RULES}[0].rule",
        ),
    ],
)
def test_schemas_that_are_refused(custom: Json, field: str) -> None:
    assert [error.field for error in schemas.check(custom, "p")] == [field]


def test_a_definition_checks_its_names_versions_and_columns() -> None:
    good = crd_of({"type": "object"})
    assert fields_of(good) == []
    bad = copy.deepcopy(good)
    bad["metadata"]["name"] = "ys.example.com"
    bad["spec"].update(scope="Odd")
    bad["spec"]["versions"][0]["additionalPrinterColumns"] = [{"name": "a", "type": "odd", "jsonPath": "spec.a"}]
    assert fields_of(bad) == [
        "metadata.name",
        "spec.scope",
        "spec.additionalPrinterColumns[0].type",
        "spec.additionalPrinterColumns[0].JSONPath",
    ]


def test_an_established_kind_keeps_its_identity() -> None:
    old = names.accept(crd_of({"type": "object"}), [])
    new = copy.deepcopy(old)
    new["spec"]["scope"] = "Cluster"
    assert [error.field for error in definition.validate_change(new, old)] == ["spec.scope"]


def test_names_are_accepted_unless_another_definition_has_them() -> None:
    first = names.accept(crd_of({"type": "object"}), [])
    assert conditions.is_true(first["status"], "NamesAccepted") and conditions.is_true(first["status"], "Established")
    assert first["status"]["acceptedNames"] == first["spec"]["names"]
    second = crd_of({"type": "object"})
    second["spec"]["names"].update(plural="ys", singular="y")
    second = names.accept(second, [first])
    assert not conditions.is_true(second["status"], "Established")
    assert second["status"]["conditions"][0]["reason"] == "KindConflict"


def test_columns_show_what_their_paths_find() -> None:
    more = [
        {"name": "Replicas", "type": "integer", "jsonPath": ".spec.n"},
        {"name": "Ready", "type": "string", "jsonPath": '.status.conditions[?(@.type=="Ready")].status'},
        {"name": "Since", "type": "date", "jsonPath": ".spec.t"},
    ]
    kind = kind_of({"type": "object"}, additionalPrinterColumns=more)
    obj = custom_object({"n": 3, "t": "1970-01-01T00:00:00Z"})
    obj["status"] = {"conditions": [{"type": "Other", "status": "no"}, {"type": "Ready", "status": "True"}]}
    assert [column.name for column in kind.columns] == ["Name", "Replicas", "Ready", "Since"]
    assert kind.cells(obj, 300.0) == ["x", 3, "True", "5m"]
    assert kind.cells(custom_object({}), 0.0) == ["x", None, None, None]


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".a.b", [1]),
        (".l[0]", ["x"]),
        (".l[-1]", ["y"]),
        (".l[*]", ["x", "y"]),
        (".none", []),
        (".a['b']", [1]),
        (".d\\.e", [2]),
        (".a.*", [1]),
    ],
)
def test_json_paths(path: str, found: list[Any]) -> None:
    assert jsonpath.find({"a": {"b": 1}, "l": ["x", "y"], "d.e": 2}, path) == found


def test_a_broken_path_is_named() -> None:
    with pytest.raises(ValueError, match=r"from '\[' on"):
        jsonpath.compile_path(".a[")


@pytest.mark.parametrize(
    ("value", "name", "fits"),
    [
        ("2026-01-01T00:00:00Z", "date-time", True),
        ("2026-01-01", "date-time", False),
        ("2026-01-01", "date", True),
        ("1.2.3.4", "ipv4", True),
        ("::1", "ipv4", False),
        ("10.0.0.0/8", "cidr", True),
        ("10.0.0.1", "cidr", False),
        ("a@b", "email", True),
        ("x", "uuid", False),
        ("1h5m", "duration", True),
        ("anything", "unheard-of", True),
    ],
)
def test_formats(value: str, name: str, fits: bool) -> None:
    assert formats.fits(value, name) is fits

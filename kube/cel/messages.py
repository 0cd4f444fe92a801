"""The protocol buffers of the engine: values of Kubernetes's types, checked expressions, and types made from schemas."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from google.protobuf import (
    any_pb2,
    descriptor_pb2,
    descriptor_pool,
    duration_pb2,
    empty_pb2,
    message_factory,
    struct_pb2,
    timestamp_pb2,
    wrappers_pb2,
)

_WELL_KNOWN = (any_pb2, duration_pb2, empty_pb2, struct_pb2, timestamp_pb2, wrappers_pb2)
_SCALARS = {"double": 1, "int64": 3, "uint64": 4, "bool": 8, "string": 9, "bytes": 12}
TIMESTAMP, DURATION = "google.protobuf.Timestamp", "google.protobuf.Duration"
_MESSAGE, _OPTIONAL, _REPEATED = 11, 1, 3

# Values of Kubernetes's own types. `text` is canonical: equal values have equal texts.
VALUES = (
    *("kubernetes.Quantity", "kubernetes.URL", "kubernetes.Semver", "kubernetes.NamedFormat"),
    *("net.IP", "net.CIDR"),
    *(
        f"kubernetes.authorization.{name}"
        for name in ("Authorizer", "PathCheck", "GroupCheck", "ResourceCheck", "Decision")
    ),
)
_GVK = dict.fromkeys(("group", "version", "kind"), "string")
_GVR = dict.fromkeys(("group", "version", "resource"), "string")
# What policies see of a request and of its namespace.
REQUEST, NAMESPACE = "kubernetes.AdmissionRequest", "kubernetes.Namespace"
_STRUCTURES: dict[str, dict[str, str]] = {
    "kubernetes.GroupVersionKind": _GVK,
    "kubernetes.GroupVersionResource": _GVR,
    "kubernetes.UserInfo": {
        "username": "string",
        "uid": "string",
        "groups": "list string",
        "extra": "map google.protobuf.ListValue",
    },
    REQUEST: {
        "kind": "kubernetes.GroupVersionKind",
        "resource": "kubernetes.GroupVersionResource",
        "subResource": "string",
        "requestKind": "kubernetes.GroupVersionKind",
        "requestResource": "kubernetes.GroupVersionResource",
        "requestSubResource": "string",
        "name": "string",
        "namespace": "string",
        "operation": "string",
        "userInfo": "kubernetes.UserInfo",
        "dryRun": "bool",
        "options": "google.protobuf.Value",
    },
    "kubernetes.NamespaceMetadata": {
        **dict.fromkeys(("name", "generateName", "namespace", "selfLink", "uid", "resourceVersion"), "string"),
        "labels": "map string",
        "annotations": "map string",
        "finalizers": "list string",
        "creationTimestamp": "google.protobuf.Timestamp",
        "deletionTimestamp": "google.protobuf.Timestamp",
        "generation": "int64",
        "deletionGracePeriodSeconds": "int64",
    },
    "kubernetes.NamespaceSpec": {"finalizers": "list string"},
    "kubernetes.NamespaceStatus": {"phase": "string"},
    NAMESPACE: {
        "metadata": "kubernetes.NamespaceMetadata",
        "spec": "kubernetes.NamespaceSpec",
        "status": "kubernetes.NamespaceStatus",
    },
    "kubernetes.Device": {
        "driver": "string",
        "attributes": "map google.protobuf.Struct",
        "capacity": "map google.protobuf.Struct",
        "allowMultipleAllocations": "bool",
    },
}
# The parts of cel.expr.CheckedExpr that are read or rewritten: number, type.
_CHECKED: dict[str, dict[str, tuple[int, str]]] = {
    "Constant": {
        "null_value": (1, "int64"),
        "bool_value": (2, "bool"),
        "int64_value": (3, "int64"),
        "uint64_value": (4, "uint64"),
        "double_value": (5, "double"),
        "string_value": (6, "string"),
        "bytes_value": (7, "bytes"),
    },
    "Ident": {"name": (1, "string")},
    "Select": {"operand": (1, "cel.Expr"), "field": (2, "string"), "test_only": (3, "bool")},
    "Call": {"target": (1, "cel.Expr"), "function": (2, "string"), "args": (3, "list cel.Expr")},
    "CreateList": {"elements": (1, "list cel.Expr")},
    "Entry": {
        "id": (1, "int64"),
        "field_key": (2, "string"),
        "map_key": (3, "cel.Expr"),
        "value": (4, "cel.Expr"),
    },
    "CreateStruct": {"message_name": (1, "string"), "entries": (2, "list cel.Entry")},
    "Comprehension": {
        "iter_var": (1, "string"),
        "iter_range": (2, "cel.Expr"),
        "accu_var": (3, "string"),
        "accu_init": (4, "cel.Expr"),
        "loop_condition": (5, "cel.Expr"),
        "loop_step": (6, "cel.Expr"),
        "result": (7, "cel.Expr"),
        "iter_var2": (8, "string"),
    },
    "Expr": {
        "id": (2, "int64"),
        "const_expr": (3, "cel.Constant"),
        "ident_expr": (4, "cel.Ident"),
        "select_expr": (5, "cel.Select"),
        "call_expr": (6, "cel.Call"),
        "list_expr": (7, "cel.CreateList"),
        "struct_expr": (8, "cel.CreateStruct"),
        "comprehension_expr": (9, "cel.Comprehension"),
    },
    "ListType": {"elem_type": (1, "cel.Type")},
    "MapType": {"key_type": (1, "cel.Type"), "value_type": (2, "cel.Type")},
    "AbstractType": {"name": (1, "string"), "parameter_types": (2, "list cel.Type")},
    "Type": {
        "dyn": (1, "google.protobuf.Empty"),
        "null": (2, "int64"),
        "primitive": (3, "int64"),
        "well_known": (5, "int64"),
        "list_type": (6, "cel.ListType"),
        "map_type": (7, "cel.MapType"),
        "message_type": (9, "string"),
        "abstract_type": (14, "cel.AbstractType"),
    },
    "Reference": {"name": (1, "string"), "overload_id": (3, "list string")},
    "TypeEntry": {"key": (1, "int64"), "value": (2, "cel.Type")},
    "ReferenceEntry": {"key": (1, "int64"), "value": (2, "cel.Reference")},
    "CheckedExpr": {
        "reference_map": (2, "list cel.ReferenceEntry"),
        "type_map": (3, "list cel.TypeEntry"),
        "expr": (4, "cel.Expr"),
    },
}


def add_field(message: Any, path: str, name: str, kind: str, number: int = 0) -> None:
    """A field to a message whose full name is `path`: `kind` is a scalar, a message, `list …` or `map …` (by strings)."""
    number = number or len(message.field) + 1
    shape, _, inner = kind.rpartition(" ")
    # A JSON name of its own: those that are made of the names could meet (`a_b`, `aB`).
    field = message.field.add(name=name, number=number, json_name=f"f{number}", label=_REPEATED if shape else _OPTIONAL)
    if shape == "map":
        # The name of an entry's message is that of its field in camel case; protocol buffers look at it.
        entry = message.nested_type.add(name="".join(part[:1].upper() + part[1:] for part in name.split("_")) + "Entry")
        entry.options.map_entry = True
        add_field(entry, "", "key", "string")
        add_field(entry, "", "value", inner)
        inner = f"{path}.{entry.name}"
    if inner in _SCALARS:
        field.type = _SCALARS[inner]
    else:
        field.type, field.type_name = _MESSAGE, f".{inner}"


def new_file(name: str) -> Any:
    """An empty file of descriptors, which may use all that `base` has."""
    file = descriptor_pb2.FileDescriptorProto(name=name, syntax="proto2")
    file.dependency.extend([*(module.DESCRIPTOR.name for module in _WELL_KNOWN), *(f.name for f in _files())])
    return file


def pool(*files: Any) -> Any:
    """A pool with the well-known types, those of Kubernetes, and these files."""
    found = descriptor_pool.DescriptorPool()
    for module in _WELL_KNOWN:
        copy = descriptor_pb2.FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(copy)
        found.Add(copy)
    for file in (*_files(), *files):
        found.Add(file)
    return found


@lru_cache(maxsize=1)
def _files() -> tuple[Any, ...]:
    """One file a package, since a file has one."""
    structures: dict[str, dict[str, tuple[int, str]]] = {f"cel.{name}": fields for name, fields in _CHECKED.items()}
    structures |= {name: {"text": (1, "string")} for name in VALUES}
    for name, kinds in _STRUCTURES.items():
        structures[name] = {field: (i + 1, kind) for i, (field, kind) in enumerate(kinds.items())}
    files: dict[str, Any] = {}
    for path, fields in structures.items():
        package, _, name = path.rpartition(".")
        if package not in files:
            files[package] = descriptor_pb2.FileDescriptorProto(
                name=f"{package}.proto", syntax="proto2", package=package
            )
            files[package].dependency.extend(module.DESCRIPTOR.name for module in _WELL_KNOWN)
        message = files[package].message_type.add(name=name)
        for field, (number, kind) in fields.items():
            add_field(message, path, field, kind, number)
    return tuple(files.values())


@lru_cache(maxsize=1)
def base() -> Any:
    """The pool that evaluation uses."""
    return pool()


@lru_cache(maxsize=64)
def message_class(name: str) -> Any:
    """The class of one of Kubernetes's types, or of a part of a checked expression."""
    return message_factory.GetMessageClass(base().FindMessageTypeByName(name))


def value(name: str, text: str) -> Any:
    """A value of one of `VALUES`."""
    return message_class(name)(text=text)


def timestamp(text: str) -> Any:
    """A date, or a date and time as of RFC 3339."""
    found = datetime.fromisoformat(text.upper())
    made = timestamp_pb2.Timestamp()
    made.FromDatetime(found if found.tzinfo else found.replace(tzinfo=UTC))
    return made


def duration(micros: int) -> Any:
    """A span of so many microseconds."""
    made = duration_pb2.Duration()
    made.FromMicroseconds(micros)
    return made


def given(value: Any) -> Any:
    """A value that the engine gave, as it takes it back: times are messages."""
    if isinstance(value, datetime):
        made = timestamp_pb2.Timestamp()
        made.FromDatetime(value if value.tzinfo else value.replace(tzinfo=UTC))
        return made
    if isinstance(value, timedelta):
        return duration(value // timedelta(microseconds=1))
    if isinstance(value, list):
        return [given(item) for item in value]
    return {key: given(item) for key, item in value.items()} if isinstance(value, dict) else value

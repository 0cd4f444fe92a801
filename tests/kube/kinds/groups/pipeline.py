"""The way of an object through its kind, without a server: decode, default, prepare, validate, complete."""

from __future__ import annotations

import copy
from typing import Any

from kube import registry, schema
from kube.errors import FieldError
from kube.objects import Json
from kube.registry import Context, Kind
from kube.users import User

KINDS = registry.load()
CONTEXT = Context(user=User("alice", "alice-uid", ("system:authenticated",)))
CONTAINER = {"name": "c", "image": "nginx"}
NOW = 1_800_000_000.0


class Refused(Exception):
    """What `create` or `update` raise: the causes as (field, reason) in `causes`."""

    def __init__(self, errors: list[FieldError]) -> None:
        super().__init__("; ".join(str(e) for e in errors))
        self.causes = {(e.field, e.reason.removeprefix("FieldValue")) for e in errors}


def kind_of(obj: Json) -> Kind:
    kind = KINDS.by_gvk(obj["apiVersion"], obj["kind"])
    assert kind is not None, f"{obj['apiVersion']} {obj['kind']} is not registered"
    return kind


def stored_kind(kind: Kind) -> Kind:
    found = KINDS.by_storage(kind.storage)
    assert found is not None
    return found


def create(api_version: str, kind: str, name: str = "x", **body: Any) -> Json:
    """The object as the API would answer its creation; raises Refused."""
    obj = copy.deepcopy({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **body})
    served = kind_of(obj)
    obj["metadata"].update(obj.pop("meta", {}))
    if served.namespaced:
        obj["metadata"]["namespace"] = "ns"
    schema.normalise(served.definition, obj)
    stored, obj = stored_kind(served), served.to_storage(obj)
    stored.strategy.default(obj)
    obj["metadata"].update(uid="u1", creationTimestamp="2027-01-15T07:00:00Z")
    stored.strategy.prepare_create(obj, CONTEXT)
    if errors := stored.strategy.validate(obj, CONTEXT):
        raise Refused(errors)
    return schema.fill(stored.definition, obj)


def update(old: Json, change: Json, subresource: str = "") -> Json:
    """`old` after a merge patch; raises Refused."""
    kind = kind_of(old)
    new = merged(old, change)
    schema.normalise(kind.definition, new)
    kind.strategy.default(new)
    step = f"{subresource}_update" if subresource else "update"
    getattr(kind.strategy, f"prepare_{step}")(new, old, CONTEXT)
    if errors := getattr(kind.strategy, f"validate_{step}")(new, old, CONTEXT):
        raise Refused(errors)
    return schema.fill(kind.definition, new)


def merged(target: Any, change: Any) -> Any:
    if not isinstance(change, dict):
        return copy.deepcopy(change)
    result = copy.deepcopy(target) if isinstance(target, dict) else {}
    for key, value in change.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def refused(action: Any, *args: Any, **named: Any) -> set[tuple[str, str]]:
    """The causes for which an action is refused; fails if it is not."""
    try:
        action(*args, **named)
    except Refused as error:
        return error.causes
    raise AssertionError(f"accepted: {args} {named}")


def row(obj: Json) -> dict[str, Any]:
    """The cells of an object by the names of their columns."""
    kind = kind_of(obj)
    cells = kind.cells(obj, NOW)
    assert len(cells) == len(kind.columns)
    return {column.name: cell for column, cell in zip(kind.columns, cells, strict=True)}


def workload(**spec: Any) -> Json:
    """A spec with a selector and a template that fit."""
    return {
        "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [CONTAINER]}},
        **spec,
    }

"""The `paths` of OpenAPI documents: what may be done where, with which parameters.

Clients read from it whether a kind can be patched, and with which options (`dryRun`, `fieldValidation`), and which kind
lives at a path. `V2` and `V3` differ in where the schema of a body or a parameter stands.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kube import schema
from kube.objects import Json
from kube.registry import Kind

_META = "io.k8s.apimachinery.pkg.apis.meta.v1."
READ = ("application/json", "application/yaml")
WATCH = (*READ, "application/json;stream=watch")
PATCHES = (
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
)


@dataclass(frozen=True, slots=True)
class Dialect:
    """The words of one version of OpenAPI."""

    prefix: str

    def ref(self, definition: str) -> Json:
        return {"$ref": self.prefix + definition}

    def parameter(self, name: str, place: str, kind: str, text: str) -> Json:
        head = {"name": name, "in": place, "description": text, **({"required": True} if place == "path" else {})}
        schema = {"type": kind, "uniqueItems": True}
        return {**head, **schema} if self is V2 else {**head, "schema": schema}

    def answer(self, definition: str, media: tuple[str, ...]) -> Json:
        if self is V2:
            return {"description": "OK", "schema": self.ref(definition)}
        return {"description": "OK", "content": {kind: {"schema": self.ref(definition)} for kind in media}}

    def body(self, definition: str, media: tuple[str, ...]) -> Json:
        """What an operation says of its body."""
        if self is V2:
            return {"parameters": [{"name": "body", "in": "body", "required": True, "schema": self.ref(definition)}]}
        return {"requestBody": {"content": {kind: {"schema": self.ref(definition)} for kind in media}}}


V2 = Dialect("#/definitions/")
V3 = Dialect("#/components/schemas/")

_TEXT = {
    "pretty": ("string", "If 'true', the output is indented."),
    "dryRun": ("string", "With 'All', the request is processed and checked, but nothing is stored."),
    "fieldManager": ("string", "The name of the actor or entity that makes these changes."),
    "fieldValidation": ("string", "What to do with unknown and duplicate fields: Ignore, Warn (default) or Strict."),
    "force": ("boolean", "Take over the fields of other managers; only for apply patches."),
    "allowWatchBookmarks": ("boolean", "Ask for events of type BOOKMARK."),
    "continue": ("string", "Where a list in parts goes on, as the last part said."),
    "fieldSelector": ("string", "Only objects whose fields match."),
    "labelSelector": ("string", "Only objects whose labels match."),
    "limit": ("integer", "How many objects a part of the list has at most."),
    "resourceVersion": ("string", "The version that the answer must have, or be newer than."),
    "resourceVersionMatch": ("string", "How resourceVersion is meant: Exact or NotOlderThan."),
    "sendInitialEvents": ("boolean", "Begin a watch with the objects that there are."),
    "timeoutSeconds": ("integer", "When the request ends, busy or not."),
    "watch": ("boolean", "Follow the changes instead of listing."),
    "gracePeriodSeconds": ("integer", "Seconds before the object is removed; 0 is at once."),
    "orphanDependents": ("boolean", "Deprecated: see propagationPolicy."),
    "propagationPolicy": ("string", "What becomes of dependents: Orphan, Background or Foreground."),
    "ignoreStoreReadErrorWithClusterBreakingPotential": ("boolean", "Delete an object that cannot be read."),
}
LIST = (
    "allowWatchBookmarks",
    "continue",
    "fieldSelector",
    "labelSelector",
    "limit",
    "resourceVersion",
    "resourceVersionMatch",
    "sendInitialEvents",
    "timeoutSeconds",
    "watch",
)
CHANGE = ("dryRun", "fieldManager", "fieldValidation")
DELETE = (
    "dryRun",
    "gracePeriodSeconds",
    "ignoreStoreReadErrorWithClusterBreakingPotential",
    "orphanDependents",
    "propagationPolicy",
)
_ACTIONS = {
    "get": "get",
    "list": "list",
    "create": "post",
    "update": "put",
    "patch": "patch",
    "delete": "delete",
    "deletecollection": "deletecollection",
    "watch": "watch",
    "watchlist": "watchlist",
}
_SUBRESOURCES = {
    "scale": ("io.k8s.api.autoscaling.v1.Scale", ("get", "patch", "update")),
    "eviction": ("io.k8s.api.policy.v1.Eviction", ("create",)),
    "binding": ("io.k8s.api.core.v1.Binding", ("create",)),
    "token": ("io.k8s.api.authentication.v1.TokenRequest", ("create",)),
    "log": ("", ("get",)),
    "exec": ("", ("get", "create")),
    "attach": ("", ("get", "create")),
    "portforward": ("", ("get", "create")),
    "proxy": ("", ("get", "create", "update", "patch", "delete")),
    "finalize": (None, ("update",)),
}


def of_kinds(kinds: list[Kind], dialect: Dialect) -> Json:
    """All paths of these kinds, sorted."""
    found: Json = {}
    for kind in kinds:
        root = _root(kind)
        found[root + "/"] = {"get": _operation(kind, dialect, "get", _META + "APIResourceList", (), gvk=False)}
        found.update(_Paths(kind, dialect).all())
    return dict(sorted(found.items()))


def _root(kind: Kind) -> str:
    return f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"


def list_definition(kind: Kind) -> str:
    """The name of the definition of a list of the kind."""
    return kind.definition.rsplit(".", 1)[0] + "." + kind.list_kind


def _operation(
    kind: Kind,
    dialect: Dialect,
    verb: str,
    definition: str,
    options: tuple[str, ...],
    *,
    body: str = "",
    media: tuple[str, ...] = READ,
    gvk: bool = True,
    name: str = "",
) -> Json:
    """One operation. `definition` is what it answers, `body` what it takes."""
    group = kind.group.split(".")[0] or "core"
    operation: Json = {
        "tags": [f"{group}_{kind.version}"],
        "operationId": f"{verb}{name}{group.capitalize()}{kind.version.capitalize()}{kind.kind}",
    }
    operation["responses"] = {
        "200": dialect.answer(definition, media) if definition else {"description": "OK"},
        "401": {"description": "Unauthorized"},
    }
    parameters = [dialect.parameter(option, "query", *_TEXT[option]) for option in options]
    if body:
        operation.update(dialect.body(body, _patches(kind) if verb == "patch" else READ))
    if parameters:
        operation["parameters"] = operation.get("parameters", []) + parameters
    if gvk:
        operation["x-kubernetes-action"] = _ACTIONS[verb]
        operation["x-kubernetes-group-version-kind"] = {"group": kind.group, "kind": kind.kind, "version": kind.version}
    return operation


def _patches(kind: Kind) -> tuple[str, ...]:
    """The patches a kind takes. `kubectl apply` reads here that custom kinds take no strategic ones."""
    return PATCHES[:-1] if schema.is_custom(kind.definition) else PATCHES


class _Paths:
    """The paths of one kind."""

    def __init__(self, kind: Kind, dialect: Dialect) -> None:
        self.kind, self.dialect = kind, dialect
        self.root = _root(kind)
        self.scope = "/namespaces/{namespace}" if kind.namespaced else ""
        self.listed = list_definition(kind)

    def all(self) -> Json:
        collection = f"{self.root}{self.scope}/{self.kind.plural}"
        found: Json = {collection: self._collection()}
        if {"get", "update", "patch", "delete"} & set(self.kind.verbs):
            found[collection + "/{name}"] = self._object()
        if "list" in self.kind.verbs and self.kind.namespaced:
            found[f"{self.root}/{self.kind.plural}"] = self._item(
                {"get": self._verb("list", self.listed, (), name="AllNamespaces", media=WATCH)}, LIST
            )
        if "watch" in self.kind.verbs:
            found.update(self._watches())
        for subresource in self.kind.subresources:
            found[f"{collection}/{{name}}/{subresource}"] = self._subresource(subresource)
        return found

    def _verb(self, verb: str, definition: str, options: tuple[str, ...], **more: Any) -> Json:
        return _operation(self.kind, self.dialect, verb, definition, options, **more)

    def _item(self, operations: Json, options: tuple[str, ...] = (), *named: str) -> Json:
        """A path item with the parameters that all its operations share."""
        texts = {
            "name": f"name of the {self.kind.kind}",
            "path": "path below it",
            "namespace": "object name and auth scope, such as for teams and projects",
        }
        shared = [self.dialect.parameter(name, "path", "string", texts[name]) for name in named]
        shared += [self.dialect.parameter(option, "query", *_TEXT[option]) for option in ("pretty", *options)]
        return {**operations, "parameters": shared}

    def _namespace(self) -> tuple[str, ...]:
        return ("namespace",) if self.kind.namespaced else ()

    def _collection(self) -> Json:
        verbs, own, operations = self.kind.verbs, self.kind.definition, {}
        if "list" in verbs:
            operations["get"] = self._verb("list", self.listed, LIST, media=WATCH)
        if "create" in verbs:
            operations["post"] = self._verb("create", own, CHANGE, body=own)
        if "deletecollection" in verbs:
            operations["delete"] = self._verb(
                "deletecollection", _META + "Status", (*LIST[1:7], *DELETE), body=_META + "DeleteOptions"
            )
        return self._item(operations, (), *self._namespace())

    def _object(self) -> Json:
        verbs, own, operations = self.kind.verbs, self.kind.definition, {}
        if "get" in verbs:
            operations["get"] = self._verb("get", own, ())
        if "update" in verbs:
            operations["put"] = self._verb("update", own, CHANGE, body=own)
        if "delete" in verbs:
            operations["delete"] = self._verb("delete", _META + "Status", DELETE, body=_META + "DeleteOptions")
        if "patch" in verbs:
            operations["patch"] = self._verb("patch", own, (*CHANGE, "force"), body=_META + "Patch")
        return self._item(operations, (), "name", *self._namespace())

    def _watches(self) -> Json:
        """The old way to watch, by path; still in every document."""
        watch = f"{self.root}/watch"
        event, plural = _META + "WatchEvent", self.kind.plural
        all_of = self._item({"get": self._verb("watchlist", event, (), media=WATCH)}, LIST)
        found: Json = {f"{watch}/{plural}": all_of}
        if self.kind.namespaced:
            found[f"{watch}{self.scope}/{plural}"] = self._item(
                {"get": self._verb("watchlist", event, (), name="Namespaced", media=WATCH)}, LIST, "namespace"
            )
        found[f"{watch}{self.scope}/{plural}/{{name}}"] = self._item(
            {"get": self._verb("watch", event, (), media=WATCH)}, LIST, "name", *self._namespace()
        )
        return found

    def _subresource(self, name: str) -> Json:
        definition, verbs = _SUBRESOURCES.get(name, (None, ("get", "patch", "update")))
        definition = self.kind.definition if definition is None else definition
        methods = {"get": "get", "create": "post", "update": "put", "patch": "patch", "delete": "delete"}
        operations = {}
        for verb in verbs:
            body = "" if verb == "get" or not definition else _META + "Patch" if verb == "patch" else definition
            options = {"get": (), "patch": (*CHANGE, "force")}.get(verb, CHANGE)
            # A client that asks whether a kind can be patched must not find its proxy: that is not the object itself.
            operations[methods[verb]] = self._verb(
                verb, definition, options if definition else (), body=body, name=name.capitalize(), gvk=bool(definition)
            )
        return self._item(operations, (), "name", *self._namespace())

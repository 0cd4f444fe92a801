"""Custom resource definitions: from a CRD object to kinds like any other.

`kinds(crd)` makes the kinds of a CRD's served versions, and registers their schemas with `kube.schema`; `Follower`
(in `cluster.customkinds`) does that for a registry as CRD objects come and go. `published` is what OpenAPI shows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from kube import conditions, schema
from kube.crd import columns, jsonpath, publishing, structural
from kube.crd.conversion import Converter
from kube.crd.strategy import CustomStrategy
from kube.objects import Json
from kube.registry import Kind, Scale, identity, version_rank
from kube.schema import definitions

_published: dict[str, tuple[str, Json, list[str]]] = {}
# In the order in which discovery lists them.
VERBS = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")


def kinds(crd: Json, converter: Converter | None = None) -> list[Kind]:
    """The kinds of the served versions of a CRD, the storage version first. `converter`: of one that has a webhook."""
    versions = [version for version in crd["spec"]["versions"] if version.get("served") or version.get("storage")]
    versions.sort(key=lambda version: not version.get("storage"))
    # A CRD that is being deleted takes no new objects.
    verbs = tuple(
        verb for verb in VERBS if verb != "create" or not conditions.is_true(crd.get("status"), "Terminating")
    )
    return [_kind(crd["spec"], version, verbs, converter) for version in versions if version.get("served")]


def forget(kind: Kind) -> None:
    """Drop what `kinds` remembered about a kind."""
    _published.pop(kind.definition, None)
    schema.remove_custom(kind.definition)


def published(kind: Kind, v2: bool = False) -> dict[str, Json]:
    """The OpenAPI schemas of a custom kind and its list, by definition name; none for a built-in kind."""
    if kind.definition not in _published:
        return {}
    _, custom, selectable = _published[kind.definition]
    return publishing.schemas(kind, custom, selectable, v2)


def published_mark(definition: str) -> str:
    """Changes when the published schema does; empty for built-in kinds."""
    return _published[definition][0] if definition in _published else ""


def _kind(spec: Json, version: Json, verbs: tuple[str, ...], converter: Converter | None) -> Kind:
    group, names, name = spec["group"], spec["names"], version["name"]
    definition = ".".join([*reversed(group.split(".")), name, names["kind"]])
    subresources = version.get("subresources") or {}
    scale = _scale(subresources.get("scale"))
    # Register the schema, and what OpenAPI shows of it.
    custom = _schema(version)
    selectable = [field["jsonPath"].lstrip(".") for field in version.get("selectableFields") or ()]
    shown = [custom, selectable, names, version.get("deprecated")]
    mark = hashlib.blake2b(orjson.dumps(shown), digest_size=8).hexdigest()
    _published[definition] = (mark, custom, selectable)
    definitions.put(definition, structural.type_of(custom, definition, root=True))
    schema.add_custom(definition, lambda obj: structural.prune(obj, custom))
    stored: Json = next(version for version in spec["versions"] if version.get("storage"))
    defaults = structural.with_defaults(_schema(stored))
    storage = f"{group}/{stored['name']}"
    reader = _Reader(f"{group}/{name}", custom, storage, defaults, converter)
    namespaced = spec["scope"] == "Namespaced"
    return Kind(
        group,
        name,
        names["kind"],
        names["plural"],
        namespaced,
        names.get("singular", ""),
        tuple(names.get("shortNames") or ()),
        tuple(names.get("categories") or ()),
        verbs=verbs,
        deprecation=_deprecation(spec, version) if version.get("deprecated") else "",
        subresources=tuple(part for part in ("status", "scale") if part in subresources),
        definition=definition,
        strategy=CustomStrategy(custom, "status" in subresources, namespaced, scale),
        columns=columns.columns(version),
        cells=columns.cells(version),
        fields=_fields(version),
        scale=scale,
        list_kind=names.get("listKind", ""),
        to_storage=identity if version is stored else _writer(custom, storage, converter),
        from_storage=reader,
        convert=reader.convert if converter else None,
        verbatim=defaults is None,
    )


def _scale(paths: Json | None) -> Scale | None:
    keys = ("specReplicasPath", "statusReplicasPath", "labelSelectorPath")
    return Scale(*((paths.get(key) or "").lstrip(".") for key in keys)) if paths is not None else None


def _schema(version: Json) -> Json:
    found: Json = (version.get("schema") or {}).get("openAPIV3Schema") or {"type": "object", structural.PRESERVE: True}
    return found


def _deprecation(spec: Json, version: Json) -> str:
    """The warning for every request to a deprecated version; names the newest one that is not, where there is one."""
    if version.get("deprecationWarning"):
        return str(version["deprecationWarning"])
    text = f"{spec['group']}/{version['name']} {spec['names']['kind']} is deprecated"
    others = sorted(
        (v["name"] for v in spec["versions"] if v.get("served") and not v.get("deprecated")), key=version_rank
    )
    return f"{text}; use {spec['group']}/{others[0]} {spec['names']['kind']}" if others else text


def _writer(custom: Json, storage: str, converter: Converter | None) -> Callable[[Json], Json]:
    """From a version to that in which objects are stored. A webhook sees the defaults of the version it reads."""

    def write(obj: Json) -> Json:
        if converter is not None:
            structural.default(obj, custom)
            return converter.convert(obj, storage)
        obj["apiVersion"] = storage
        return obj

    return write


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads a stored object in a version. It may have been stored in another one, or before its schema changed."""

    api_version: str
    custom: Json
    stored: str
    defaults: Json | None
    converter: Converter | None

    def __call__(self, obj: Json) -> Json:
        obj = self._with_defaults(obj)
        if self.converter is not None and obj["apiVersion"] != self.api_version:
            obj = self.converter.convert(obj, self.api_version)
        obj["apiVersion"] = self.api_version
        structural.prune_stored(obj, self.custom)
        return obj

    def convert(self, bodies: Sequence[bytes]) -> None:
        """Ask the webhook for many objects at once: each is read without another question then."""
        if self.converter is not None:
            self.converter.together((self._with_defaults(orjson.loads(body)) for body in bodies), self.api_version)

    def _with_defaults(self, obj: Json) -> Json:
        if self.defaults is not None and obj["apiVersion"] == self.stored:
            structural.default(obj, self.defaults)
        return obj


def _fields(version: Json) -> dict[str, Any]:
    def reader(path: str) -> Any:
        def read(obj: Json) -> str:
            found = jsonpath.find(obj, path)
            value = found[0] if found else ""
            return str(value).lower() if isinstance(value, bool) else str(value)

        return read

    return {field["jsonPath"].lstrip("."): reader(field["jsonPath"]) for field in version.get("selectableFields") or ()}

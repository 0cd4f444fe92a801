"""Metrics of custom resources, as a CustomResourceStateMetrics describes them: what each resource is, and what is told of it.

kind: CustomResourceStateMetrics
spec:
  resources:
  - groupVersionKind: {group: example.org, version: v1, kind: Foo}
    labelsFromPath: {name: [metadata, name]}
    metrics:
    - name: uptime
      help: Foo uptime
      each: {type: Gauge, gauge: {path: [status, uptime]}}
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kube import yamltext
from kube.objects import Json
from monitoring.objects import paths
from monitoring.objects.families import Families, Maker, Sample
from monitoring.objects.paths import Path, compiled, number
from monitoring.objects.selection import labels, sanitized

Labels = dict[str, str]
Each = Callable[[Any], Iterator[tuple[Labels, float]]]  # of what is at the path of a metric: its samples
PREFIX = "kube_customresource"
_RESOURCE = {
    "groupVersionKind",
    "resourcePlural",
    "metricNamePrefix",
    "commonLabels",
    "labelsFromPath",
    "metrics",
    "errorLogV",
}
_METRIC = {"name", "help", "each", "commonLabels", "labelsFromPath", "errorLogV"}
_EACH = {
    "gauge": {"path", "labelsFromPath", "labelFromKey", "valueFrom", "nilIsZero"},
    "info": {"path", "labelsFromPath", "labelFromKey"},
    "stateset": {"path", "labelsFromPath", "labelName", "list", "valueFrom"},
}


@dataclass(frozen=True, slots=True)
class Resource:
    """What is wanted of a kind. `version` and `kind` may be `*`: each that is served."""

    group: str
    version: str
    kind: str
    plural: str  # empty: as the server says
    described: Json

    def families(self, version: str, kind: str, plural: str) -> Families:
        """The families of one kind that is served. Raises ValueError."""
        families = Families(f"{self.group}/{version}" if self.group else version, plural)
        common = {"customresource_group": self.group, "customresource_version": version, "customresource_kind": kind}
        prefix = self.described.get("metricNamePrefix", PREFIX)
        makers: dict[str, tuple[str, list[Maker]]] = {}
        for at, metric in enumerate(self.described.get("metrics") or ()):
            name = sanitized("_".join(part for part in (prefix, metric["name"]) if part))
            _, known = makers.setdefault(name, (str(metric.get("help") or ""), []))
            known.append(_maker(self.described, metric, common, f"metrics[{at}]"))
        for name, (text, several) in makers.items():
            families.add(name, text.replace("\\", "\\\\").replace("\n", "\\n"), _together(several))
        return families


def parse(text: str) -> list[Resource]:
    """The resources that a configuration describes, in YAML. Raises ValueError, which says what is wrong where."""
    try:
        found = yamltext.parse(text.encode())
    except yamltext.YamlError as error:
        raise ValueError(f"not valid YAML: {error}") from error
    if not isinstance(found, dict) or found.get("kind") != "CustomResourceStateMetrics":
        raise ValueError("kind is not CustomResourceStateMetrics")
    listed = (found.get("spec") or {}).get("resources") if isinstance(found.get("spec") or {}, dict) else None
    if not isinstance(listed, list | None):
        raise ValueError("spec.resources is no list")
    return [_resource(described, f"spec.resources[{at}]") for at, described in enumerate(listed or ())]


def _resource(described: Any, where: str) -> Resource:
    _known(described, _RESOURCE, where)
    gvk = described.get("groupVersionKind")
    _known(gvk, {"group", "version", "kind"}, f"{where}.groupVersionKind")
    made = Resource(
        str(gvk.get("group") or ""),
        str(gvk.get("version") or "*"),
        str(gvk.get("kind") or "*"),
        str(described.get("resourcePlural") or ""),
        described,
    )
    for at, metric in enumerate(described.get("metrics") or ()):
        _known(metric, _METRIC, f"{where}.metrics[{at}]")
        if not metric.get("name"):
            raise ValueError(f"{where}.metrics[{at}].name is missing")
    try:
        made.families("v1", "Kind", "kinds")
    except ValueError as error:
        raise ValueError(f"{where}.{error}") from error
    return made


def _known(value: Any, fields: set[str], where: str) -> None:
    if not isinstance(value, dict):
        raise ValueError(f"{where} is no object")
    if unknown := sorted(set(value) - fields):
        raise ValueError(f"{where}.{unknown[0]} is unknown: there are {', '.join(sorted(fields))}")


def _together(makers: list[Maker]) -> Maker:
    def make(obj: Json) -> Iterator[Sample]:
        for each in makers:
            yield from each(obj)

    return make


def _maker(resource: Json, metric: Json, common: Labels, where: str) -> Maker:
    fixed = {**(resource.get("commonLabels") or {}), **common, **(metric.get("commonLabels") or {})}
    base = _compiled({**(resource.get("labelsFromPath") or {}), **(metric.get("labelsFromPath") or {})}, where)
    path, each = _each(metric.get("each"), f"{where}.each")

    def make(obj: Json) -> Iterator[Sample]:
        of_all = {**fixed, **_labels(base, obj)}
        for own, value in each(path(obj)):
            yield labels(**dict(sorted({**of_all, **own}.items())))[1:], value

    return make


def _each(described: Any, where: str) -> tuple[Path, Each]:
    """Where a metric looks, and the samples it makes of what is there."""
    if not isinstance(described, dict):
        raise ValueError(f"{where} is no object")
    kind = str(described.get("type") or "").lower()
    if kind not in _EACH:
        raise ValueError(f"{where}.type: unknown metric type {described.get('type')!r}: Gauge, Info or StateSet")
    about = next((value for key, value in described.items() if key.lower() == kind), None)
    if about is None:
        raise ValueError(f"{where}: expected {where}.{kind}")
    _known(about, _EACH[kind], f"{where}.{kind}")
    own = _compiled(about.get("labelsFromPath"), f"{where}.{kind}")
    made = {"gauge": _gauge, "info": _info, "stateset": _state_set}[kind](about, own)
    return compiled(about.get("path")), made


def _compiled(described: Mapping[str, Any] | None, where: str) -> dict[str, Path]:
    try:
        return {name: compiled(path) for name, path in (described or {}).items()}
    except ValueError as error:
        raise ValueError(f"{where}.labelsFromPath: {error}") from error


def _labels(found: dict[str, Path], obj: Any) -> Labels:
    """The labels that an object has at these paths. A name with `*` at an end takes all of a map; plain names win."""
    made: Labels = {}
    for name in sorted(found, key=lambda name: (not _is_star(name), name)):
        value = found[name](obj)
        if _is_star(name):
            prefix = name[:-1] if name.endswith("*") else ""
            pairs = value.items() if isinstance(value, dict) else ()
            made.update({sanitized(prefix + key): paths.text(each) for key, each in pairs})
        elif value is not None:
            made[sanitized(name)] = paths.text(value)
    return made


def _is_star(name: str) -> bool:
    return name.startswith("*") or name.endswith("*")


def _gauge(about: Json, own: dict[str, Path]) -> Each:
    steps, key_label, zero = about.get("valueFrom") or (), about.get("labelFromKey"), bool(about.get("nilIsZero"))
    value_from = compiled(steps)

    def value(item: Any) -> float | None:
        found = value_from(item)
        return (0 if zero else None) if found is None else _number(found)

    def keyed(found: dict[str, Any]) -> Iterator[tuple[Labels, float]]:
        for key, item in found.items():
            of_it = (0 if zero and item is None else _number(item)) if [key] == list(steps) else value(item)
            if of_it is not None:
                from_key = {key_label: key} if key and key_label else {}
                yield {**from_key, **_labels(own, item), **_labels(own, found)}, of_it

    def make(found: Any) -> Iterator[tuple[Labels, float]]:
        if isinstance(found, dict):
            yield from keyed(found)
            return
        for item in found if isinstance(found, list) else (found,):
            if (of_it := value(item)) is not None:
                yield _labels(own, item), of_it

    return make


def _number(found: Any) -> float | None:
    """A number; of what is none there is no sample."""
    try:
        return number(found)
    except ValueError:
        return None


def _info(about: Json, own: dict[str, Path]) -> Each:
    key_label = about.get("labelFromKey")

    def make(found: Any) -> Iterator[tuple[Labels, float]]:
        for item in found if isinstance(found, list) else (found,):
            if item is not None and (made := _labels(own, item)):
                yield made, 1
        for key, item in found.items() if isinstance(found, dict) else ():
            from_key = {key_label: key} if key and key_label else {}
            if made := {**from_key, **_labels(own, item)}:
                yield made, 1

    return make


def _state_set(about: Json, own: dict[str, Path]) -> Each:
    name, states, value_from = (
        str(about.get("labelName") or ""),
        about.get("list") or (),
        compiled(about.get("valueFrom")),
    )

    def make(found: Any) -> Iterator[tuple[Labels, float]]:
        for item in found if isinstance(found, list) else (found,):
            state = value_from(item)
            for each in states if isinstance(state, str) else ():
                yield {name: each, **_labels(own, item)}, each == state

    return make

"""Packing endpoints into EndpointSlices: at most 100 a slice, and as few slices written as possible."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from cluster.cache import Cache, Entry
from controllers.runtime import join_key
from kube.objects import Json

PortsKey = bytes  # the JSON of a slice's ports

LARGEST = 100
STORAGE = "endpointslices.discovery.k8s.io"
SERVICE_LABEL = "kubernetes.io/service-name"
MANAGER_LABEL = "endpointslice.kubernetes.io/managed-by"
TRIGGER = "endpoints.kubernetes.io/last-change-trigger-time"


def service_keys(manager: str) -> Callable[[Entry, Cache], Iterable[str]]:
    """Mapper: the Service that a slice of this manager belongs to."""

    def keys(entry: Entry, cache: Cache) -> Iterable[str]:
        if entry.labels.get(MANAGER_LABEL) == manager:
            yield join_key(entry.key.namespace, entry.labels.get(SERVICE_LABEL, ""))

    return keys


def of_service(cache: Cache, namespace: str, name: str, manager: str) -> list[Json]:
    """The slices that a manager keeps for a Service."""
    return [
        entry.object()
        for entry in cache.list(STORAGE, namespace)
        if not entry.meta.deletionTimestamp
        and entry.labels.get(SERVICE_LABEL) == name
        and entry.labels.get(MANAGER_LABEL) == manager
    ]


@dataclass
class Wanted:
    """What slices of one address family and set of ports must hold together."""

    family: str
    ports: list[Json]
    endpoints: list[Json] = field(default_factory=list)


@dataclass
class Changes:
    """Slices to write. `create` holds whole objects without a name, `update` whole objects, `delete` names."""

    create: list[Json] = field(default_factory=list)
    update: list[Json] = field(default_factory=list)
    delete: list[str] = field(default_factory=list)


def plan(wanted: Iterable[Wanted], existing: Iterable[Json], template: Json) -> Changes:
    """Changes that make `existing` slices hold what is `wanted`; `template` gives metadata of all of them.

    Endpoints stay in the slice they are in, so that a change of one writes one slice; new ones fill the fullest slices
    with room first.
    """
    changes = Changes()
    groups: dict[tuple[str, PortsKey], list[Json]] = {}
    for slice_ in existing:
        groups.setdefault((slice_.get("addressType", ""), _ports_key(slice_.get("ports") or [])), []).append(slice_)
    for group in wanted:
        _plan_group(group, groups.pop((group.family, _ports_key(group.ports)), []), template, changes)
    changes.delete += [slice_["metadata"]["name"] for left in groups.values() for slice_ in left]
    return changes


def _plan_group(wanted: Wanted, existing: list[Json], template: Json, changes: Changes) -> None:
    left = {_identity(endpoint): endpoint for endpoint in wanted.endpoints}
    held = [(slice_, _keep(slice_, left)) for slice_ in existing]
    for _, endpoints in sorted(held, key=lambda pair: -len(pair[1])):
        while left and len(endpoints) < LARGEST:
            endpoints.append(left.pop(next(iter(left))))
    kept = 0
    for slice_, endpoints in held:
        if not endpoints and (kept or any(other for _, other in held if other is not endpoints)):
            changes.delete.append(slice_["metadata"]["name"])
            continue
        kept += 1
        _update(slice_, endpoints, template, changes)
    rest = list(left.values())
    for start in range(0, len(rest), LARGEST):
        changes.create.append(_slice(wanted, rest[start : start + LARGEST], template))
    if not kept and not rest:
        changes.create.append(_slice(wanted, [], template))


def _keep(slice_: Json, left: dict[Any, Json]) -> list[Json]:
    """The wanted endpoints that the slice holds already, in their new form; they are taken from `left`."""
    kept = []
    for endpoint in slice_.get("endpoints") or []:
        found = left.pop(_identity(endpoint), None)
        if found is not None:
            kept.append(found)
    return kept


def _update(slice_: Json, endpoints: list[Json], template: Json, changes: Changes) -> None:
    meta = slice_["metadata"]
    same_meta = all(meta.get(name) == template.get(name) for name in ("labels", "ownerReferences")) and (
        _steady(meta.get("annotations")) == _steady(template.get("annotations"))
    )
    if same_meta and (slice_.get("endpoints") or []) == endpoints:
        return
    changes.update.append({**slice_, "metadata": {**meta, **template}, "endpoints": endpoints})


def _steady(annotations: Mapping[str, str] | None) -> Json:
    """Annotations without the trigger time, which is no reason to write."""
    return {name: value for name, value in (annotations or {}).items() if name != TRIGGER}


def _slice(wanted: Wanted, endpoints: list[Json], template: Json) -> Json:
    name = template["labels"][SERVICE_LABEL]
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"generateName": f"{name}-", **template},
        "addressType": wanted.family,
        "endpoints": endpoints,
        "ports": wanted.ports,
    }


def _ports_key(ports: list[Json]) -> PortsKey:
    return orjson.dumps(
        sorted(
            ({k: v for k, v in port.items() if v not in (None, "")} for port in ports),
            key=lambda p: (p.get("name", ""), p.get("port", 0), p.get("protocol", "")),
        ),
        option=orjson.OPT_SORT_KEYS,
    )


def _identity(endpoint: Json) -> tuple[str, ...]:
    target = endpoint.get("targetRef") or {}
    return (target.get("uid", ""), *endpoint["addresses"])


def write(session: Any, namespace: str, changes: Changes) -> None:
    """Carry changes out, each kind in one commit. Raises the first error that is not "gone already"."""
    results = []
    if changes.create:
        results += session.create_many([(STORAGE, namespace, obj) for obj in changes.create])
    if changes.update:
        results += session.update_many([(STORAGE, namespace, obj) for obj in changes.update])
    if changes.delete:
        results += session.delete_many([(STORAGE, namespace, name) for name in changes.delete])
    for result in results:
        if isinstance(result, Exception) and getattr(result, "code", 0) != 404:
            raise result

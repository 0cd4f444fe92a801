"""The document behind an object's page: the object (redacted), its family, what concerns it, and why it fails.

All reads come from the cache and are checked one kind at a time; what the user may not list is left out and counted.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson

from cluster.cache import Entry
from cluster.store import Key
from dashboard.access import Access
from dashboard.explain import explain_node, explain_pod
from dashboard.levels import BAD, PROGRESS, judge
from dashboard.overview import summary
from dashboard.rows import Rows
from kube.objects import Json
from kube.pods import podutil
from kube.redact.objects import redact
from kube.redact.text import clean as clean_text
from kube.registry import Kind

if TYPE_CHECKING:
    from kube.shapes import PodLike

MAX_TREE, MAX_EVENTS, MAX_RELATED, MAX_BODY, MAX_HISTORY, MAX_HISTORY_BYTES = (200, 100, 100, 1_500_000, 100, 4_000_000)


def document(access: Access, key: Key) -> Json | None:
    """Everything the page of `key` shows; None when there is no such object. The caller has checked the right to get."""
    source = access.source
    entry, kind = source.cache.get(key), source.kind(key.storage)
    if entry is None or kind is None:
        return None
    obj = clean(entry)
    level, reason = judge(key.storage, obj)
    events = events_about(access, entry, kind)
    rows = Rows(kind, source.cache)
    # Groups of related objects: `{"title", "items": [brief…], "total"}`.
    related, finder = [], _RELATED.get(key.storage)
    for title, entries in finder(access, entry, obj) if finder else ():
        seen = [e for e in entries if access.can_list(e.key.storage, e.key.namespace)]
        if seen:
            items = [brief(e, source.kind(e.key.storage)) for e in seen[:MAX_RELATED]]
            related.append({"title": title, "items": items, "total": len(seen)})
    found: Json = {
        "object": obj,
        "level": level,
        "reason": reason,
        "rev": entry.revision,
        "kind": kind.kind,
        "apiVersion": kind.api_version,
        "columns": [[column["name"], cell] for column, cell in zip(rows.columns, rows.cells(obj), strict=True)],
        "owners": _owners(access, entry),
        "children": _children(access, entry),
        "events": [summary(event) for event in events[:MAX_EVENTS]],
        "event_count": len(events),
        "related": related,
    }
    if key.storage == "pods":
        found["why"] = _why(access, obj, events)
        found["logs"] = access.can_read_log(key.namespace, key.name)
    elif key.storage == "nodes":
        found["why"] = explain_node(obj)
    elif level in (BAD, PROGRESS):
        found["cause"] = _cause(access, found["children"]["nodes"])
    return found


def _why(access: Access, pod: PodLike, events: list[Json]) -> list[Json]:
    key = Key("nodes", "", (pod.get("spec") or {}).get("nodeName") or "")
    node = access.source.cache.get(key) if access.can_get(key) else None
    return explain_pod(pod, events, time.time(), node.object() if node else None)


def _cause(access: Access, nodes: list[Json]) -> Json | None:
    """Why the first of the pods below an object fails: `{"pod": key, "why": findings}`. The worst stand first."""
    for node in nodes:
        key = Key(*node["key"])
        entry = access.source.cache.get(key)
        if key.storage == "pods" and node["level"] in (BAD, PROGRESS) and entry and access.can_get(key):
            kind = access.source.kind(key.storage)
            events = events_about(access, entry, kind) if kind else []
            if why := _why(access, clean(entry), events):
                return {"pod": list(key), "why": why}
        if below := _cause(access, node["children"]):
            return below
    return None


def clean(entry: Entry) -> Json:
    """An object as it may leave the server; a body beyond the bound is replaced by its metadata and a remark."""
    return _clean(entry.key.storage, entry.object(), len(entry.body))


def _clean(storage: str, obj: Json, size: int) -> Json:
    redact(storage, obj)
    if size <= MAX_BODY:
        return obj
    return {
        "apiVersion": obj.get("apiVersion"),
        "kind": obj.get("kind"),
        "metadata": obj["metadata"],
        "note": f"This object has {size} bytes, more than the {MAX_BODY} that are shown.",
    }


def brief(entry: Entry, kind: Kind | None) -> Json:
    """One object as a line of a tree."""
    obj = entry.object()
    level, reason = judge(entry.key.storage, obj)
    return {
        "key": list(entry.key),
        "kind": kind.kind if kind else entry.key.storage,
        "level": level,
        "reason": clean_text(reason)[:80],
        "created": entry.meta.creationTimestamp,
    }


def _owners(access: Access, entry: Entry) -> list[Json]:
    """The chain of controllers above, nearest first; an owner that is gone is named without a link."""
    source, chain, seen = access.source, list[Json](), {entry.key}
    while (owner := entry.controller or next(iter(entry.owners), None)) and len(chain) < 10:
        kind = source.registry.by_gvk(owner.apiVersion, owner.kind)
        key = Key(kind.storage, entry.key.namespace if kind.namespaced else "", owner.name) if kind else None
        above = source.cache.get(key) if key else None
        if key is None or above is None or above.meta.uid != owner.uid or key in seen or not access.can_get(key):
            chain.append({"key": None, "kind": owner.kind, "name": owner.name, "level": 4, "reason": ""})
            break
        chain.append(brief(above, kind))
        seen.add(key)
        entry = above
    return chain


def _children(access: Access, entry: Entry) -> Json:
    """The objects owned by this one, as a tree: `{"nodes": [{…, "children": [...]}], "hidden": n, "more": bool}`."""
    budget = [MAX_TREE]
    hidden = [0]

    def below(uid: str, depth: int) -> list[Json]:
        found = []
        for child in _worst_first(access.source.cache.by_owner(uid)):
            if not access.can_list(child.key.storage, child.key.namespace):
                hidden[0] += 1
                continue
            if budget[0] <= 0 or depth > 8:
                break
            budget[0] -= 1
            node = brief(child, access.source.kind(child.key.storage))
            node["children"] = below(child.meta.uid, depth + 1)
            found.append(node)
        return found

    nodes = below(entry.meta.uid, 0) if entry.meta.uid else []
    return {"nodes": nodes, "hidden": hidden[0], "more": budget[0] <= 0}


@lru_cache(maxsize=4_096)
def _level(entry: Entry) -> int:
    return judge(entry.key.storage, entry.object())[0]


def _worst_first(entries: Iterable[Entry]) -> list[Entry]:
    """What fails, what is on its way, and the others by name: of many only the first are shown."""
    return sorted(entries, key=lambda entry: ({BAD: 0, PROGRESS: 1}.get(_level(entry), 2), entry.key))


def events_about(access: Access, entry: Entry, kind: Kind) -> list[Json]:
    """The events about an object, newest first; none without the right to list events there."""
    where = entry.key.namespace or None
    if not access.can_list("events", entry.key.namespace or "default"):
        return []
    name, uid = entry.key.name.encode(), entry.meta.uid
    found = list[tuple[int, Json]]()
    for event in access.source.cache.list("events", where):
        # The bytes are searched first: decoding every event of a busy namespace would take long.
        if name in event.body:
            obj = event.object()
            about = obj.get("involvedObject") or {}
            named = about.get("name") == entry.key.name and about.get("kind") == kind.kind
            # Events about a node carry its name as uid, as the kubelet writes them.
            if named and (not about.get("uid") or not uid or about["uid"] in (uid, entry.key.name)):
                found.append((event.revision, obj))
    found.sort(key=lambda pair: (pair[1].get("lastTimestamp") or pair[1].get("eventTime") or "", pair[0]), reverse=True)
    return [redact("events", obj) for _, obj in found]


# -- what belongs together without an owner reference ------------------------------------------------------------------


def _of_service(access: Access, entry: Entry, obj: Json) -> Iterable[tuple[str, list[Entry]]]:
    cache, namespace = access.source.cache, entry.key.namespace
    selector = (obj.get("spec") or {}).get("selector")
    if selector:
        yield (
            "Pods that it selects",
            _worst_first(
                cache.select("pods", namespace, lambda labels: all(labels.get(k) == v for k, v in selector.items()))
            ),
        )
    yield (
        "Endpoint slices",
        cache.select(
            "endpointslices.discovery.k8s.io",
            namespace,
            lambda labels: labels.get("kubernetes.io/service-name") == entry.key.name,
        ),
    )
    endpoints = cache.get(Key("endpoints", namespace, entry.key.name))
    yield "Endpoints", [endpoints] if endpoints else []


def _of_pod(access: Access, entry: Entry, obj: Json) -> Iterable[tuple[str, list[Entry]]]:
    cache, spec, namespace = access.source.cache, obj.get("spec") or {}, entry.key.namespace
    node = cache.get(Key("nodes", "", spec.get("nodeName") or ""))
    yield "Node", [node] if node else []
    labels = entry.labels
    services = []
    for service in cache.list("services", namespace):
        selector = (service.object().get("spec") or {}).get("selector")
        if selector and all(labels.get(k) == v for k, v in selector.items()):
            services.append(service)
    yield "Services that select it", services
    account = cache.get(Key("serviceaccounts", namespace, spec.get("serviceAccountName") or ""))
    yield "Service account", [account] if account else []
    mounts = [Key(storage, namespace, name) for storage, name in sorted(_sources_of(spec))]
    yield "Configuration that it uses", [e for key in mounts if (e := cache.get(key))]


def _sources_of(spec: Json) -> set[tuple[str, str]]:
    """(storage, name) of the ConfigMaps, Secrets and claims that a pod spec names."""
    found: set[tuple[str, str]] = set()
    for volume in spec.get("volumes") or ():
        parts = [volume, *((volume.get("projected") or {}).get("sources") or ())]
        for part in parts:
            found.add(("configmaps", (part.get("configMap") or {}).get("name", "")))
            secret = part.get("secret") or {}
            found.add(("secrets", secret.get("secretName") or secret.get("name", "")))
        found.add(("persistentvolumeclaims", (volume.get("persistentVolumeClaim") or {}).get("claimName", "")))
    for container in podutil.all_containers(spec):
        for ref in [
            *(container.get("envFrom") or ()),
            *((e.get("valueFrom") or {}) for e in container.get("env") or ()),
        ]:
            found.add(("configmaps", (ref.get("configMapRef") or ref.get("configMapKeyRef") or {}).get("name", "")))
            found.add(("secrets", (ref.get("secretRef") or ref.get("secretKeyRef") or {}).get("name", "")))
    return {(storage, name) for storage, name in found if name}


def _users_of(access: Access, entry: Entry, obj: Json) -> Iterable[tuple[str, list[Entry]]]:
    name, wanted = entry.key.name.encode(), (entry.key.storage, entry.key.name)
    yield (
        "Pods that use it",
        [
            pod
            for pod in access.source.cache.list("pods", entry.key.namespace)
            if name in pod.body and wanted in _sources_of(pod.object().get("spec") or {})
        ],
    )


_RELATED: dict[str, Any] = {
    "services": _of_service,
    "nodes": lambda access, entry, obj: [
        ("Pods on this node", _worst_first(access.source.cache.by_node(entry.key.name)))
    ],
    "pods": _of_pod,
    "configmaps": _users_of,
    "secrets": _users_of,
    "persistentvolumeclaims": _users_of,
}


# -- history ---------------------------------------------------------------------------------------------------------


def history(access: Access, key: Key) -> list[Json]:
    """The changes of one object that the log still has, newest first, each with its redacted state. Blocking.

    Of large objects fewer are told: together they stay near `MAX_HISTORY_BYTES`, but there are always two to compare.
    """
    moments: list[Json] = []
    size = 0
    for change in access.source.log.of(key, MAX_HISTORY):
        size += len(change.body)
        if size > MAX_HISTORY_BYTES and len(moments) >= 2:
            break
        obj = _clean(change.key.storage, orjson.loads(change.body), len(change.body))
        managers = obj["metadata"].pop("managedFields", None) or []
        newest: Json = max(managers, key=lambda m: m.get("time") or "", default={})
        by = newest.get("manager") or ""
        moments.append({"rev": change.revision, "type": change.type, "at": change.at, "by": by, "object": obj})
    return moments

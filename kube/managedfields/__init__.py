"""Field management: who owns which field (`metadata.managedFields`), and server-side apply.

Ownership is tracked from an object's creation when a client names itself (`fieldManager`, or a User-Agent). Objects
made in-process are not tracked until somebody applies to them: what they hold then belongs to `before-first-apply`, as
in Kubernetes for objects older than field management. So the many writes of controllers cost nothing.

All functions are pure on JSON objects. `definition` is the kind's; objects need not be completed (`schema.fill`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from kube import clock
from kube.errors import ApiError
from kube.managedfields import created, sets, typed
from kube.managedfields.compare import applied, compare
from kube.managedfields.merge import merge, remove
from kube.managedfields.sets import Node
from kube.objects import Json
from kube.schema import definitions

BEFORE_APPLY = "before-first-apply"
ANCIENT = "ancient-changes"
MAX_UPDATERS = 10
_OWNED_BY_SERVER = frozenset(
    (
        "name",
        "namespace",
        "creationTimestamp",
        "selfLink",
        "uid",
        "clusterName",
        "generation",
        "managedFields",
        "resourceVersion",
    )
)
_NOT_OWNED = frozenset(("apiVersion", "kind"))
_NOT_OWNED_STATUS = _NOT_OWNED | {"status"}


@dataclass(frozen=True, slots=True)
class Writer:
    """Who writes, and how: `operation` is Apply or Update, `subresource` the part written (`status`) or empty."""

    manager: str
    api_version: str
    operation: str = "Update"
    subresource: str = ""

    def owns(self, entry: Json) -> bool:
        """Whether an entry of managedFields is this writer's."""
        same = (entry.get("manager", ""), entry.get("operation"), entry.get("subresource", ""))
        return same == (self.manager, self.operation, self.subresource) and (
            self.operation == "Apply" or entry.get("apiVersion") == self.api_version
        )


@dataclass(slots=True)
class _Managers:
    """The entries of an object while they change."""

    entries: list[Json] = field(default_factory=list)

    @classmethod
    def of(cls, obj: Json) -> _Managers:
        return cls([dict(entry) for entry in obj["metadata"].get("managedFields") or ()])

    def find(self, writer: Writer) -> Json | None:
        return next((entry for entry in self.entries if writer.owns(entry)), None)

    def union(self) -> Node | None:
        owned: Node | None = None
        for entry in self.entries:
            owned = sets.union(owned, entry.get("fieldsV1"))
        return owned

    def put(self, writer: Writer, fields: Node | None, now: str | None) -> None:
        """Set a writer's fields. The time changes with the fields; `now` None leaves it as it is."""
        entry = self.find(writer)
        if entry is None:
            entry = {
                "manager": writer.manager,
                "operation": writer.operation,
                "apiVersion": writer.api_version,
                "fieldsType": "FieldsV1",
                "fieldsV1": None,
                **({"subresource": writer.subresource} if writer.subresource else {}),
            }
            self.entries.append(entry)
        if now and entry["fieldsV1"] != fields:
            entry["time"] = now
        entry.update(fieldsV1=fields, apiVersion=writer.api_version)

    def yield_to(self, writer: Writer, changed: Node | None, removed: Node | None) -> None:
        """Take from all others what the writer changed or removed."""
        for entry in self.entries:
            if not writer.owns(entry):
                entry["fieldsV1"] = sets.difference(sets.difference(entry["fieldsV1"], changed), removed)

    def finished(self) -> list[Json]:
        """The entries to store: none without fields, sorted, not too many."""
        kept = [entry for entry in self.entries if entry["fieldsV1"]]
        return sorted(
            _capped(kept),
            key=lambda entry: (
                entry["operation"],
                entry.get("time", ""),
                entry.get("manager", ""),
                entry.get("apiVersion", ""),
                entry.get("subresource", ""),
            ),
        )


def _capped(entries: list[Json]) -> list[Json]:
    """At most MAX_UPDATERS entries of updates: the oldest of each version are merged into one, while there are too many."""
    updates = sorted(
        (e for e in entries if e["operation"] == "Update"), key=lambda e: (e.get("time", ""), e.get("manager", ""))
    )
    surplus, merged = len(updates) - MAX_UPDATERS, dict[str, Json]()
    for entry in updates:
        version = entry["apiVersion"]
        first = merged.get(version)
        if surplus <= 0:
            break
        if first is None:
            merged[version] = entry
            continue
        both = {**_ancient(version), "fieldsV1": sets.union(first["fieldsV1"], entry["fieldsV1"])}
        both["time"] = entry.get("time", "")
        entries = [both if e is first else e for e in entries if e is not entry]
        merged[version] = both
        surplus -= 1
    return entries


def _ancient(version: str) -> Json:
    return {"manager": ANCIENT, "operation": "Update", "apiVersion": version, "fieldsType": "FieldsV1"}


def tracked(obj: Json) -> bool:
    """Whether the object's fields have owners."""
    return bool(obj["metadata"].get("managedFields"))


def accepted(entries: Any) -> list[Json]:
    """The managedFields that a client sent, if they may stand for the object's own; else none."""
    if not isinstance(entries, list):
        return []
    valid = all(
        isinstance(entry, dict)
        and entry.get("operation") in ("Apply", "Update")
        and bool(entry.get("apiVersion"))
        and entry.get("fieldsType") == "FieldsV1"
        and isinstance(entry.get("fieldsV1"), dict)
        for entry in entries
    )
    return entries if valid else []


def update(old: Json | None, new: Json, writer: Writer, definition: str, has_status: bool, now: str = "") -> list[Json]:
    """The managedFields of `new` after an ordinary write over `old` (None: a creation)."""
    managers = _Managers.of(old) if old else _Managers()
    kind = definitions.get(definition)
    changed, removed = compare(kind, _bare(old or {}), _bare(new))
    changed, removed = _relevant(changed, writer, has_status), _relevant(removed, writer, has_status)
    if changed or removed:
        managers.yield_to(writer, changed, removed)
        entry = managers.find(writer)
        mine = sets.union(sets.difference(entry["fieldsV1"] if entry else None, removed), changed)
        managers.put(writer, mine, now or clock.now())
    return managers.finished()


def creation(new: Json, writer: Writer, definition: str, has_status: bool) -> list[Json]:
    """The managedFields of an object that is created: `update` over nothing, on the fast path."""
    fields = created.fields_of(definition, new, _NOT_OWNED_STATUS if has_status else _NOT_OWNED, _OWNED_BY_SERVER)
    if fields is None:
        return []
    return [
        {
            "manager": writer.manager,
            "operation": writer.operation,
            "apiVersion": writer.api_version,
            "fieldsType": "FieldsV1",
            "fieldsV1": fields,
            "time": clock.now(),
        }
    ]


def apply(
    live: Json | None,
    config: Json,
    writer: Writer,
    definition: str,
    has_status: bool,
    force: bool = False,
    now: str = "",
) -> Json:
    """The live object (None: it does not exist) with a configuration applied, managedFields included.

    Raises BadRequest where the configuration does not fit the type, 409 with the causes on conflicts.
    """
    kind = definitions.get(definition)
    name = config["metadata"].get("name", "")
    group = config["apiVersion"] if "/" in config["apiVersion"] else f"/{config['apiVersion']}"
    typed.check(kind, config, f"/{name}; {group}, Kind={config['kind']}")
    managers = _Managers.of(live) if live else _Managers()
    if live and not managers.entries:
        before = Writer(BEFORE_APPLY, config["apiVersion"])
        managers.entries = update(None, live, before, definition, has_status, now)
    before_entry = managers.find(writer)
    last = before_entry["fieldsV1"] if before_entry else None
    start = _bare(live or {})
    wanted = merge(kind, start, _bare(config))
    stamp = now or clock.now()
    mine = _relevant(applied(kind, _bare(config)), writer, has_status)
    managers.put(writer, mine, None)
    if last:
        wanted = remove(kind, wanted, last, managers.union())
    changed, removed = compare(kind, start, wanted)
    changed, removed = _relevant(changed, writer, has_status), _relevant(removed, writer, has_status)
    if not force:
        _check_conflicts(managers, writer, changed)
    managers.yield_to(writer, changed, removed)
    entry = managers.find(writer)
    if entry is not None and (changed or removed):
        entry["time"] = stamp
    return _whole(wanted, live, config, managers.finished())


def _whole(wanted: Json, live: Json | None, config: Json, entries: list[Json]) -> Json:
    """The result with the metadata that only the server writes."""
    meta = {
        **{key: value for key, value in ((live or config)["metadata"]).items() if key in _OWNED_BY_SERVER},
        **wanted.get("metadata", {}),
    }
    if live and config["metadata"].get("resourceVersion"):
        meta["resourceVersion"] = config["metadata"]["resourceVersion"]
    if live and config["metadata"].get("uid"):
        meta["uid"] = config["metadata"]["uid"]
    meta["managedFields"] = entries
    return {**wanted, "apiVersion": config["apiVersion"], "kind": config["kind"], "metadata": meta}


def _bare(obj: Json) -> Json:
    """The object without what nobody owns."""
    meta = {key: value for key, value in (obj.get("metadata") or {}).items() if key not in _OWNED_BY_SERVER}
    return {**{key: value for key, value in obj.items() if key not in _NOT_OWNED}, "metadata": meta}


def _relevant(fields: Node | None, writer: Writer, has_status: bool) -> Node | None:
    """The part of a set that a writer can own: the status through its subresource, the rest else."""
    fields = {key: node for key, node in (fields or {}).items() if node or key != "f:metadata"}
    if writer.subresource == "status":
        return sets.only(fields, "f:status", "f:metadata")
    return (sets.without(fields, "f:status") if has_status else fields) or None


def _check_conflicts(managers: _Managers, writer: Writer, changed: Node | None) -> None:
    causes = []
    for entry in managers.entries:
        if writer.owns(entry):
            continue
        message = f'conflict with "{entry.get("manager", "")}"'
        if entry.get("subresource"):
            message += f' with subresource "{entry["subresource"]}"'
        if entry["operation"] == "Update":
            message += f" using {entry['apiVersion']}"
        causes += [
            {"reason": "FieldManagerConflict", "message": message, "field": path}
            for path in sets.paths(sets.intersection(entry["fieldsV1"], changed))
        ]
    if not causes:
        return
    if len(causes) == 1:
        text = f"1 conflict: {causes[0]['message']}: {causes[0]['field']}"
    else:
        below: dict[str, list[str]] = {}  # the fields in conflict with each manager
        for cause in causes:
            below.setdefault(cause["message"].replace("conflict with", "conflicts with", 1), []).append(cause["field"])
        text = f"{len(causes)} conflicts: " + "\n".join(
            f"{message}:\n- " + "\n- ".join(found) for message, found in below.items()
        )
    raise ApiError(f"Apply failed with {text}", code=409, reason="Conflict", details={"causes": causes})

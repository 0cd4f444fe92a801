"""The names of a CRD: accepted unless another CRD of its group has them."""

from __future__ import annotations

from kube.crd import conditions
from kube.crd.conditions import is_true
from kube.objects import Json


def outdated(obj: Json) -> bool:
    """Whether the accepted names differ from the wanted ones."""
    return (obj.get("status") or {}).get("acceptedNames") != obj["spec"]["names"]


def accept(obj: Json, others: list[Json]) -> Json:
    """The CRD with its status: names accepted unless another CRD of the group has them."""
    names, status = obj["spec"]["names"], obj.setdefault("status", {})
    conflict = _conflict(obj, others)
    if conflict is None:
        status["acceptedNames"] = dict(names)
        conditions.put(status, "NamesAccepted", "True", "NoConflicts", "no conflicts found")
        conditions.put(status, "Established", "True", "InitialNamesAccepted", "the initial names have been accepted")
    else:
        conditions.put(status, "NamesAccepted", "False", *conflict)
        if not is_true(obj, "Established"):
            conditions.put(status, "Established", "False", "NotAccepted", "not all names are accepted")
    stored = next(version["name"] for version in obj["spec"]["versions"] if version.get("storage"))
    if stored not in (status.get("storedVersions") or ()):
        status["storedVersions"] = [*(status.get("storedVersions") or ()), stored]
    return obj


def _conflict(obj: Json, others: list[Json]) -> tuple[str, str] | None:
    """(reason, message) where another CRD of the same group holds one of the names."""
    names = obj["spec"]["names"]
    taken = [
        (other.get("status") or {}).get("acceptedNames") or {}
        for other in others
        if other["spec"]["group"] == obj["spec"]["group"]
    ]
    resources = {
        text
        for held in taken
        for text in (held.get("plural"), held.get("singular"), *(held.get("shortNames") or ()))
        if text
    }
    kinds = {text for held in taken for text in (held.get("kind"), held.get("listKind")) if text}
    for key, reason in (("plural", "PluralConflict"), ("singular", "SingularConflict")):
        if names.get(key) in resources:
            return reason, f'"{names[key]}" is already in use'
    for short in names.get("shortNames") or ():
        if short in resources:
            return "ShortNamesConflict", f'"{short}" is already in use'
    for key, reason in (("kind", "KindConflict"), ("listKind", "ListKindConflict")):
        if names.get(key) in kinds:
            return reason, f'"{names[key]}" is already in use'
    return None

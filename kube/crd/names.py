"""The names of a CRD: accepted unless another CRD of its group has them."""

from __future__ import annotations

from kube import conditions
from kube.crd import approval
from kube.objects import Json


def outdated(obj: Json) -> bool:
    """Whether the accepted names differ from the wanted ones, or what is told of the approval from what the CRD says."""
    status = obj.get("status") or {}
    if status.get("acceptedNames") != obj["spec"]["names"]:
        return True
    told = (conditions.find(status, approval.CONFORMANT) or {}).get("message")
    return approval.is_protected(obj["spec"]["group"]) and told != approval.judged(approval.text_of(obj))["message"]


def accept(obj: Json, others: list[Json]) -> Json:
    """The CRD with its status: names accepted unless another CRD of the group has them."""
    names, status = obj["spec"]["names"], obj.setdefault("status", {})
    conflict = _conflict(obj, others)
    if conflict is None:
        status["acceptedNames"] = dict(names)
        _put(status, "NamesAccepted", "True", "NoConflicts", "no conflicts found")
        _put(status, "Established", "True", "InitialNamesAccepted", "the initial names have been accepted")
    else:
        _put(status, "NamesAccepted", "False", *conflict)
        if not conditions.is_true(status, "Established"):
            _put(status, "Established", "False", "NotAccepted", "not all names are accepted")
    if approval.is_protected(obj["spec"]["group"]):
        conditions.update(status, approval.judged(approval.text_of(obj)))
    stored = next(version["name"] for version in obj["spec"]["versions"] if version.get("storage"))
    if stored not in (status.get("storedVersions") or ()):
        status["storedVersions"] = [*(status.get("storedVersions") or ()), stored]
    return obj


def _put(status: Json, type: str, value: str, reason: str, message: str) -> None:
    condition = {"type": type, "status": value, "reason": reason, "message": message}
    conditions.update(status, condition)


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

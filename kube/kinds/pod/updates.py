"""What of a pod may change: by an update, by its status, by its ephemeral containers, by a resize."""

from __future__ import annotations

from typing import Any

from kube.errors import FieldError, forbidden, invalid
from kube.ipaddresses import ip_address, ip_of
from kube.kinds.pod.validation import check_deadline
from kube.objects import Json
from kube.pods.qos import qos_class
from kube.pods.restarts import restarts
from kube.validation import check, check_unchanged, difference, dns1123_subdomain, qualified_name

_MUTABLE = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)
_RESIZABLE = "only cpu and memory resources are mutable"
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def check_spec_change(new: Json, old: Json) -> list[FieldError]:
    """An ordinary update: images, deadline, more tolerations, fewer gates; while gated also a narrower node choice."""
    for name in ("containers", "initContainers"):
        if len(new.get(name) or ()) != len(old.get(name) or ()):
            return [forbidden(f"spec.{name}", "pod updates may not add or remove containers")]
    if new == old:
        return []
    errors: list[FieldError] = []
    path, deadline, was = (
        "spec.activeDeadlineSeconds",
        new.get("activeDeadlineSeconds"),
        old.get("activeDeadlineSeconds"),
    )
    if deadline is None and was is not None:
        errors.append(invalid(path, None, "must not update from a positive integer to nil value"))
    elif deadline is not None:
        errors += check_deadline(deadline, path)
        if not errors and was is not None and deadline > was:
            errors.append(invalid(path, deadline, "must be less than or equal to previous value"))
    kept = [{**toleration, "tolerationSeconds": None} for toleration in new.get("tolerations") or ()]
    if any({**toleration, "tolerationSeconds": None} not in kept for toleration in old.get("tolerations") or ()):
        errors.append(
            forbidden("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds")
        )
    gates = {gate.get("name") for gate in old.get("schedulingGates") or ()}
    errors += [
        forbidden(
            f"spec.schedulingGates[{i}].name",
            f"only deletion is allowed, but found new scheduling gate '{gate.get('name')}'",
        )
        for i, gate in enumerate(new.get("schedulingGates") or ())
        if gate.get("name") not in gates
    ]
    rest = _with_old(new, old)
    if old.get("schedulingGates"):
        errors += _check_gated(new, old)
        for name in ("nodeSelector", "affinity"):
            _put(rest, name, _narrowed(new, old, name))
    if rest != old:
        errors.append(forbidden("spec", _MUTABLE + difference(rest, old)))
    return errors


def _put(spec: Json, name: str, value: Any) -> None:
    if value is None:
        spec.pop(name, None)
    else:
        spec[name] = value


def _with_old(new: Json, old: Json) -> Json:
    """The new spec with the fields that may change as they were."""
    rest = dict(new)
    for name in ("containers", "initContainers"):
        if name in rest:
            rest[name] = [
                {**container, "image": before.get("image")}
                for container, before in zip(rest[name] or [], old.get(name) or [], strict=True)
            ]
    for name in ("activeDeadlineSeconds", "tolerations", "schedulingGates"):
        _put(rest, name, old.get(name))
    if old.get("terminationGracePeriodSeconds", 0) < 0 and rest.get("terminationGracePeriodSeconds") == 1:
        rest["terminationGracePeriodSeconds"] = old["terminationGracePeriodSeconds"]
    return rest


def _check_gated(new: Json, old: Json) -> list[FieldError]:
    """Where a gated pod may run: the choice may become narrower, never wider."""
    selector, before = new.get("nodeSelector") or {}, old.get("nodeSelector") or {}
    errors: list[FieldError] = []
    if any(selector.get(key) != value for key, value in before.items()):
        errors.append(
            invalid(
                "spec.nodeSelector",
                selector,
                "only additions to spec.nodeSelector are allowed (no mutations or deletions)",
            )
        )
    path = "spec.affinity.nodeAffinity"
    required, was = _required_terms(new), _required_terms(old)
    if was is not None and required is None:
        at = f"{path}.{_REQUIRED}.nodeSelectorTerms"
        return [*errors, invalid(at, None, "no updates to nil required node affinity are allowed")]
    if not was or required is None or required == was:
        return errors
    path = f"{path}.{_REQUIRED}.nodeSelectorTerms"
    if len(required) != len(was):
        text = "no additions/deletions to non-empty NodeSelectorTerms list are allowed"
        return [*errors, invalid(path, required, text)]
    for i, (term, before_term) in enumerate(zip(required, was, strict=True)):
        empty = not before_term.get("matchExpressions") and not before_term.get("matchFields")
        for name in ("matchExpressions", "matchFields"):
            earlier, now = before_term.get(name) or [], term.get(name) or []
            if now[: len(earlier)] != earlier or (empty and now):
                errors.append(invalid(f"{path}[{i}]", term, "only additions are allowed (no mutations or deletions)"))
    return errors


def _required_terms(spec: Json) -> list[Json] | None:
    selector = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get(_REQUIRED)
    return selector.get("nodeSelectorTerms") or [] if selector else None


def _narrowed(new: Json, old: Json, name: str) -> Any:
    """A field that a gated pod may narrow, as it was; what of it may not change at all stays as it is now."""
    if name == "nodeSelector":
        return old.get(name)
    affinity, before = new.get(name), old.get(name)
    if not affinity:
        return affinity
    merged = {**affinity, "nodeAffinity": (before or {}).get("nodeAffinity")}
    return {key: value for key, value in merged.items() if value is not None} or before


def check_status_change(obj: Json, old: Json) -> list[FieldError]:
    """A write of `/status`: addresses, names, and containers that ended for good."""
    status, before = obj.get("status") or {}, old.get("status") or {}
    errors: list[FieldError] = []
    if node := status.get("nominatedNodeName"):
        errors += check("status.nominatedNodeName", node, dns1123_subdomain)
    for i, condition in enumerate(status.get("conditions") or ()):
        errors += check(f"status.conditions[{i}].Type", condition.get("type", ""), qualified_name)
    if before.get("qosClass") and status.get("qosClass") != before["qosClass"]:
        errors += check_unchanged("status.qosClass", status.get("qosClass"), before["qosClass"])
    errors += _check_addresses(status, "podIPs") + _check_addresses(status, "hostIPs")
    # A container that may not be restarted stays terminated.
    was = {
        item.get("name"): (item.get("state") or {}).get("terminated") for item in before.get("containerStatuses") or ()
    }
    containers = {container["name"]: container for container in obj["spec"].get("containers") or ()}
    for i, item in enumerate(status.get("containerStatuses") or ()):
        ended = was.get(item.get("name"))
        if ended is None or restarts(obj["spec"], containers.get(item["name"]) or {}, ended.get("exitCode") or 0):
            continue
        if (item.get("state") or {}).get("terminated") is None:
            path = f"status.containerStatuses[{i}].state"
            errors.append(forbidden(path, "may not be transitioned to non-terminated state"))
    return errors


def _check_addresses(status: Json, name: str) -> list[FieldError]:
    listed = [item.get("ip", "") for item in status.get(name) or ()]
    errors = [error for i, ip in enumerate(listed) for error in check(f"status.{name}[{i}]", ip, ip_address)]
    families = [address.version for ip in listed if (address := ip_of(ip))]
    if not errors and len(families) > len(set(families)):
        errors.append(
            invalid(
                f"status.{name}", [{"IP": ip} for ip in listed], "may specify no more than one IP for each IP family"
            )
        )
    return errors


def check_ephemeral_change(new: Json, old: Json) -> list[FieldError]:
    """Ephemeral containers may only be added."""
    path, now = "spec.ephemeralContainers", {item.get("name"): item for item in new.get("ephemeralContainers") or ()}
    errors: list[FieldError] = []
    for container in old.get("ephemeralContainers") or ():
        name = container.get("name")
        if name not in now:
            errors.append(forbidden(path, f'existing ephemeral containers "{name}" may not be removed\n'))
        elif now[name] != container:
            errors.append(
                forbidden(
                    path,
                    f'existing ephemeral containers "{name}" may not be changed' + difference(now[name], container),
                )
            )
    return errors


def resized(old: Json, new: Json) -> Json:
    """The old spec with resources and resize policies of the new one."""
    spec = dict(old)
    for name in ("containers", "initContainers"):
        if old.get(name):
            wanted = {item.get("name"): item for item in new.get(name) or ()}
            spec[name] = [dict(item) for item in old[name]]
            for item in spec[name]:
                if (found := wanted.get(item.get("name"))) is not None:
                    for field in ("resources", "resizePolicy"):
                        _put(item, field, found.get(field))
    _put(spec, "resources", new.get("resources"))
    return spec


def check_resize(spec: Json, old: Json) -> list[FieldError]:
    """A resize changes cpu and memory only, takes none of what was stated away, and keeps the class of the pod."""
    if spec == old["spec"]:
        return []
    errors: list[FieldError] = []
    quality = (old.get("status") or {}).get("qosClass") or qos_class(old["spec"])
    if (now := qos_class(spec)) != quality:
        errors.append(invalid("spec", now, "Pod QOS Class may not change as a result of resizing"))
    fixed = False
    for name in ("containers", "initContainers"):
        for i, (new, before) in enumerate(zip(spec.get(name) or (), old["spec"].get(name) or (), strict=True)):
            errors += _removed(new, before, f"spec.{name}[{i}].resources")
            fixed = fixed or _fixed(new) != _fixed(before)
    return errors or ([forbidden("spec", _RESIZABLE)] if fixed else [])


def _removed(new: Json, old: Json, path: str) -> list[FieldError]:
    now, before = new.get("resources") or {}, old.get("resources") or {}
    return [
        forbidden(f"{path}.{which}", f"resource {which} cannot be removed")
        for which in ("requests", "limits")
        if any(name in ("cpu", "memory") and name not in (now.get(which) or {}) for name in before.get(which) or ())
    ]


def _fixed(container: Json) -> list[Any]:
    resources = container.get("resources") or {}
    return [
        container.get("resizePolicy"),
        resources.get("claims"),
        *(
            {key: value for key, value in (resources.get(which) or {}).items() if key not in ("cpu", "memory")}
            for which in ("limits", "requests")
        ),
    ]

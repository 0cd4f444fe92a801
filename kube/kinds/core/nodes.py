"""Node: a machine of the cluster."""

from __future__ import annotations

from typing import Any

from kube import columns as c
from kube import conditions
from kube.errors import FieldError, duplicate, forbidden, invalid, required
from kube.ipaddresses import cidr
from kube.kinds.core.base import ClusterScoped
from kube.kinds.pod.validation_scheduling import TAINT_EFFECTS
from kube.objects import Json
from kube.registry import Context, Kind
from kube.resourcelist import canonical_list, check_amount, check_name
from kube.validation import check, check_choice, label_value, qualified_name

_ROLE_PREFIX, _ROLE_LABEL = "node-role.kubernetes.io/", "kubernetes.io/role"


class NodeStrategy(ClusterScoped):
    status = True

    def default(self, obj: Json) -> None:
        """`podCIDR` is the first of `podCIDRs`; what is allocatable defaults to the capacity."""
        spec = obj.setdefault("spec", {})
        spec.pop("configSource", None)  # of a feature that is gone
        ranges, first = spec.get("podCIDRs"), spec.get("podCIDR")
        if first and (not ranges or ranges[0] != first):  # what the two say differently, the one decides
            spec["podCIDRs"] = [first]
        elif ranges:
            spec["podCIDR"] = ranges[0]
        status = obj.get("status") or {}
        for name in ("capacity", "allocatable"):
            canonical_list(status.get(name))
        if status.get("capacity") and status.get("allocatable") is None:
            status["allocatable"] = dict(status["capacity"])

    def prepare_create(self, obj: Json, ctx: Context) -> None:
        """A node registers with its status."""

    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        errors: list[FieldError] = []
        seen: set[tuple[str, str]] = set()
        for i, taint in enumerate(obj["spec"].get("taints") or ()):
            # Kubernetes reports taints below `metadata`, although they stand in the spec.
            path, key, effect = f"metadata.taints[{i}]", taint.get("key", ""), taint.get("effect", "")
            value = taint.get("value", "")
            errors += check(f"{path}.key", key, qualified_name)
            errors += check(f"{path}.value", value, label_value)
            errors += check_choice(f"{path}.effect", effect, TAINT_EFFECTS) if effect else [required(f"{path}.effect")]
            if (key, effect) in seen:
                shown = {"Key": key, "Value": value, "Effect": effect, "TimeAdded": taint.get("timeAdded")}
                errors.append(duplicate(path, shown))
            seen.add((key, effect))
        ranges = obj["spec"].get("podCIDRs") or []
        wrong = [error for i, text in enumerate(ranges) for error in check(f"spec.podCIDRs[{i}]", text, cidr)]
        families = [":" in text for text in ranges]
        if not wrong and len(families) > len(set(families)):
            wrong = [invalid("spec.podCIDRs", ranges, "may specify no more than one CIDR for each IP family")]
        return errors + wrong

    def check_change(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        new, before = obj["spec"], old.get("spec") or {}
        errors = []
        if new.get("externalID") and new["externalID"] != before.get("externalID"):
            errors.append(forbidden("spec.externalID", "may not be updated"))
        return errors + [
            forbidden(f"spec.{field}", f'node updates may not change {name} except from "" to valid')
            for field, name in (("podCIDRs", "podCIDR"), ("providerID", "providerID"))
            if before.get(field) and new.get(field) != before[field]
        ]

    def check_status(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        status = obj.get("status") or {}
        errors: list[FieldError] = []
        for which in ("capacity", "allocatable"):
            for name, value in (status.get(which) or {}).items():
                errors += check_name(f"status.{which}[{name}]", name)
                errors += check_amount(f"status.{which}[{name}]", name, value)
        seen: set[tuple[Any, Any]] = set()
        for i, address in enumerate(status.get("addresses") or ()):
            key = (address.get("type"), address.get("address"))
            if key in seen:
                errors.append(duplicate(f"status.addresses[{i}]", address))
            seen.add(key)
        return errors


def roles(obj: Json) -> list[str]:
    """The roles that a node's labels give it, sorted."""
    found = set()
    for key, value in (obj["metadata"].get("labels") or {}).items():
        if key.startswith(_ROLE_PREFIX) and len(key) > len(_ROLE_PREFIX):
            found.add(key[len(_ROLE_PREFIX) :])
        elif key == _ROLE_LABEL and value:
            found.add(value)
    return sorted(found)


def _address(obj: Json, kind: str) -> str:
    for address in (obj.get("status") or {}).get("addresses") or ():
        if address.get("type") == kind:
            found: str = address.get("address", "")
            return found
    return c.NONE


def _cells(obj: Json, now: float) -> list[Any]:
    info = (obj.get("status") or {}).get("nodeInfo") or {}
    ready = conditions.find(obj.get("status"), "Ready")
    state = "Unknown" if ready is None else "Ready" if ready.get("status") == "True" else "NotReady"
    if (obj.get("spec") or {}).get("unschedulable"):
        state += ",SchedulingDisabled"
    kernel, machine = info.get("kernelVersion"), info.get("architecture")
    return [
        obj["metadata"]["name"],
        state,
        ",".join(roles(obj)) or c.NONE,
        c.age(obj, now),
        info.get("kubeletVersion", ""),
        _address(obj, "InternalIP"),
        _address(obj, "ExternalIP"),
        info.get("osImage") or c.UNKNOWN,
        f"{kernel} ({machine})" if kernel and machine else kernel or c.UNKNOWN,
        info.get("containerRuntimeVersion") or c.UNKNOWN,
    ]


KINDS = (
    Kind(
        "",
        "v1",
        "Node",
        "nodes",
        namespaced=False,
        short_names=("no",),
        subresources=("proxy", "status"),
        definition="io.k8s.api.core.v1.Node",
        strategy=NodeStrategy(),
        cells=_cells,
        fields={"spec.unschedulable": lambda obj: "true" if (obj.get("spec") or {}).get("unschedulable") else "false"},
        columns=(
            c.NAME,
            c.column("Status", description="Ready or not, and whether pods are scheduled to it."),
            c.column("Roles", description="What the node's labels say it is for."),
            c.AGE,
            c.column("Version", description="Version of its kubelet."),
            c.column("Internal-IP", description="Its address within the cluster.", wide=True),
            c.column("External-IP", description="Its address from outside.", wide=True),
            c.column("OS-Image", description="The operating system it reports.", wide=True),
            c.column("Kernel-Version", description="The kernel it reports.", wide=True),
            c.column("Container-Runtime", description="The runtime it reports, with version.", wide=True),
        ),
    ),
)

"""Pod: how it is made, what of it may change, and its subresources.

The rules for the spec itself are in `kube.kinds.pod.validation`, those for changes in `updates`, the printed cells
in `cells`.
"""

from __future__ import annotations

from typing import Any

from kube import clock, selectors
from kube.errors import FieldError, forbidden, required
from kube.kinds.core.base import CoreStrategy
from kube.kinds.pod import cells, updates
from kube.kinds.pod.defaults import default_pod
from kube.kinds.pod.labelkeys import merge_label_keys
from kube.kinds.pod.validation import validate_pod_spec
from kube.kinds.pod.warnings import pod_warnings
from kube.objects import Json
from kube.pods.qos import qos_class
from kube.registry import Context, Kind, keep

_GATED = "Scheduling is blocked due to non-empty scheduling gates"


class PodStrategy(CoreStrategy):
    status = True
    generation = True

    def default(self, obj: Json) -> None:
        default_pod(obj)
        if status := obj.get("status"):
            # `podIP` is the first of `podIPs`, `hostIP` the first of `hostIPs`, whichever of the two was given.
            for one, many in (("podIP", "podIPs"), ("hostIP", "hostIPs")):
                if listed := status.get(many):
                    if not status.get(one) or one == "podIP":
                        status[one] = listed[0].get("ip", "")
                elif status.get(one):
                    status[many] = [{"ip": status[one]}]

    def prepare_create(self, obj: Json, ctx: Context) -> None:
        spec = obj["spec"]
        obj["metadata"]["generation"] = 1
        merge_label_keys(spec, obj["metadata"].get("labels") or {})
        obj["status"] = {"phase": "Pending", "qosClass": qos_class(spec)}
        if spec["terminationGracePeriodSeconds"] < 0:
            spec["terminationGracePeriodSeconds"] = 1
        if spec.get("schedulingGates"):
            obj["status"]["conditions"] = [
                {
                    "type": "PodScheduled",
                    "status": "False",
                    "reason": "SchedulingGated",
                    "message": _GATED,
                    "lastTransitionTime": clock.now(),
                }
            ]

    def prepare_update(self, obj: Json, old: Json, ctx: Context) -> None:
        super().prepare_update(obj, old, ctx)
        if obj["spec"].get("terminationGracePeriodSeconds", 0) < 0:
            obj["spec"]["terminationGracePeriodSeconds"] = 1

    def prepare_status_update(self, obj: Json, old: Json, ctx: Context) -> None:
        super().prepare_status_update(obj, old, ctx)
        keep(obj["metadata"], old["metadata"], "ownerReferences")
        status = obj.setdefault("status", {})
        if not status.get("qosClass"):
            status["qosClass"] = (old.get("status") or {}).get("qosClass") or qos_class(old["spec"])

    def prepare_ephemeralcontainers_update(self, obj: Json, old: Json, ctx: Context) -> None:
        """Only the ephemeral containers of the new object count."""
        containers = obj["spec"].get("ephemeralContainers")
        _take_old(obj, old)
        obj["spec"] = dict(old["spec"])
        if containers:
            obj["spec"]["ephemeralContainers"] = containers
        else:
            obj["spec"].pop("ephemeralContainers", None)
        _raise_generation(obj, old)

    def prepare_resize_update(self, obj: Json, old: Json, ctx: Context) -> None:
        """Only resources and resize policies of the containers count."""
        spec = updates.resized(old["spec"], obj["spec"])
        _take_old(obj, old)
        obj["spec"] = spec
        _raise_generation(obj, old)

    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        if errors := validate_pod_spec(obj["spec"], "spec"):
            return errors
        for i, volume in enumerate(obj["spec"].get("volumes") or ()):  # a template may leave the image open
            if (image := volume.get("image")) is not None and not image.get("reference"):
                errors.append(required(f"spec.volumes[{i}].image.reference"))
        return errors

    def validate(self, obj: Json, ctx: Context) -> list[FieldError]:
        errors = super().validate(obj, ctx)
        spec = obj["spec"]
        if spec.get("ephemeralContainers"):
            errors.append(forbidden("spec.ephemeralContainers", "cannot be set on create"))
        if spec.get("nodeName") and spec.get("schedulingGates"):
            errors.append(forbidden("spec.nodeName", "cannot be set until all schedulingGates have been cleared"))
        return errors

    def check_change(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        return updates.check_spec_change(obj["spec"], old["spec"])

    def check_status(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        return updates.check_status_change(obj, old)

    def validate_ephemeralcontainers_update(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        errors = updates.check_ephemeral_change(obj["spec"], old["spec"])
        return errors + self.check_object(obj, ctx)

    def validate_resize_update(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        return self.check_object(obj, ctx) or updates.check_resize(obj["spec"], old)

    def warnings(self, obj: Json, old: Json | None, ctx: Context) -> list[str]:
        return pod_warnings(obj) if old is None else []


def _take_old(obj: Json, old: Json) -> None:
    revision = obj["metadata"].get("resourceVersion")
    obj["metadata"] = dict(old["metadata"])
    if revision is not None:
        obj["metadata"]["resourceVersion"] = revision
    keep(obj, old, "status")


def _raise_generation(obj: Json, old: Json) -> None:
    if obj["spec"] != old["spec"]:
        obj["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1


def _host_network(obj: Json) -> str:
    return "true" if (obj.get("spec") or {}).get("hostNetwork") else "false"


def _ip(obj: Json) -> str:
    addresses = (obj.get("status") or {}).get("podIPs")
    return addresses[0].get("ip", "") if addresses else ""


FIELDS: dict[str, Any] = {
    "spec.nodeName": selectors.field("spec", "nodeName"),
    "spec.restartPolicy": selectors.field("spec", "restartPolicy"),
    "spec.schedulerName": selectors.field("spec", "schedulerName"),
    "spec.serviceAccountName": selectors.field("spec", "serviceAccountName"),
    "spec.hostNetwork": _host_network,
    "status.phase": selectors.field("status", "phase"),
    "status.podIP": _ip,
    "status.podIPs": _ip,
    "status.nominatedNodeName": selectors.field("status", "nominatedNodeName"),
}

KINDS = (
    Kind(
        "",
        "v1",
        "Pod",
        "pods",
        short_names=("po",),
        categories=("all",),
        definition="io.k8s.api.core.v1.Pod",
        subresources=(
            "attach",
            "binding",
            "ephemeralcontainers",
            "eviction",
            "exec",
            "log",
            "portforward",
            "proxy",
            "resize",
            "status",
        ),
        strategy=PodStrategy(),
        cells=cells.cells,
        columns=cells.COLUMNS,
        fields=FIELDS,
    ),
)

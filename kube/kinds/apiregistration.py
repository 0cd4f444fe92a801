"""apiregistration.k8s.io/v1: APIService."""

from __future__ import annotations

import base64
from typing import Any

from kube import columns as c
from kube import conditions
from kube.errors import FieldError, invalid, required
from kube.kinds.rbac import path_segment
from kube.objectmeta import ObjectStrategy
from kube.objects import Json
from kube.registry import Context, Kind, keep, register
from kube.validation import check, dns1035_label, dns1123_subdomain


class APIServiceStrategy(ObjectStrategy):
    namespaced = False
    status = True
    name_check = staticmethod(path_segment)

    def default(self, obj: Json) -> None:
        service = obj.setdefault("spec", {}).get("service")
        if service is not None:
            service.setdefault("port", 443)

    def prepare_create(self, obj: Json, ctx: Context) -> None:
        # What this server answers itself is always available: nobody has to look.
        obj["status"] = (
            {}
            if obj["spec"].get("service")
            else {
                "conditions": [
                    {
                        "type": "Available",
                        "status": "True",
                        "reason": "Local",
                        "lastTransitionTime": obj["metadata"]["creationTimestamp"],
                        "message": "Local APIServices are always available",
                    }
                ]
            }
        )

    def prepare_status_update(self, obj: Json, old: Json, ctx: Context) -> None:
        super().prepare_status_update(obj, old, ctx)
        for name in ("labels", "annotations", "finalizers", "ownerReferences"):
            keep(obj["metadata"], old["metadata"], name)

    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        spec = obj["spec"]
        group, version = spec.get("group") or "", spec.get("version") or ""
        errors: list[FieldError] = []
        if obj["metadata"].get("name") != f"{version}.{group}":
            errors.append(
                invalid(
                    "metadata.name",
                    obj["metadata"].get("name"),
                    f'must be `spec.version+"."+spec.group`: "{version}.{group}"',
                )
            )
        if not group and version != "v1":
            errors.append(required("spec.group", "only v1 may have an empty group and it better be legacy kube"))
        if group:
            errors += check("spec.group", group, dns1123_subdomain)
        errors += check("spec.version", version, dns1035_label)
        for name, limit in (("groupPriorityMinimum", 20000), ("versionPriority", 1000)):
            value = spec.get(name) or 0
            if not 0 < value <= limit:
                errors.append(invalid(f"spec.{name}", value, f"must be positive and less than {limit}"))
        if (service := spec.get("service")) is None:
            bundle = base64.b64decode(spec.get("caBundle") or "")
            if bundle:
                message = "local APIServices may not have a caBundle"
                errors.append(invalid("spec.caBundle", f"{len(bundle)} bytes", message))
            if spec.get("insecureSkipTLSVerify"):
                message = "local APIServices may not have insecureSkipTLSVerify"
                errors.append(invalid("spec.insecureSkipTLSVerify", True, message))
            return errors
        errors += [required(f"spec.service.{name}") for name in ("namespace", "name") if not service.get(name)]
        if not 1 <= service["port"] <= 65535:
            message = "port is not valid: must be between 1 and 65535, inclusive"
            errors.append(invalid("spec.service.port", service["port"], message))
        if spec.get("insecureSkipTLSVerify") and spec.get("caBundle"):
            errors.append(invalid("spec.insecureSkipTLSVerify", True, "may not be true if caBundle is present"))
        return errors


def cells(obj: Json, now: float) -> list[Any]:
    service = (obj.get("spec") or {}).get("service")
    name = f"{service.get('namespace', '')}/{service.get('name', '')}" if service else "Local"
    found, state = conditions.find(obj.get("status"), "Available"), "Unknown"
    if found:
        state = "True" if found.get("status") == "True" else f"{found.get('status')} ({found.get('reason')})"
    return [obj["metadata"]["name"], name, state, c.age(obj, now)]


register(
    Kind(
        "apiregistration.k8s.io",
        "v1",
        "APIService",
        "apiservices",
        namespaced=False,
        categories=("api-extensions",),
        subresources=("status",),
        strategy=APIServiceStrategy(),
        cells=cells,
        definition="io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIService",
        columns=(
            c.NAME,
            c.column("Service", description="The service that answers for this group, Local for this server."),
            c.column("Available", description="Whether this service is available."),
            c.AGE,
        ),
    )
)

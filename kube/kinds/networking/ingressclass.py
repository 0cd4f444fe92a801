"""IngressClass."""

from __future__ import annotations

from typing import Any

from kube import columns as c
from kube.errors import FieldError, forbidden, required, too_long
from kube.kinds.rbac import path_segment
from kube.objectmeta import ObjectStrategy
from kube.objects import Json
from kube.registry import Context, Kind
from kube.validation import (
    check,
    check_choice,
    check_domain_path,
    check_required,
    check_unchanged,
    dns1123_label,
    dns1123_subdomain,
)

CONTROLLER_LIMIT = 250
SCOPES = ("Cluster", "Namespace")


class IngressClassStrategy(ObjectStrategy):
    namespaced = False
    generation = True

    def default(self, obj: Json) -> None:
        parameters = obj.setdefault("spec", {}).get("parameters")
        if parameters is not None:
            parameters.setdefault("scope", "Cluster")

    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        spec = obj["spec"]
        controller = spec.get("controller") or ""
        errors: list[FieldError] = []
        if not controller:
            errors.append(required("spec.controller"))
        else:
            if len(controller) > CONTROLLER_LIMIT:
                errors.append(too_long("spec.controller", controller, CONTROLLER_LIMIT))
            errors += check_domain_path("spec.controller", controller)
        if spec.get("parameters") is not None:
            parameters, path = spec["parameters"], "spec.parameters"
            if parameters.get("apiGroup") is not None:
                errors += check(f"{path}.apiGroup", parameters["apiGroup"], dns1123_subdomain)
            for name in ("kind", "name"):
                errors += check_required(f"{path}.{name}", parameters.get(name), path_segment)
            scope, namespace = parameters["scope"], parameters.get("namespace")
            errors += check_choice(f"{path}.scope", scope, SCOPES)
            if scope == "Namespace":
                errors += check_required(
                    f"{path}.namespace", namespace, dns1123_label, "`parameters.scope` is set to 'Namespace'"
                )
            if scope == "Cluster" and namespace is not None:
                errors.append(forbidden(f"{path}.namespace", "`parameters.scope` is set to 'Cluster'"))
        return errors

    def check_change(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        return check_unchanged("spec.controller", obj["spec"].get("controller"), old["spec"].get("controller"))


def cells(obj: Json, now: float) -> list[Any]:
    spec = obj.get("spec") or {}
    parameters = spec.get("parameters")
    text = c.NONE
    if parameters:
        kind, group = parameters.get("kind", ""), parameters.get("apiGroup")
        text = f"{kind}{'.' + group if group else ''}/{parameters.get('name', '')}"
    return [obj["metadata"]["name"], spec.get("controller", ""), text, c.age(obj, now)]


KIND = Kind(
    "networking.k8s.io",
    "v1",
    "IngressClass",
    "ingressclasses",
    namespaced=False,
    strategy=IngressClassStrategy(),
    definition="io.k8s.api.networking.v1.IngressClass",
    cells=cells,
    columns=(
        c.NAME,
        c.column("Controller", description="Controller that is responsible for handling this class"),
        c.column("Parameters", description="A reference to a resource with additional parameters"),
        c.AGE,
    ),
)

"""DefaultIngressClass: an ingress that names no class gets the default one."""

from __future__ import annotations

from cluster.admission.default_class import default_class
from cluster.admission.plugin import Plugin
from cluster.admission.request import Request

ANNOTATION = "ingressclass.kubernetes.io/is-default-class"
OLD_ANNOTATION = "kubernetes.io/ingress.class"


class DefaultIngressClass(Plugin):
    storages = frozenset({"ingresses.networking.k8s.io"})

    def mutate(self, request: Request) -> None:
        spec = request.obj.setdefault("spec", {})
        if spec.get("ingressClassName") is not None or OLD_ANNOTATION in (
            request.obj["metadata"].get("annotations") or {}
        ):
            return
        name = default_class(request, "ingressclasses.networking.k8s.io", ANNOTATION)
        if name is not None:
            spec["ingressClassName"] = name

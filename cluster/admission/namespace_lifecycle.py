"""NamespaceLifecycle: nothing is created in a namespace that is absent or terminating; three namespaces stay."""

from __future__ import annotations

from cluster.admission.plugin import CREATE, DELETE, Plugin
from cluster.admission.request import Request
from kube.errors import Forbidden, NotFound

PERMANENT = frozenset({"default", "kube-system", "kube-public"})


class NamespaceLifecycle(Plugin):
    operations = frozenset({CREATE, DELETE})

    def mutate(self, request: Request) -> None:
        if not request.kind.namespaced or request.operation != CREATE:
            return
        entry = request.find("namespaces", request.namespace)
        if entry is None:
            raise NotFound("namespaces", request.namespace)
        if entry.meta.deletionTimestamp:
            error = request.forbid(
                f"unable to create new content in namespace {request.namespace} because it is being terminated"
            )
            causes = [
                {
                    "reason": "NamespaceTerminating",
                    "message": f"namespace {request.namespace} is being terminated",
                    "field": "metadata.namespace",
                }
            ]
            error.details = {**(error.details or {}), "causes": causes}
            raise error

    def validate(self, request: Request) -> None:
        if request.operation == DELETE and request.kind.storage == "namespaces" and request.name in PERMANENT:
            raise Forbidden("namespaces", request.name, "this namespace may not be deleted")

"""OwnerReferencesPermissionEnforcement: who names an owner lets the object be deleted with it, and needs that right.

`blockOwnerDeletion` holds up the owner's deletion like a finalizer, so it needs the right to set finalizers on the owner.
"""

from __future__ import annotations

from cluster.admission.plugin import CREATE, UPDATE, Plugin
from cluster.admission.request import Request
from cluster.authz import Authorizer
from cluster.rbac import Attributes
from kube import registry
from kube.objects import Json


class OwnerReferencesPermissionEnforcement(Plugin):
    operations = frozenset({CREATE, UPDATE})

    def handles(self, operation: str, storage: str, subresource: str) -> bool:
        # The status of a pod never changes its owners.
        return operation in self.operations and (storage, subresource) != ("pods", "status")

    def validate(self, request: Request) -> None:
        owners, before = _owners(request.obj), _owners(request.old or {})
        if owners == before:
            return
        authorizer, kind = Authorizer.of(request.cache), request.kind
        decision = authorizer.decide(
            request.user,
            Attributes("delete", kind.group, kind.plural, request.subresource, request.namespace, request.name),
        )
        if not decision.allowed:
            raise request.forbid(f"cannot set an ownerRef on a resource you can't delete: {decision.reason}, <nil>")
        blocked = {owner.get("uid") for owner in before if owner.get("blockOwnerDeletion")}
        for owner in owners:
            if owner.get("blockOwnerDeletion") and owner.get("uid") not in blocked:
                self._check_owner(request, authorizer, owner)

    def _check_owner(self, request: Request, authorizer: Authorizer, owner: Json) -> None:
        version = str(owner.get("apiVersion", ""))
        found = registry.of_cluster(request.cluster).by_gvk(version, str(owner.get("kind", "")))
        if found is None:
            raise request.forbid(
                "cannot set blockOwnerDeletion in this case because cannot find RESTMapping for APIVersion "
                f"{version} Kind {owner.get('kind')}"
            )
        want = Attributes(
            "update",
            found.group,
            found.plural,
            "finalizers",
            request.namespace if found.namespaced else "",
            str(owner.get("name", "")),
        )
        decision = authorizer.decide(request.user, want)
        if not decision.allowed:
            raise request.forbid(
                "cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers "
                f"on: {decision.reason}, <nil>"
            )


def _owners(obj: Json) -> list[Json]:
    return list((obj.get("metadata") or {}).get("ownerReferences") or ())

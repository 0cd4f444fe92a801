"""Nobody grants rights that they do not hold: the rules of a role, and the role of a binding, are checked.

The verbs `escalate` (on roles) and `bind` (on the role that is bound) lift this, as does membership of system:masters.
"""

from __future__ import annotations

from cluster import rbac
from cluster.admission.plugin import CREATE, UPDATE, Plugin
from cluster.admission.request import Request
from cluster.authz import Authorizer
from cluster.rbac import Attributes
from kube.errors import NotFound
from kube.objects import Json


class EscalationCheck(Plugin):
    operations = frozenset({CREATE, UPDATE})
    storages = rbac.STORAGES

    def validate(self, request: Request) -> None:
        if request.user.is_master:
            return
        authorizer = Authorizer.of(request.cache)
        if request.kind.storage in (rbac.ROLES, rbac.CLUSTER_ROLES):
            self._check_role(request, authorizer)
        else:
            self._check_binding(request, authorizer)

    def _check_role(self, request: Request, authorizer: Authorizer) -> None:
        rules, before = request.obj.get("rules") or [], (request.old or {}).get("rules") or []
        if rules == before and (request.old or {}).get("aggregationRule") == request.obj.get("aggregationRule"):
            return
        want = Attributes("escalate", rbac.GROUP, request.kind.plural, "", request.namespace, request.name)
        if authorizer.decide(request.user, want).allowed:
            return
        if request.obj.get("aggregationRule"):
            everything = [
                {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]},
                {"verbs": ["*"], "nonResourceURLs": ["*"]},
            ]
            rules = [*rules, *everything]
        self._check_held(request, authorizer, rules)

    def _check_binding(self, request: Request, authorizer: Authorizer) -> None:
        ref = request.obj.get("roleRef") or {}
        same = request.old is not None and all(
            request.old.get(n) == request.obj.get(n) for n in ("roleRef", "subjects")
        )
        plural = "clusterroles" if ref.get("kind") == "ClusterRole" else "roles"
        want = Attributes("bind", rbac.GROUP, plural, "", request.namespace, ref.get("name", ""))
        if same or authorizer.decide(request.user, want).allowed:
            return
        storage = rbac.CLUSTER_ROLES if plural == "clusterroles" else rbac.ROLES
        if request.find(storage, ref.get("name", ""), "" if plural == "clusterroles" else request.namespace) is None:
            raise NotFound(request.kind.plural, ref.get("name", ""), rbac.GROUP)
        self._check_held(request, authorizer, authorizer.role_rules(ref, request.namespace))

    def _check_held(self, request: Request, authorizer: Authorizer, rules: list[Json]) -> None:
        user = request.user
        missing = rbac.uncovered(authorizer.rules(user, request.namespace), rules)
        if missing:
            groups = " ".join(f'"{group}"' for group in user.groups)
            raise request.forbid(
                f'user "{user.name}" (groups=[{groups}]) is attempting to grant RBAC permissions not '
                "currently held:\n" + "\n".join(rbac.compact(missing))
            )

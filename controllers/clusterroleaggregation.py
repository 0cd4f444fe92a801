"""The rules of ClusterRoles that are made of others (`aggregationRule`)."""

from __future__ import annotations

from collections.abc import Iterable

from cluster.cache import Entry
from cluster.store import Key
from controllers.runtime import Context, Controller, Result, Watch
from controllers.writes import change
from kube import selectors
from kube.objects import Json

STORAGE = "clusterroles.rbac.authorization.k8s.io"
_MARK = b'"aggregationRule"'


class ClusterRoleAggregationController(Controller):
    """Key: a ClusterRole with an aggregation rule."""

    name = "clusterroleaggregation"
    user = "system:serviceaccount:kube-system:clusterrole-aggregation-controller"
    # Any role may be part of any aggregate; there are few of those.
    watches = (
        Watch(STORAGE, lambda entry, cache: (role.key.name for role in cache.list(STORAGE) if _MARK in role.body)),
    )

    def reconcile(self, key: str, ctx: Context) -> Result:
        entry = ctx.cache.get(Key(STORAGE, "", key))
        role = entry.object() if entry else {}
        if entry is None or not role.get("aggregationRule"):
            return None
        wanted = [selectors.from_object(s) for s in role["aggregationRule"].get("clusterRoleSelectors") or []]
        rules = aggregated(
            e for e in ctx.cache.list(STORAGE) if e.key.name != key and any(s.matches(e.labels) for s in wanted)
        )
        if rules != (role.get("rules") or []):
            change(ctx, entry.key, entry.meta.uid, lambda obj: obj.update(rules=rules))
        return None


def aggregated(parts: Iterable[Entry]) -> list[Json]:
    """The rules of all parts, in order of their names, each rule once."""
    rules: list[Json] = []
    for part in parts:
        rules += [rule for rule in part.object().get("rules") or [] if rule not in rules]
    return rules

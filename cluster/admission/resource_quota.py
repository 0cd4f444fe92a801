"""ResourceQuota: a namespace may only hold and ask for so much. What is used is charged in the write's own commit.

Charging and creating commit together or not at all; a quota that moved on in between makes the write count again.
"""

from __future__ import annotations

from collections.abc import Iterator

from cluster.admission.plugin import CREATE, Plugin
from cluster.admission.quota_usage import matches_scopes, usage
from cluster.admission.request import Request
from cluster.cache import Entry
from cluster.store import Write
from kube import quantity
from kube.objects import Json
from kube.pods import podutil
from kube.quantity import Quantity

Usage = dict[str, Quantity]


class ResourceQuota(Plugin):
    operations = frozenset({CREATE})

    def validate(self, request: Request) -> None:
        if not request.kind.namespaced or (request.kind.storage == "resourcequotas" and not self._quotas(request)):
            return
        for entry in self._quotas(request):
            self._charge(request, entry)

    def _quotas(self, request: Request) -> list[Entry]:
        return request.cache.list("resourcequotas", request.namespace)

    def _charge(self, request: Request, entry: Entry) -> None:
        quota = entry.object()
        hard = (quota.get("spec") or {}).get("hard") or {}
        if not matches_scopes(quota.get("spec") or {}, request.kind.storage, request.obj):
            return
        wanted = {n: q for n, q in usage(request.kind, request.obj).items() if n in hard}
        # A quota on a compute resource makes every container say how much of it it wants.
        spec = request.obj["spec"] if request.kind.storage == "pods" else {}
        unsaid = {name: ",".join(sorted(_unspecified(spec, name))) for name in sorted(hard)}
        missing = [f"{name} for: {containers}" for name, containers in unsaid.items() if containers]
        if missing:
            raise request.forbid(f"failed quota: {entry.key.name}: must specify {'; '.join(missing)}")
        status = quota.get("status") or {}
        counted = {name: quantity.parse(value) for name, value in (status.get("used") or {}).items()}
        if not wanted:
            return
        uncounted = [name for name in wanted if name not in counted]
        if uncounted:
            raise request.forbid(
                f"status unknown for quota: {entry.key.name}, resources: {','.join(sorted(uncounted))}"
            )
        over = sorted(n for n, q in wanted.items() if quantity.parse(hard[n]).nano < q.nano + counted[n].nano)
        if over:
            sums = (("requested", wanted), ("used", counted), ("limited", hard))
            listed = [f"{word}: {','.join(f'{n}={amounts[n]}' for n in over)}" for word, amounts in sums]
            raise request.forbid(f"exceeded quota: {entry.key.name}, {', '.join(listed)}")
        used = {**(status.get("used") or {}), **{n: str(counted[n] + q) for n, q in wanted.items() if q.nano}}
        if used != status.get("used"):
            quota["status"] = {**status, "used": used}
            request.writes.append(Write("update", entry.key, quota, entry.revision))


def _unspecified(spec: Json, name: str) -> Iterator[str]:
    """The containers that say nothing about a compute resource of a quota."""
    which, _, resource = name.partition(".")
    if which not in ("requests", "limits"):
        which, resource = "requests", name
    if resource not in ("cpu", "memory") or spec.get("resources", {}).get(which, {}).get(resource):
        return
    for container in podutil.all_containers(spec, ephemeral=False):
        asked = container.get("resources") or {}
        if resource not in ((asked.get("requests") if which == "requests" else asked.get("limits")) or {}):
            yield container["name"]

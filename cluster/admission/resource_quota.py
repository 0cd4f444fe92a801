"""ResourceQuota: a namespace may only hold and ask for so much. What is used is charged in the write's own commit.

Charging and creating commit together or not at all; a quota that moved on in between makes the write count again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

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
        self._check_specified(request, entry, hard)
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
            raise request.forbid(self._exceeded(entry.key.name, over, wanted, counted, hard))
        used = {**(status.get("used") or {}), **{n: str(counted[n] + q) for n, q in wanted.items() if q.nano}}
        if used != status.get("used"):
            quota["status"] = {**status, "used": used}
            request.writes.append(Write("update", entry.key, quota, entry.revision))

    def _check_specified(self, request: Request, entry: Entry, hard: Json) -> None:
        """A quota on a compute resource makes every container say how much of it it wants."""
        if request.kind.storage != "pods":
            return
        missing = sorted(name for name in hard if any(_unspecified(request.obj["spec"], name)))
        if missing:
            raise request.forbid(
                f"failed quota: {entry.key.name}: must specify {_grouped(request.obj['spec'], missing)}"
            )

    def _exceeded(self, name: str, over: list[str], wanted: Usage, used: Usage, hard: Json) -> str:
        def listed(values: Any) -> str:
            return ",".join(f"{n}={values[n]}" for n in over)

        return f"exceeded quota: {name}, requested: {listed(wanted)}, used: {listed(used)}, limited: {listed(hard)}"


def _unspecified(spec: Json, name: str) -> Iterator[str]:
    """The containers that say nothing about a compute resource of a quota."""
    which, _, resource = name.partition(".")
    if which not in ("requests", "limits"):
        which, resource = "requests", name
    if resource not in ("cpu", "memory") or spec.get("resources", {}).get(which, {}).get(resource):
        return
    for container in podutil.all_containers(spec, ephemeral=False):
        if resource not in ((container.get("resources") or {}).get(which) or {}):
            yield container["name"]


def _grouped(spec: Json, missing: list[str]) -> str:
    return "; ".join(f"{name} for: {','.join(sorted(_unspecified(spec, name)))}" for name in missing)

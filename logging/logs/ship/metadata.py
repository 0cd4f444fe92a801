"""What the API knows of the pods of this node, as it goes into each of their lines."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from client.reflector import Reflector, Source
from kube import ownerrefs
from kube.objects import Json
from kube.pods import podutil
from logs.record import Origin
from logs.ship.catalog import Where

_CRON = re.compile(r"(.+)-\d{8,10}")


class Pods:
    """The pods of one node; `changed(uid)` is called when one of them has other labels, an owner, or is new."""

    def __init__(self, api: Source, node: str, changed: Callable[[str], None]) -> None:
        self._by_uid: dict[str, Json] = {}
        self._node, self._changed = node, changed
        self._reflector = Reflector(
            api,
            "/api/v1/pods",
            {"fieldSelector": f"spec.nodeName={node}"},
            on_add=self._take,
            on_update=lambda _, new: self._take(new),
            on_delete=self._drop,
            transform=_brief,
        )

    async def run(self) -> None:
        await self._reflector.run()

    @property
    def synced(self) -> bool:
        return self._reflector.synced.is_set()

    def _take(self, pod: Json) -> None:
        uid = pod["metadata"]["uid"]
        before = self._by_uid.get(uid)
        self._by_uid[uid] = pod
        if before is None or any(before[part] != pod[part] for part in ("kubernetes", "containers")):
            self._changed(uid)

    def _drop(self, pod: Json) -> None:
        # The last lines of its containers are described already: `Log.origin` stays.
        self._by_uid.pop(pod["metadata"]["uid"], None)

    def describe(self, where: Where, alone: bool) -> Origin | None:
        """None: not known yet. `alone`: then the path has to do, as for pods that were gone before we came."""
        known: Json = {"container": where.container, "node": self._node}
        if where.source != "container":
            return Origin(where.source, known)
        pod = self._by_uid.get(where.uid)
        if pod is None and not alone:
            return None
        known |= {"namespace": where.namespace, "pod": where.pod, "pod_uid": where.uid}
        if pod is not None:
            # The path has only the beginning of a very long name.
            known |= {**pod["kubernetes"], "pod": pod["metadata"]["name"]}
            known["container_id"] = pod["containers"].get((where.container, where.attempt), "")
        return Origin(where.source, known)


def _brief(pod: Json) -> Json:
    """What is kept of a pod."""
    metadata = pod["metadata"]
    kept = {name: metadata[name] for name in ("name", "namespace", "uid", "resourceVersion") if name in metadata}
    containers = {
        (one["name"], one.get("restartCount", 0)): one["containerID"]
        for one, _ in podutil.statuses(pod, ephemeral=True)
        if one.get("containerID")
    }
    described = {"labels": metadata.get("labels") or {}, "workload": workload(metadata)}
    return {"metadata": kept, "kubernetes": described, "containers": containers}


def workload(metadata: dict[str, Any]) -> dict[str, str]:
    """What a user calls the owner: the Deployment behind a ReplicaSet, the CronJob behind a Job; empty without owner."""
    owner = ownerrefs.controller(metadata)
    if owner is None:
        return {}
    kind, name = owner["kind"], owner["name"]
    suffix = (metadata.get("labels") or {}).get("pod-template-hash")
    if kind == "ReplicaSet" and suffix and name.endswith("-" + suffix):
        return {"kind": "Deployment", "name": name.removesuffix("-" + suffix)}
    if kind == "Job" and (cron := _CRON.fullmatch(name)):
        return {"kind": "CronJob", "name": cron[1]}
    return {"kind": kind, "name": name}

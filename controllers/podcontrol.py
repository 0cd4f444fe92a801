"""Creating and deleting pods for an owner, many in one commit, with the events that the owner's users look for."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING

import orjson

from cluster.events import Recorder
from controllers.runtime import Context
from kube import ownerrefs
from kube.errors import ApiError, NotFound
from kube.objects import Json

if TYPE_CHECKING:
    from kube.shapes import PodLike

BURST = 500  # pods created or deleted by one reconcile: one commit
SHOWN_ERRORS = 3


class PodControl:
    """Creates pods in full bursts; after a failure it starts small (1, 2, 4 …) until a batch succeeds again."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._cautious: set[str] = set()

    def create(self, ctx: Context, owner: Json, pods: Sequence[Json]) -> tuple[int, ApiError | None]:
        """Create pods in order; returns how many were created and the error that stopped it."""
        uid, created, size = owner["metadata"]["uid"], 0, BURST
        if uid in self._cautious:
            size = 1
        while created < len(pods):
            batch = pods[created : created + size]
            results = ctx.session.create_many([("pods", owner["metadata"]["namespace"], pod) for pod in batch])
            error = self._report(ctx, owner, results)
            if error is not None:
                if len(self._cautious) > 10_000:
                    self._cautious.clear()
                self._cautious.add(uid)
                return created + sum(not isinstance(result, ApiError) for result in results), error
            created, size = created + len(batch), min(size * 2, BURST)
        self._cautious.discard(uid)
        return created, None

    def delete(self, ctx: Context, owner: Json, names: Sequence[str]) -> ApiError | None:
        """Delete pods by name; returns the first error. Pods that are gone already count as deleted."""
        namespace = owner["metadata"]["namespace"]
        results = ctx.session.delete_many([("pods", namespace, name) for name in names])
        failed = None
        for name, result in zip(names, results, strict=True):
            if not isinstance(result, ApiError):
                self._event(ctx, owner, "Normal", "SuccessfulDelete", f"Deleted pod: {name}")
            elif not isinstance(result, NotFound):
                failed = failed or result
                self._event(ctx, owner, "Warning", "FailedDelete", f"Error deleting: {result}")
        return failed

    def _report(self, ctx: Context, owner: Json, results: Sequence[Json | ApiError]) -> ApiError | None:
        errors: list[ApiError] = []
        for result in results:
            if isinstance(result, ApiError):
                errors.append(result)
            else:
                self._event(ctx, owner, "Normal", "SuccessfulCreate", f"Created pod: {result['metadata']['name']}")
        for error in errors[:SHOWN_ERRORS]:
            if not namespace_ends(error):
                self._event(ctx, owner, "Warning", "FailedCreate", f"Error creating: {error}")
        return errors[0] if errors else None

    def _event(self, ctx: Context, owner: Json, type: str, reason: str, message: str) -> None:
        self._recorder.event(ctx.session, owner, type, reason, message)


def namespace_ends(error: ApiError) -> bool:
    """Whether a creation failed because its namespace is being deleted: not worth an event, nor another try."""
    causes = (error.details or {}).get("causes") or ()
    return any(cause.get("reason") == "NamespaceTerminating" for cause in causes)


def from_template(template: Json, owner: Json, name: str = "") -> Json:
    """A pod from a pod template, managed by `owner`; without a name it gets one generated from the owner's."""
    meta = copy.deepcopy(template.get("metadata") or {})
    pod_meta: Json = {
        "namespace": owner["metadata"]["namespace"],
        "labels": meta.get("labels") or {},
        "annotations": meta.get("annotations") or {},
        "ownerReferences": [ownerrefs.reference(owner)],
    }
    if meta.get("finalizers"):
        pod_meta["finalizers"] = list(meta["finalizers"])
    if name:
        pod_meta["name"] = name
    else:
        pod_meta["generateName"] = generate_prefix(owner["metadata"]["name"])
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {key: value for key, value in pod_meta.items() if value},
        "spec": copy.deepcopy(template["spec"]),
    }


def copies(pod: PodLike, count: int) -> list[Json]:
    """Independent copies of a pod (decoding is several times faster than `copy.deepcopy`)."""
    body = orjson.dumps(pod)
    return [orjson.loads(body) for _ in range(count)]


def generate_prefix(owner_name: str) -> str:
    """The owner's name and a dash, as far as a generated name can take it."""
    return f"{owner_name}-"

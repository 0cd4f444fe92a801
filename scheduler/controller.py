"""The scheduler as a controller of the role `scheduler`: one key, `cluster`, that any relevant change makes ready.

The work queue never hands a key out twice at once, so of several workers one schedules at a time; each holds its own
picture of the cluster and can take over at any moment.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from controllers import pods
from controllers.runtime import Context, Controller, Result, Watch

if TYPE_CHECKING:
    from cluster.cache import Cache, Entry, Event
    from scheduler.service import Scheduler

KEY = "cluster"


def _one_key(entry: Entry, cache: Cache) -> Iterable[str]:
    yield KEY


def _pod_matters(event: Event) -> bool:
    """A pod that waits, one that ends, one that got its node; not every heartbeat of a running one."""
    if event.type == "DELETED" or not event.entry.node:
        return True
    if event.previous is None or event.previous.node != event.entry.node or event.previous.labels != event.entry.labels:
        return True
    return pods.view(event.entry).finished


def _node_matters(event: Event) -> bool:
    if event.type != "MODIFIED" or event.previous is None:
        return True
    from scheduler.state import node_mark

    return node_mark(event.entry.object()) != node_mark(event.previous.object())


class SchedulerController(Controller):
    """See the module's docstring."""

    name = "scheduler"
    user = "system:kube-scheduler"
    watches = (
        Watch("pods", _one_key, _pod_matters),
        Watch("nodes", _one_key, _node_matters),
        Watch("namespaces", _one_key),
        Watch("persistentvolumeclaims", _one_key),
        Watch("persistentvolumes", _one_key),
        Watch("storageclasses.storage.k8s.io", _one_key),
    )

    def __init__(self) -> None:
        self._scheduler: Scheduler | None = None

    def reconcile(self, key: str, ctx: Context) -> Result:
        if self._scheduler is None:
            from scheduler.service import Scheduler

            self._scheduler = Scheduler(ctx.session, ctx.cache)
        return self._scheduler.run()

"""The scheduler's picture of the cluster: node table and queue, kept current from the events of the cache.

Events are only collected when they come (`feed`), and applied between two rounds (`catch_up`), so that nothing changes
while pods are being placed and no change is missed for a pod that has just been refused.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import orjson

from cluster.cache import Entry, Event
from controllers import pods
from scheduler.nodes import NodeTable
from scheduler.pods import DEFAULT_SCHEDULER, PodInfo, pod_info
from scheduler.queue import SchedulingQueue

if TYPE_CHECKING:
    from kube.shapes import NodeLike

WAKING = {
    "persistentvolumeclaims": "PersistentVolumeClaim",
    "persistentvolumes": "PersistentVolume",
    "storageclasses.storage.k8s.io": "StorageClass",
}
STORAGES = ("pods", "nodes", "namespaces", *WAKING)


class SchedulerState:
    """`table` and `queue` belong to the thread that calls `catch_up`; `feed` may be called from any.

    `changed` is called when something was fed that a pending pod may care about.
    """

    def __init__(
        self, queue: SchedulingQueue, name: str = DEFAULT_SCHEDULER, changed: Callable[[], None] = lambda: None
    ) -> None:
        self.table = NodeTable()
        self.queue = queue
        self.name = name
        self.nominated: dict[str, PodInfo] = {}  # pending pods for which preemption makes room, by uid
        self._changed = changed
        self._events: deque[Event] = deque()
        self._node_marks: dict[str, bytes] = {}

    def feed(self, events: Sequence[Event]) -> None:
        """Collect events of the cache, in their order."""
        mine = [event for event in events if event.key.storage in STORAGES]
        self._events.extend(mine)
        if any(map(matters, mine)):
            self._changed()

    def catch_up(self) -> None:
        """Apply the collected events and wake the pods that they may help."""
        changes: set[str] = set()
        while self._events:
            event = self._events.popleft()
            change = self._apply(event)
            if change:
                changes.add(change)
        if changes:
            self.queue.wake(changes)
        self.queue.flush_stale()

    def _apply(self, event: Event) -> str:
        """Take over one event; returns the change that waiting pods may care about, or ""."""
        storage, gone = event.key.storage, event.type == "DELETED"
        if storage == "pods":
            return self._drop_pod(event.entry) if gone else self._confirm(event.entry) or self._put_pod(event.entry)
        if storage == "nodes":
            if not gone:
                return self._put_node(event.entry)
            self._node_marks.pop(event.key.name, None)
            self.table.drop_node(event.key.name)
            return "Node/Delete"
        if storage == "namespaces":
            self.table.counts.put_namespace(event.key.name, None if gone else event.entry.labels)
            return "Pod/Labels"
        return WAKING[storage]

    def _confirm(self, entry: Entry) -> str:
        """Our own binding as it comes back from the log: known already, so it need not be decoded."""
        known = self.table.pod(entry.meta.uid)
        if known is None or known.bound or known.node != entry.node or entry.meta.deletionTimestamp:
            return ""
        if (entry.meta.labels or {}) != known.cls.labels:
            return ""
        known.bound = True
        self.queue.remove(known.key)
        self.nominated.pop(known.uid, None)
        return "Pod/Add"

    def _put_pod(self, entry: Entry) -> str:
        pod = pod_info(entry.object())
        if pod.finished:
            return self._drop_pod(entry)
        if pod.bound:
            return self._put_bound(pod)
        assumed = self.table.pod(pod.uid)
        if assumed is not None:
            return ""  # an event from before our own binding
        if pod.cls.scheduler != self.name or pod.deleting:
            self._forget_pending(pod)
            return ""
        self.queue.put(pod)
        if pod.nominated:
            self.nominated[pod.uid] = pod
        else:
            self.nominated.pop(pod.uid, None)
        return ""

    def _put_bound(self, pod: PodInfo) -> str:
        self._forget_pending(pod)
        known = self.table.pod(pod.uid)
        if known is not None and (known.node, known.cls, known.deleting) == (pod.node, pod.cls, pod.deleting):
            known.bound, known.started = True, pod.started
            return ""
        self.table.put_pod(pod)
        if known is None:
            return "Pod/Add"
        return "Pod/Labels" if known.cls.labels != pod.cls.labels else "Pod/Shrink"

    def _drop_pod(self, entry: Entry) -> str:
        self.nominated.pop(entry.meta.uid, None)
        self.queue.remove((entry.key.namespace, entry.key.name))
        return "Pod/Delete" if self.table.drop_pod(entry.meta.uid) else ""

    def _forget_pending(self, pod: PodInfo) -> None:
        self.queue.remove(pod.key)
        self.nominated.pop(pod.uid, None)

    def _put_node(self, entry: Entry) -> str:
        node = entry.object()
        name, mark = entry.key.name, node_mark(node)
        known = self._node_marks.get(name)
        if known == mark:
            return ""
        self._node_marks[name] = mark
        self.table.put_node(node)
        return "Node/Add" if known is None else "Node/Update"


def matters(event: Event) -> bool:
    """Whether to look at once: not at every heartbeat of a node or of a pod that runs."""
    entry, previous = event.entry, event.previous
    if event.type == "DELETED" or previous is None:
        return True
    if event.key.storage == "pods":
        moved = previous.node != entry.node or previous.labels != entry.labels
        return not entry.node or moved or pods.view(entry).finished
    if event.key.storage == "nodes":
        return node_mark(entry.object()) != node_mark(previous.object())
    return True


def node_mark(node: NodeLike) -> bytes:
    """What of a node scheduling looks at; heartbeats and conditions are not in it."""
    spec, status = node.get("spec") or {}, node.get("status") or {}
    parts = (
        node["metadata"].get("labels"),
        spec.get("unschedulable"),
        spec.get("taints"),
        status.get("allocatable") or status.get("capacity"),
        status.get("images"),
    )
    return orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)

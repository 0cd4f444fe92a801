"""The node table: every node a slot, every property a numpy column; kept up to date by single changes.

Pods that are bound or assumed are counted on their node's slot. Pods whose node is not (yet) known wait aside and are
counted when it appears. Nothing is rebuilt for a pod; columns double when slots run out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from kube.objects import Json
from scheduler.columns import Amount, Array, Interned, grown
from scheduler.counts import PodCounts
from scheduler.pods import PodInfo
from scheduler.ports import PortTable
from scheduler.requests import amounts

if TYPE_CHECKING:
    from kube.shapes import NodeLike

Taint = tuple[str, str, str]  # key, value, effect

NAME_FIELD = "\0metadata.name"  # the node's name, kept as if it were a label


class NodeTable:
    """See the module's docstring. `size` slots exist of which `alive` marks those that hold a node."""

    def __init__(self, capacity: int = 64) -> None:
        self.size = 0
        self.version = 0  # raised when a node changes; placements of pods leave it as it is
        self.alive: Array = np.zeros(capacity, dtype=bool)
        self.unschedulable: Array = np.zeros(capacity, dtype=bool)
        self.allocatable = Amount(capacity)
        self.used = Amount(capacity)
        self.scoring: Array = np.zeros((2, capacity), dtype=np.int64)  # cpu and memory as scoring counts them
        self.labels: dict[str, Interned] = {}
        self.taints: dict[Taint, Array] = {}
        self.images: dict[str, tuple[int, Array]] = {}
        self.ports = PortTable()
        self.counts = PodCounts(self)
        self.slots: dict[str, int] = {}
        self.names: list[str] = []
        self.pods: list[dict[str, PodInfo]] = []
        self.node_labels: list[dict[str, str]] = []
        self.node_taints: list[tuple[Taint, ...]] = []
        self._node_images: list[tuple[str, ...]] = []
        self._placed: dict[str, PodInfo] = {}  # uid -> pod, wherever it is counted
        self._homeless: dict[str, dict[str, PodInfo]] = {}  # node name -> pods that wait for it
        self._free: list[int] = []

    def __len__(self) -> int:
        return len(self.slots)

    @property
    def capacity(self) -> int:
        return len(self.alive)

    def label(self, key: str) -> Interned:
        """The column of a label key, made when first asked for."""
        column = self.labels.get(key)
        if column is None:
            column = self.labels[key] = Interned(self.capacity)
        return column

    def put_node(self, node: NodeLike) -> int:
        """Add a node or take over its changes; returns its slot."""
        name = node["metadata"]["name"]
        self.version += 1
        slot = self.slots.get(name)
        if slot is None:
            slot = self._claim_slot(name)
        spec, status = node.get("spec") or {}, node.get("status") or {}
        self.unschedulable[slot] = bool(spec.get("unschedulable"))
        self.allocatable.put(slot, amounts(status.get("allocatable") or status.get("capacity")))
        self._put_labels(slot, {**(node["metadata"].get("labels") or {}), NAME_FIELD: name})
        self._put_taints(
            slot, tuple((t.get("key", ""), t.get("value") or "", t.get("effect", "")) for t in spec.get("taints") or [])
        )
        self._put_images(slot, status.get("images") or [])
        return slot

    def drop_node(self, name: str) -> None:
        """Forget a node; its pods wait aside, because the node may come back before they are gone."""
        slot = self.slots.pop(name, None)
        if slot is None:
            return
        self.version += 1
        for pod in list(self.pods[slot].values()):
            self._uncount(slot, pod)
            self._homeless.setdefault(name, {})[pod.uid] = pod
        self.alive[slot] = False
        self.allocatable.put(slot, {})
        self._put_labels(slot, {})
        self._put_taints(slot, ())
        self._put_images(slot, [])
        self.names[slot] = ""
        self._free.append(slot)

    def put_pod(self, pod: PodInfo) -> None:
        """Count a pod on its node; again with the same uid replaces what was counted."""
        self.drop_pod(pod.uid)
        self._placed[pod.uid] = pod
        slot = self.slots.get(pod.node)
        if slot is None:
            self._homeless.setdefault(pod.node, {})[pod.uid] = pod
        else:
            self._count(slot, pod)

    def drop_pod(self, uid: str) -> PodInfo | None:
        """Stop counting a pod; returns it where it was counted."""
        pod = self._placed.pop(uid, None)
        if pod is None:
            return None
        slot = self.slots.get(pod.node)
        if slot is not None and uid in self.pods[slot]:
            self._uncount(slot, pod)
        elif (waiting := self._homeless.get(pod.node)) is not None:
            waiting.pop(uid, None)
            if not waiting:
                del self._homeless[pod.node]
        return pod

    def pod(self, uid: str) -> PodInfo | None:
        return self._placed.get(uid)

    def each_pod(self) -> Iterator[tuple[int, PodInfo]]:
        """(slot, pod) of all pods on known nodes."""
        for slot, pods in enumerate(self.pods):
            for pod in pods.values():
                yield slot, pod

    def _claim_slot(self, name: str) -> int:
        if self._free:
            slot = self._free.pop()
        else:
            slot, self.size = self.size, self.size + 1
            if slot >= self.capacity:
                self._grow(self.capacity * 2)
            self.names.append("")
            self.pods.append({})
            self.node_labels.append({})
            self.node_taints.append(())
            self._node_images.append(())
        self.slots[name], self.names[slot], self.alive[slot] = slot, name, True
        for pod in self._homeless.pop(name, {}).values():
            self._count(slot, pod)
        return slot

    def _grow(self, size: int) -> None:
        for name in ("alive", "unschedulable", "scoring"):
            setattr(self, name, grown(getattr(self, name), size))
        self.allocatable.grow(size)
        self.used.grow(size)
        self.counts.grow(size)
        for column in self.labels.values():
            column.grow(size)
        self.taints = {taint: grown(marks, size) for taint, marks in self.taints.items()}
        self.images = {image: (weight, grown(marks, size)) for image, (weight, marks) in self.images.items()}

    def _count(self, slot: int, pod: PodInfo) -> None:
        self.pods[slot][pod.uid] = pod
        self._tally(slot, pod, 1)

    def _uncount(self, slot: int, pod: PodInfo) -> None:
        del self.pods[slot][pod.uid]
        self._tally(slot, pod, -1)

    def _tally(self, slot: int, pod: PodInfo, sign: int) -> None:
        self.used.add(slot, pod.cls.requests, sign)
        self.scoring[0, slot] += sign * pod.cls.scoring[0]
        self.scoring[1, slot] += sign * pod.cls.scoring[1]
        if pod.cls.ports:
            self.ports.add(slot, pod.cls.ports, sign)
        self.counts.add(slot, pod, sign)

    def _put_labels(self, slot: int, labels: dict[str, str]) -> None:
        for key in self.node_labels[slot].keys() - labels.keys():
            self.label(key).put(slot, None)
        for key, value in labels.items():
            self.label(key).put(slot, value)
        self.node_labels[slot] = labels

    def _put_taints(self, slot: int, taints: tuple[Taint, ...]) -> None:
        for taint in self.node_taints[slot]:
            self.taints[taint][slot] = False
            if taint not in taints and not self.taints[taint].any():
                del self.taints[taint]
        for taint in taints:
            if taint not in self.taints:
                self.taints[taint] = np.zeros(self.capacity, dtype=bool)
            self.taints[taint][slot] = True
        self.node_taints[slot] = taints

    def _put_images(self, slot: int, images: list[Json]) -> None:
        sizes = {name: image.get("sizeBytes") or 0 for image in images for name in image.get("names") or []}
        for name in self._node_images[slot]:
            self.images[name][1][slot] = False
            if name not in sizes and not self.images[name][1].any():
                del self.images[name]
        for name, size in sizes.items():
            column = self.images[name][1] if name in self.images else np.zeros(self.capacity, dtype=bool)
            column[slot] = True
            self.images[name] = (size, column)
        self._node_images[slot] = tuple(sizes)

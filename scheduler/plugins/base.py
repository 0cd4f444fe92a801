"""What a scheduling plugin is.

A plugin looks at one pod and all nodes at once: its answers are numpy columns over the slots of a `View`. The view is
usually the whole table; after a pod was placed, plugins that only that one node matters to are asked again for a view
of that single slot, which is what makes a thousand identical pods cheap.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any, NamedTuple, Protocol

import numpy as np

from scheduler.columns import Array, Interned
from scheduler.nodes import NodeTable
from scheduler.pods import PodInfo

MAX_SCORE = 100.0


class Objection(NamedTuple):
    """Nodes that a filter refuses: `fails` is True there. `resolvable` says that removing pods may help."""

    fails: Array
    reason: str
    resolvable: bool = False


class Rejected(Exception):
    """The pod can run nowhere, whatever the nodes; `str()` is the reason."""


class Changes(IntEnum):
    """What placing one pod alters for the next pod of the same class: nothing, the one slot, or every slot."""

    NOTHING = 0
    SLOT = 1
    ALL = 2


class Listers(Protocol):
    """Objects that plugins look up beside the table: the cache, or a dictionary in tests."""

    def get(self, storage: str, namespace: str, name: str) -> dict[str, Any] | None: ...

    def list(self, storage: str, namespace: str | None = None) -> list[dict[str, Any]]: ...


class View:
    """The slots of the node table that are asked about: all of them, or one."""

    __slots__ = ("single", "table", "where")

    def __init__(self, table: NodeTable, slot: int | None = None) -> None:
        self.table, self.single = table, slot is not None
        self.where = slice(0, table.size) if slot is None else slice(slot, slot + 1)

    @property
    def alive(self) -> Array:
        return self.table.alive[self.where]

    def none(self) -> Array:
        """A column of False."""
        return np.zeros(self.where.stop - self.where.start, dtype=bool)

    def label(self, key: str) -> Interned | None:
        """The column of a label key, None when no node ever had it."""
        return self.table.labels.get(key)

    def ids(self, key: str) -> Array:
        """The interned values of a label key, 0 where a node lacks it."""
        column = self.table.labels.get(key)
        return column.ids[self.where] if column else np.zeros(self.where.stop - self.where.start, dtype=np.int32)


class Plugin:
    """Base of all plugins. `wakes` names the changes after which a pod that it refused is worth another try."""

    name = ""
    weight = 1.0
    wakes: frozenset[str] = frozenset()
    exclusive = True  # a node is reported for the first objection only, not for each
    local = True  # what the filter says of a slot depends on that slot alone

    def filter(self, pod: PodInfo, view: View) -> list[Objection]:
        """Where the pod cannot run, and why. Raises `Rejected` when it can run nowhere."""
        return []

    def score(self, pod: PodInfo, view: View, feasible: Array) -> Array | None:
        """0 (worst) to 100 (best) for each slot; None when the plugin has no opinion on this pod."""
        return None

    def changes(self, pod: PodInfo, view: View) -> Changes:
        """What placing one pod of this class alters in this plugin's answers to the next."""
        return Changes.NOTHING


def stretched(raw: Array, feasible: Array, reverse: bool = False) -> Array:
    """Scores scaled so that the highest feasible one becomes 100; `reverse` makes the lowest the best."""
    top = raw[feasible].max(initial=0)
    if top == 0:
        return np.full(raw.shape, MAX_SCORE if reverse else 0.0)
    scaled: Array = raw * (MAX_SCORE / top)
    return MAX_SCORE - scaled if reverse else scaled


Factory = Callable[[Listers], Plugin]

"""What one user may see, as a part of every question. It is worked out by who knows the user's rights: the dashboard.

* A container's lines: those of the namespaces where the user may get `pods/log`.
* Events: those of the namespaces where the user may list `events`; those about things without a namespace with all.
* Lines of nodes and of the control plane: who may get `nodes/proxy`, with which the kubelet gives the same files out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from logs.query.fields import NAMESPACE, SOURCE
from logs.query.nodes import All, And, AnyOf, Node, Or

MAX_NAMESPACES = 20_000


class ScopeError(ValueError):
    """The scope of a question is missing or wrong."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Namespaces; None for all of them."""

    logs: frozenset[str] | None
    events: frozenset[str] | None
    nodes: bool

    def tree(self) -> Node:
        """What every line that is given out must fit."""
        if self.logs is None and self.events is None and self.nodes:
            return All()
        parts = [_source("container", self.logs), _source("event", self.events)]
        if self.nodes:
            parts.append(AnyOf(SOURCE, ("node", "control-plane")))
        return Or(tuple(part for part in parts if part is not None))


def _source(source: str, namespaces: frozenset[str] | None) -> Node | None:
    here = AnyOf(SOURCE, (source,))
    if namespaces is None:
        return here
    return And((here, AnyOf(NAMESPACE, tuple(sorted(namespaces))))) if namespaces else None


def read(value: Any) -> Scope:
    """Of `{"logs": ["ns", …] or null, "events": … , "nodes": bool}`; nothing is allowed by being left out."""
    if (
        not isinstance(value, dict)
        or not {"logs", "events", "nodes"} <= value.keys()
        or not isinstance(value["nodes"], bool)
    ):
        raise ScopeError(
            'scope: {"logs": [namespaces] or null, "events": [namespaces] or null, "nodes": true or false} is needed'
        )
    return Scope(_names("logs", value["logs"]), _names("events", value["events"]), value["nodes"])


def _names(field: str, value: Any) -> frozenset[str] | None:
    if value is None:
        return None
    if not isinstance(value, list) or len(value) > MAX_NAMESPACES or not all(isinstance(name, str) for name in value):
        raise ScopeError(f"scope.{field}: at most {MAX_NAMESPACES} names of namespaces, or null for all")
    return frozenset(value)

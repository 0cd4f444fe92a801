"""CPU and memory as the pages show them: of what pods ask for and are allowed, and of what nodes have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from kube.objects import Json
from kube.pods import resources
from kube.pods.resources import tolerant
from kube.quantity import NANO
from kube.resourcelist import MILLI

if TYPE_CHECKING:
    from kube.shapes import NodeLike


class Amounts(NamedTuple):
    """`cpu` in milli-cores, `memory` in bytes; 0 where nothing is said."""

    cpu: int = 0
    memory: int = 0


def requests(spec: Json) -> Amounts:
    """What a pod of this spec asks for, as the scheduler counts."""
    return _amounts(resources.requests(spec, tolerant))


def limits(spec: Json) -> Amounts:
    """What a pod of this spec may use at most; 0 where one of its containers has no limit."""
    most = resources.limits(spec, tolerant)
    return _amounts({name: most[name] for name in ("cpu", "memory") if resources.is_limited(spec, name)})


def allocatable(node: NodeLike) -> Amounts:
    """What a node has for its pods."""
    have = (node.get("status") or {}).get("allocatable") or {}
    return _amounts({name: tolerant(have.get(name)) for name in ("cpu", "memory")})


def whole(value: Any) -> int:
    """A quantity in whole units, 0 when absent or not a quantity."""
    return -(-tolerant(value) // NANO)


def _amounts(billionths: dict[str, int]) -> Amounts:
    return Amounts(-(-billionths.get("cpu", 0) // MILLI), -(-billionths.get("memory", 0) // NANO))

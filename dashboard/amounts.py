"""What pods ask for and are allowed, and what nodes have: CPU in milli-cores, memory in bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from kube import quantity
from kube.objects import Json


class Amounts(NamedTuple):
    """`cpu` in milli-cores, `memory` in bytes; 0 where nothing is said."""

    cpu: int = 0
    memory: int = 0


def requests(spec: Json) -> Amounts:
    """What a pod of this spec asks for, as the scheduler counts: its own words, else the larger of what runs together
    and any step before."""
    own = _said(spec, "requests")
    return Amounts(own.cpu or _requested(spec, 0), own.memory or _requested(spec, 1))


def limits(spec: Json) -> Amounts:
    """What a pod of this spec may use at most; 0 where one of its containers has no limit."""
    own = _said(spec, "limits")
    running = [_said(container, "limits") for container in _running(spec)]
    return Amounts(
        own.cpu or _together([one.cpu for one in running]), own.memory or _together([one.memory for one in running])
    )


def allocatable(node: Json) -> Amounts:
    """What a node has for its pods."""
    return _amounts((node.get("status") or {}).get("allocatable") or {})


def whole(value: Any) -> int:
    """A quantity in whole units, 0 when absent or not a quantity."""
    return _tolerant(quantity.units, value)


def _requested(spec: Json, which: int) -> int:
    running = sum(_said(container, "requests")[which] for container in _running(spec))
    steps = (_said(c, "requests")[which] for c in spec.get("initContainers") or () if not _sidecar(c))
    return max(running, max(steps, default=0))


def _running(spec: Json) -> list[Json]:
    """The containers that run at the same time."""
    return [*(c for c in spec.get("initContainers") or () if _sidecar(c)), *(spec.get("containers") or ())]


def _sidecar(container: Json) -> bool:
    return container.get("restartPolicy") == "Always"


def _together(parts: list[int]) -> int:
    return sum(parts) if all(parts) else 0


def _said(holder: Json, which: str) -> Amounts:
    return _amounts((holder.get("resources") or {}).get(which) or {})


def _amounts(resources: Json) -> Amounts:
    return Amounts(_tolerant(quantity.milli, resources.get("cpu")), whole(resources.get("memory")))


def _tolerant(read: Callable[[Any], int], value: Any) -> int:
    # An attached cluster may hold what this one would have refused.
    try:
        return 0 if value is None else read(value)
    except ValueError:
        return 0

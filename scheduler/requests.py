"""What a pod asks of a node: resources and host ports, computed from its spec.

Units: `cpu` in thousandths of a core, everything else in whole units (bytes for memory). Each pod also asks for one of
the resource `pods`, so that the limit of pods a node is a resource like any other.
"""

from __future__ import annotations

from typing import Any

from kube import quantity
from kube.objects import Json

Amounts = dict[str, int]

DEFAULT_CPU = 100
DEFAULT_MEMORY = 200 * 1024 * 1024


def amounts(resources: Json | None) -> Amounts:
    """A resource list (`{"cpu": "100m"}`) in scheduler units."""
    return {
        name: quantity.milli(value) if name == "cpu" else quantity.units(value)
        for name, value in (resources or {}).items()
    }


def _of_container(container: Json) -> Amounts:
    """Requests, with limits standing in where no request is made."""
    resources = container.get("resources") or {}
    return amounts({**(resources.get("limits") or {}), **(resources.get("requests") or {})})


def _scored(container: Json) -> Amounts:
    """As `_of_container`, with a floor for containers that ask for nothing, so that scoring still spreads them."""
    return {"cpu": DEFAULT_CPU, "memory": DEFAULT_MEMORY, **_of_container(container)}


def _add(total: Amounts, more: Amounts) -> None:
    for name, value in more.items():
        total[name] = total.get(name, 0) + value


def _raise(total: Amounts, other: Amounts) -> None:
    for name, value in other.items():
        total[name] = max(total.get(name, 0), value)


def _total(spec: Json, of: Any) -> Amounts:
    """The larger of what runs (containers and sidecars) and what any init step needs beside the sidecars before it."""
    total: Amounts = {}
    for container in spec.get("containers") or []:
        _add(total, of(container))
    sidecars: Amounts = {}
    peak: Amounts = {}
    for container in spec.get("initContainers") or []:
        wanted = of(container)
        if container.get("restartPolicy") == "Always":
            _add(sidecars, wanted)
            _raise(peak, sidecars)
            continue
        step = dict(sidecars)
        _add(step, wanted)
        _raise(peak, step)
    _add(total, sidecars)
    _raise(total, peak)
    total.update(amounts((spec.get("resources") or {}).get("requests")))
    _add(total, amounts(spec.get("overhead")))
    return total


def requests(spec: Json) -> Amounts:
    """All that the pod asks for, zero amounts left out."""
    return {"pods": 1, **{name: value for name, value in _total(spec, _of_container).items() if value}}


def scoring_requests(spec: Json) -> tuple[int, int]:
    """(cpu, memory) as scoring counts them."""
    total = _total(spec, _scored)
    return total.get("cpu", 0), total.get("memory", 0)


def host_ports(spec: Json) -> tuple[tuple[str, str, int], ...]:
    """(protocol, host address, port) of every host port; an unset address is 0.0.0.0."""
    containers = [
        *(spec.get("containers") or []),
        *(c for c in spec.get("initContainers") or [] if c.get("restartPolicy") == "Always"),
    ]
    found = (
        (port.get("protocol") or "TCP", port.get("hostIP") or "0.0.0.0", port.get("hostPort") or 0)
        for container in containers
        for port in container.get("ports") or []
    )
    return tuple(sorted({wanted for wanted in found if wanted[2] > 0}))

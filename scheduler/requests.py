"""What a pod takes of a node, in the scheduler's units: `cpu` in thousandths of a core, all else in whole units.

Each pod also takes one of the resource `pods`, so that the limit of pods a node is a resource like any other.
"""

from __future__ import annotations

from kube.objects import Json
from kube.pods import resources
from kube.quantity import NANO
from kube.resourcelist import MILLI, nano

Amounts = dict[str, int]


def amounts(written: Json | None) -> Amounts:
    """A resource list (`{"cpu": "100m"}`) in scheduler units."""
    return {name: units(name, nano(value)) for name, value in (written or {}).items()}


def units(name: str, amount: int) -> int:
    """Billionths of a resource in scheduler units, rounded up."""
    return -(-amount // (MILLI if name == "cpu" else NANO))


def requests(spec: Json) -> Amounts:
    """All that the pod asks for, zero amounts left out."""
    return {"pods": 1, **{n: units(n, amount) for n, amount in resources.requests(spec, nano).items() if amount}}


def scoring_requests(spec: Json) -> tuple[int, int]:
    """(cpu, memory) as scoring counts them: with a floor for containers that ask for nothing."""
    total = resources.requests(spec, nano, missing=resources.SCORED)
    return units("cpu", total.get("cpu", 0)), units("memory", total.get("memory", 0))

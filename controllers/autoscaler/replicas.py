"""The arithmetic of the autoscaler. Pure functions; amounts are integers of one unit (thousandths of a core, bytes)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

TOLERANCE = 0.1


@dataclass(frozen=True)
class Load:
    """Pods of a workload by name: what they `use` and `ask` for; `unready` ones, and `missing` ones without figures."""

    use: dict[str, int]
    ask: dict[str, int] = field(default_factory=dict)
    unready: frozenset[str] = frozenset()
    missing: frozenset[str] = frozenset()


def by_utilization(load: Load, target: int, current: int) -> tuple[int, int]:
    """(replicas, present utilization in percent) for a target in percent of what the pods ask for."""
    ready = {name: amount for name, amount in load.use.items() if name not in load.unready}
    asked = sum(load.ask[name] for name in ready)
    percent = sum(ready.values()) * 100 // asked if asked else 0
    whole = {name: load.ask[name] * max(target, 100) // 100 for name in load.missing}

    def ratio(use: dict[str, int]) -> float:
        total = sum(load.ask[name] for name in use)
        return sum(use.values()) * 100 / total / target if total else 0.0

    return _replicas(ratio, ready, load, whole, current), percent


def by_value(load: Load, target: int, current: int) -> tuple[int, int]:
    """(replicas, present average) for a target average a pod."""
    ready = {name: amount for name, amount in load.use.items() if name not in load.unready}
    average = sum(ready.values()) // len(ready) if ready else 0
    whole = dict.fromkeys(load.missing, target)

    def ratio(use: dict[str, int]) -> float:
        return sum(use.values()) / len(use) / target if use else 0.0

    return _replicas(ratio, ready, load, whole, current), average


def _replicas(ratio: Any, ready: dict[str, int], load: Load, whole: dict[str, int], current: int) -> int:
    """Pods without figures count so that they damp the change: as idle when scaling up, as busy when scaling down."""
    first = ratio(ready)
    waiting = load.unready if first > 1 else frozenset()
    if not waiting and not load.missing:
        return current if abs(first - 1) <= TOLERANCE else math.ceil(first * len(ready))
    use = {**ready, **dict.fromkeys(waiting, 0)}
    use |= whole if first < 1 else dict.fromkeys(load.missing, 0)
    second = ratio(use)
    if abs(second - 1) <= TOLERANCE or (first < 1) != (second < 1):
        return current
    wanted = math.ceil(second * len(use))
    return current if (second < 1 and wanted > current) or (second > 1 and wanted < current) else wanted

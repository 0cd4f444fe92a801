"""The arithmetic of the autoscaler. Pure functions; amounts are integers of one unit (thousandths of a core, bytes)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from kube import quantity
from kube.objects import Json


class Tolerance(NamedTuple):
    """How far below and above its target the load may be, as parts of the target, before anything changes."""

    down: float = 0.1
    up: float = 0.1

    def covers(self, ratio: float) -> bool:
        return 1 - self.down <= ratio <= 1 + self.up


USUAL = Tolerance()


def tolerance(behavior: Json | None) -> Tolerance:
    """As `spec.behavior` has it, a quantity for each way."""
    said = [((behavior or {}).get(way) or {}).get("tolerance") for way in ("scaleDown", "scaleUp")]
    return Tolerance(
        *(
            usual if value is None else quantity.parse(value).nano / quantity.NANO
            for value, usual in zip(said, USUAL, strict=True)
        )
    )


@dataclass(frozen=True)
class Load:
    """Pods of a workload by name: what they `use` and `ask` for; `unready` ones, and `missing` ones without figures."""

    use: dict[str, int]
    ask: dict[str, int] = field(default_factory=dict)
    unready: frozenset[str] = frozenset()
    missing: frozenset[str] = frozenset()


def by_utilization(load: Load, target: int, current: int, near: Tolerance = USUAL) -> tuple[int, int]:
    """(replicas, present utilization in percent) for a target in percent of what the pods ask for."""
    ready = {name: amount for name, amount in load.use.items() if name not in load.unready}
    asked = sum(load.ask[name] for name in ready)
    percent = sum(ready.values()) * 100 // asked if asked else 0
    whole = {name: load.ask[name] * max(target, 100) // 100 for name in load.missing}

    def ratio(use: dict[str, int]) -> float:
        total = sum(load.ask[name] for name in use)
        return sum(use.values()) * 100 / total / target if total else 0.0

    return _replicas(ratio, ready, load, whole, current, near), percent


def by_value(load: Load, target: int, current: int, near: Tolerance = USUAL) -> tuple[int, int]:
    """(replicas, present average) for a target average a pod."""
    ready = {name: amount for name, amount in load.use.items() if name not in load.unready}
    average = sum(ready.values()) // len(ready) if ready else 0
    whole = dict.fromkeys(load.missing, target)

    def ratio(use: dict[str, int]) -> float:
        return sum(use.values()) / len(use) / target if use else 0.0

    return _replicas(ratio, ready, load, whole, current, near), average


def _replicas(
    ratio: Callable[[dict[str, int]], float],
    ready: dict[str, int],
    load: Load,
    whole: dict[str, int],
    current: int,
    near: Tolerance,
) -> int:
    """Pods without figures count so that they damp the change: as idle when scaling up, as busy when scaling down."""
    first = ratio(ready)
    waiting = load.unready if first > 1 else frozenset()
    if not waiting and not load.missing:
        return current if near.covers(first) else math.ceil(first * len(ready))
    use = {**ready, **dict.fromkeys(waiting, 0)}
    use |= whole if first < 1 else dict.fromkeys(load.missing, 0)
    second = ratio(use)
    if near.covers(second) or (first < 1) != (second < 1):
        return current
    wanted = math.ceil(second * len(use))
    return current if (second < 1 and wanted > current) or (second > 1 and wanted < current) else wanted

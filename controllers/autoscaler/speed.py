"""How fast an autoscaler goes: the windows over which its recommendations count, and the policies of `spec.behavior`."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from kube.objects import Json

DOWN_WINDOW = 300  # seconds over which the highest recommendation counts when scaling down, unless it is said
REMEMBERED = 256  # recommendations and changes of one autoscaler
UP, DOWN = "scaleUp", "scaleDown"
_FASTER = "the desired replica count is {} faster than the maximum scale rate"


class Said(NamedTuple):
    """Reason and message of a condition, in the words of the real controller."""

    reason: str
    message: str


READY = Said("ReadyForNewScale", "recommended size matches current size")
WAITING = {
    UP: Said(
        "ScaleUpStabilized",
        "recent recommendations were lower than current one, applying the lowest recent recommendation",
    ),
    DOWN: Said(
        "ScaleDownStabilized",
        "recent recommendations were higher than current one, applying the highest recent recommendation",
    ),
}
WITHIN = Said("DesiredWithinRange", "the desired count is within the acceptable range")
TOO_MANY = Said("TooManyReplicas", "the desired replica count is more than the maximum replica count")
TOO_FEW = Said("TooFewReplicas", "the desired replica count is less than the minimum replica count")
UP_LIMIT = Said("ScaleUpLimit", _FASTER.format("increasing"))
DOWN_LIMIT = Said("ScaleDownLimit", _FASTER.format("decreasing"))


class Past:
    """What is remembered of one autoscaler, each as (when, how many). It begins with the size that was found.

    So nothing shrinks before a window is over.
    """

    def __init__(self, now: float, current: int) -> None:
        self.recommended: deque[tuple[float, int]] = deque([(now, current)], maxlen=REMEMBERED)
        self.changed: deque[tuple[float, int]] = deque(maxlen=REMEMBERED)  # replicas added, or taken away (negative)


def stabilized(wanted: int, current: int, past: Past, now: float, behavior: Json | None) -> tuple[int, Said]:
    """(the recommendation after the windows, what AbleToScale says of it); `behavior`: of the spec, with its defaults."""
    if behavior is None:
        steady = max([wanted, *(n for at, n in past.recommended if at >= now - DOWN_WINDOW)])
        return steady, READY if steady == wanted else WAITING[DOWN]
    up = behavior[UP].get("stabilizationWindowSeconds") or 0
    down = behavior[DOWN].get("stabilizationWindowSeconds")
    down = DOWN_WINDOW if down is None else down
    lowest = min((n for at, n in past.recommended if at > now - up and n < wanted), default=wanted)
    highest = max((n for at, n in past.recommended if at > now - down and n > wanted), default=wanted)
    steady = min(max(current, lowest), highest)
    return steady, READY if steady == wanted else WAITING[UP if wanted >= current else DOWN]


def limited(
    wanted: int, current: int, lowest: int, highest: int, past: Past, now: float, behavior: Json | None
) -> tuple[int, Said]:
    """(replicas after the limits of the spec and of the speed, what ScalingLimited says)."""
    fastest, slowest = max(2 * current, 4), lowest
    if behavior is not None:
        fastest = max(_bound(UP, behavior[UP], current, past.changed, now), current)
        slowest = max(min(_bound(DOWN, behavior[DOWN], current, past.changed, now), current), lowest)
    if wanted > min(fastest, highest):
        return (fastest, UP_LIMIT) if highest > fastest else (highest, TOO_MANY)
    # To the least that is allowed one may always grow: only what shrinks is slowed down.
    least = slowest if wanted < current else lowest
    if wanted < least:
        return least, DOWN_LIMIT if least > lowest else TOO_FEW
    return wanted, WITHIN


def _bound(way: str, rules: Json, current: int, changed: Iterable[tuple[float, int]], now: float) -> int:
    """How far the policies let it go now: each from the size at the begin of its period."""
    if rules["selectPolicy"] == "Disabled":
        return current
    bounds = []
    for policy in rules["policies"]:
        before = current - sum(n for at, n in changed if at > now - policy["periodSeconds"])
        sign, value = 1 if way == UP else -1, policy["value"]
        if policy["type"] == "Pods":
            bounds.append(before + sign * value)
        else:  # rounded so that a small one does not stand still
            bounds.append((math.ceil if way == UP else math.floor)(before * (100 + sign * value) / 100))
    far, near = (max, min) if way == UP else (min, max)
    bound: int = far(bounds) if rules["selectPolicy"] == "Max" else near(bounds)
    return bound

"""How many replicas: the arithmetic of rollouts. Pure functions on Deployment and ReplicaSet objects."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from kube import quantity
from kube.objects import Json, whole

REVISION = "deployment.kubernetes.io/revision"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MAXIMUM = "deployment.kubernetes.io/max-replicas"


def replicas(obj: Json) -> int:
    """`spec.replicas`."""
    wanted: int = obj["spec"].get("replicas", 1)
    return wanted


def stat(obj: Json, field: str) -> int:
    """A counter of the status; absent is 0."""
    return (obj.get("status") or {}).get(field) or 0


def total(sets: Iterable[Json]) -> int:
    """The sum of `spec.replicas`."""
    return sum(replicas(rs) for rs in sets)


def active(sets: Iterable[Json]) -> list[Json]:
    """Replica sets that want pods."""
    return [rs for rs in sets if replicas(rs) > 0]


def is_rolling(d: Json) -> bool:
    return bool((d["spec"].get("strategy") or {}).get("type", "RollingUpdate") == "RollingUpdate")


def fences(d: Json) -> tuple[int, int]:
    """(maxSurge, maxUnavailable) as numbers of pods; never both 0, or the rollout could not move."""
    if not is_rolling(d):
        return 0, 0
    rolling = d["spec"].get("strategy", {}).get("rollingUpdate") or {}
    surge = quantity.share(rolling.get("maxSurge", "25%"), replicas(d))
    unavailable = quantity.share(rolling.get("maxUnavailable", "25%"), replicas(d), up=False)
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return surge, unavailable


def max_surge(d: Json) -> int:
    return fences(d)[0]


def max_unavailable(d: Json) -> int:
    return min(fences(d)[1], replicas(d))


def new_size(d: Json, sets: Sequence[Json], new: Json | None) -> int:
    """Replicas that the new replica set may have now, given all others."""
    size = replicas(new) if new else 0
    if not is_rolling(d):
        return replicas(d)
    if size >= replicas(d):
        return replicas(d)
    room = replicas(d) + max_surge(d) - total(sets)
    return size + min(room, replicas(d) - size) if room > 0 else size


def cleanup_sizes(old: Sequence[Json], limit: int) -> dict[str, int]:
    """New sizes of old replica sets so that pods that are not available go first; at most `limit` pods in all."""
    sizes: dict[str, int] = {}
    for rs in old:
        broken = replicas(rs) - stat(rs, "availableReplicas")
        count = min(limit, broken)
        if replicas(rs) and count > 0:
            sizes[rs["metadata"]["name"]] = replicas(rs) - count
            limit -= count
    return sizes


def shrink_sizes(old: Sequence[Json], sizes: dict[str, int], count: int) -> dict[str, int]:
    """New sizes of old replica sets, oldest first, so that `count` more pods go; on top of `sizes`."""
    result = dict(sizes)
    for rs in old:
        name = rs["metadata"]["name"]
        size = result.get(name, replicas(rs))
        step = min(size, count)
        if step > 0:
            result[name] = size - step
            count -= step
    return result


def old_sizes(d: Json, sets: Sequence[Json], new: Json, old: Sequence[Json]) -> dict[str, int]:
    """New sizes (by name) of the old replica sets that can shrink now without going below what must be available."""
    minimum = replicas(d) - max_unavailable(d)
    waiting = replicas(new) - stat(new, "availableReplicas")
    limit = total(sets) - minimum - waiting
    if total(old) == 0 or limit <= 0:
        return {}
    sizes = cleanup_sizes(old, limit)
    spare = sum(stat(rs, "availableReplicas") for rs in sets) - minimum
    return shrink_sizes(old, sizes, spare) if spare > 0 else sizes


def is_scaling(d: Json, sets: Iterable[Json]) -> bool:
    """Whether the size of the deployment changed since its replica sets were sized."""
    for rs in active(sets):
        desired = _annotated(rs, DESIRED)
        if desired is not None and desired != replicas(d):
            return True
    return False


def scaled_sizes(d: Json, new: Json | None, old: Sequence[Json]) -> dict[str, int]:
    """New sizes (by name) when the deployment was scaled in the middle of a rollout or outside one."""
    sets = [*old, *([new] if new else [])]
    only = _only_one(new, old)
    if only is not None:
        return {only["metadata"]["name"]: replicas(d)}
    if new is not None and _saturated(d, new):
        return {rs["metadata"]["name"]: 0 for rs in active(old)}
    if not is_rolling(d):
        return {}
    return _proportional(d, active(sets))


def _only_one(new: Json | None, old: Sequence[Json]) -> Json | None:
    """The single active replica set; when none is active, the newest."""
    sets = [*([new] if new else []), *old]
    running = active(sets)
    if len(running) == 1:
        return running[0]
    if running or not sets:
        return None
    return new or max(old, key=lambda rs: rs["metadata"].get("creationTimestamp") or "")


def _saturated(d: Json, new: Json) -> bool:
    wanted = replicas(d)
    return _annotated(new, DESIRED) == wanted == replicas(new) == stat(new, "availableReplicas")


def _proportional(d: Json, sets: list[Json]) -> dict[str, int]:
    """Spread the difference over the replica sets by their share; the biggest takes what rounding leaves."""
    allowed = replicas(d) + max_surge(d) if replicas(d) > 0 else 0
    difference = allowed - total(sets)
    newest_first = difference > 0
    sets = sorted(sets, key=lambda rs: rs["metadata"].get("creationTimestamp") or "", reverse=newest_first)
    sets.sort(key=replicas, reverse=True)
    sizes, added = {}, 0
    for rs in sets:
        share = _proportion(d, rs, difference - added)
        sizes[rs["metadata"]["name"]] = replicas(rs) + share
        added += share
    if sets and difference:
        first = sets[0]["metadata"]["name"]
        sizes[first] = max(sizes[first] + difference - added, 0)
    return sizes


def _proportion(d: Json, rs: Json, left: int) -> int:
    """The change of size that keeps the share of this replica set, towards `left` and no further."""
    if replicas(d) == 0:
        change = -replicas(rs)
    else:
        maximum = _annotated(rs, MAXIMUM) or stat(d, "replicas") or replicas(rs)
        change = math.floor(replicas(rs) * (replicas(d) + max_surge(d)) / maximum + 0.5) - replicas(rs)
    return min(change, left) if left > 0 else max(change, left) if left < 0 else 0


def _annotated(rs: Json, name: str) -> int | None:
    return whole((rs["metadata"].get("annotations") or {}).get(name, ""))

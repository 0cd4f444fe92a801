"""What to do next with the pods of a stateful set. Pure: set, revisions and pods in, steps out.

OrderedReady does one thing at a time and waits for every lower ordinal to be available; Parallel does all at once, but
replaces pods of an old template in order, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from controllers.pods import PodView
from controllers.revisions import REVISION_LABEL
from controllers.statefulset.identity import first_ordinal, ordinal_of
from kube.objects import Json
from kube.quantity import share


@dataclass
class Steps:
    """Ordinals to create (with the name of the revision to use), pods to delete, seconds after which to look again."""

    create: list[tuple[int, str]] = field(default_factory=list)
    delete: list[PodView] = field(default_factory=list)
    recreate: list[PodView] = field(default_factory=list)
    after: float | None = None


@dataclass
class Situation:
    """A stateful set as found. `current` and `update` are names of revisions."""

    sts: Json
    current: str
    update: str
    pods: Sequence[PodView]
    now: float

    @property
    def replicas(self) -> int:
        wanted: int = self.sts["spec"].get("replicas", 1)
        return wanted

    @property
    def start(self) -> int:
        return first_ordinal(self.sts)

    @property
    def ordered(self) -> bool:
        return bool(self.sts["spec"].get("podManagementPolicy", "OrderedReady") == "OrderedReady")

    @property
    def rolling(self) -> Json | None:
        """The parameters of the rolling update, None with OnDelete."""
        strategy = self.sts["spec"].get("updateStrategy") or {}
        if strategy.get("type", "RollingUpdate") != "RollingUpdate":
            return None
        return strategy.get("rollingUpdate") or {}

    def wanted(self) -> dict[int, PodView | None]:
        """The pod of each ordinal that should be there."""
        found: dict[int, PodView | None] = dict.fromkeys(range(self.start, self.start + self.replicas))
        for pod in self.pods:
            if ordinal_of(pod.name) in found:
                found[ordinal_of(pod.name)] = pod
        return found

    def condemned(self) -> list[PodView]:
        """Pods beyond the wanted ordinals, highest first."""
        ends = range(self.start, self.start + self.replicas)
        extra = [pod for pod in self.pods if ordinal_of(pod.name) not in ends]
        return sorted(extra, key=lambda pod: ordinal_of(pod.name), reverse=True)

    def available_in(self, pod: PodView) -> float | None:
        if pod.phase != "Running":
            return None
        return pod.available_in(self.sts["spec"].get("minReadySeconds", 0), self.now)

    def healthy(self, pod: PodView) -> bool:
        return not pod.terminating and self.available_in(pod) == 0


def revision_of(pod: PodView) -> str:
    return pod.metadata.labels.get(REVISION_LABEL, "")


def next_steps(s: Situation) -> Steps:
    """The next steps: fill the wanted ordinals, then remove the surplus, then replace what has an old template."""
    steps = Steps()
    if _fill(s, steps) and _shrink(s, steps) and s.rolling is not None:
        _replace(s, s.rolling, steps)
    return steps


def _fill(s: Situation, steps: Steps) -> bool:
    """Create missing and replace finished pods; False when an ordered set has to wait here."""
    for ordinal, pod in s.wanted().items():
        if pod is None:
            steps.create.append((ordinal, _revision_for(s, ordinal)))
        elif pod.finished and not pod.terminating:
            steps.recreate.append(pod)
        elif not s.ordered or s.healthy(pod):
            continue
        else:
            _wait(s, steps, pod)
        if s.ordered:
            return False
    return True


def _revision_for(s: Situation, ordinal: int) -> str:
    """Below the partition (or, without one, below what is still current) a pod comes back with its old template."""
    if s.rolling is None:
        return s.update
    kept = s.rolling.get("partition")
    if kept is None:
        kept = (s.sts.get("status") or {}).get("currentReplicas", 0)
    return s.current if ordinal < s.start + kept else s.update


def _shrink(s: Situation, steps: Steps) -> bool:
    """Delete condemned pods; an ordered set one by one, and only while all others are healthy."""
    everyone = [pod for pod in s.wanted().values() if pod is not None] + s.condemned()
    unhealthy = min((pod for pod in everyone if not s.healthy(pod)), key=lambda p: ordinal_of(p.name), default=None)
    for pod in s.condemned():
        if pod.terminating:
            if s.ordered:
                return False
            continue
        if s.ordered and not s.healthy(pod) and pod is not unhealthy:
            return False
        steps.delete.append(pod)
        if s.ordered:
            return False
    return True


def _replace(s: Situation, rolling: Json, steps: Steps) -> None:
    """Delete pods of an old template, highest ordinal first, while not too many are unavailable."""
    allowed = max_unavailable(s, rolling.get("maxUnavailable"))
    pods = [pod for pod in s.wanted().values() if pod is not None]
    lowest, down = s.start + rolling.get("partition", 0), 0
    for pod in sorted(pods, key=lambda pod: ordinal_of(pod.name), reverse=True):
        if ordinal_of(pod.name) < lowest or down >= allowed:
            break
        if revision_of(pod) != s.update and not pod.terminating:
            steps.delete.append(pod)
            down += 1
        elif not s.healthy(pod):
            _wait(s, steps, pod)
            down += 1


def max_unavailable(s: Situation, value: int | str | None) -> int:
    """How many pods a rolling update may have down at once: at least one."""
    return max(share(value, s.replicas), 1)


def _wait(s: Situation, steps: Steps, pod: PodView) -> None:
    """A pod that is ready but not long enough needs another look; all else shows as a change."""
    left = None if pod.terminating else s.available_in(pod)
    if left:
        steps.after = min(left, steps.after if steps.after is not None else left)


def status(s: Situation, collisions: int) -> Json:
    """The counters; when the rolling update is complete, the update revision becomes the current one."""
    alive = [pod for pod in s.pods if not pod.terminating]
    running = [pod for pod in s.pods if pod.phase == "Running" and pod.ready]
    counts = {
        "observedGeneration": s.sts["metadata"].get("generation", 0),
        "replicas": len(s.pods),
        "readyReplicas": len(running),
        "currentReplicas": sum(revision_of(pod) == s.current for pod in alive),
        "updatedReplicas": sum(revision_of(pod) == s.update for pod in alive),
    }
    current = s.current
    if (
        s.rolling is not None
        and counts["updatedReplicas"] == counts["readyReplicas"] == counts["replicas"] == s.replicas
    ):
        current, counts["currentReplicas"] = s.update, counts["updatedReplicas"]
    new: Json = {name: value for name, value in counts.items() if value or name == "replicas"}
    new["availableReplicas"] = sum(s.available_in(pod) == 0 for pod in running)
    new.update(currentRevision=current, updateRevision=s.update, collisionCount=collisions)
    if (s.sts.get("status") or {}).get("conditions"):
        new["conditions"] = s.sts["status"]["conditions"]
    return new

"""How a configuration comes into force: the decisions, without a cluster. `addons.manager` carries them out.

    new data ──valid──▶ rollout ──healthy──▶ in force
        └──invalid──▶ refused      └──not healthy in time, or refused by the API──▶ rolled back to what was in force

With nothing in force yet (a new cluster) there is nothing to go back to: the rollout goes on, and says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from addons import audit, state
from addons.catalogue import DEADLINE
from addons.health import Health
from addons.state import Last, Rollout, State, Values
from kube import clock
from kube.errors import ApiError

SETTLE = 10.0  # seconds for which all pods have to be ready, a quarter of the deadline at most
GRACE = 15.0  # seconds that a manager looks at a rollout itself before it gives up on it


@dataclass(frozen=True, slots=True)
class Verdict:
    """What comes of a look at a rollout: the state after, the data to write back, and how it ended (None: it goes on)."""

    state: State
    outcome: str | None = None
    data: Values | None = None
    reason: str = ""


def accepted(known: State, asked: Rollout) -> State:
    """The state after valid data were found."""
    calm = known.but(error="", refused="")
    if known.in_force is not None and dict(asked.values) == dict(known.in_force):
        return calm.but(rollout=None)
    return calm.but(rollout=asked, state=state.ROLLING)


def refused(known: State, asked: Rollout, problems: Mapping[str, str]) -> State:
    """The state after invalid data: what was in force stays; on a new cluster, defaults stand in for them."""
    kept = known.but(rollout=None) if known.in_force is not None else known.but(rollout=known.rollout or asked)
    stays = "the configuration that was in force stays" if known.in_force is not None else "the rest is applied"
    return kept.but(error=f"{' '.join(problems.values())} Until this is mended, {stays}.", refused=",".join(problems))


def standing(known: State, health: Health, failure: Exception | None) -> State:
    """The state of an addon that is not being changed."""
    if not known.enabled:
        return known.but(state=state.OFF, error=_error(known, failure), health="")
    word = state.UNHEALTHY if failure or health.trouble else state.HEALTHY
    return known.but(state=word, error=_error(known, failure), health=health.trouble)


def _error(known: State, failure: object) -> str:
    """What the annotation says; a refusal stays in it until the data change."""
    return known.error if known.refused else str(failure or "")


def judge(
    known: State, health: Health, failure: Exception | None, nodes: tuple[float, str], now: float, met: float
) -> Verdict:
    """What comes of a rollout. `nodes`: since when the nodes that matter are ready, and why they are not; `met`: since
    when this manager looks at it."""
    current = known.rollout
    assert current is not None, "only a rollout is judged"
    deadline = float(current.values.get(DEADLINE.name, DEADLINE.default))
    enabled = current.values.get("enabled") == "true"
    steady = not health.trouble and now - max(current.started, health.since) >= min(SETTLE, deadline / 4)
    if not failure and (steady or not enabled or not health.workloads):
        last = _last(audit.ROLLED_OUT, current, known.in_force, current.values, now)
        return Verdict(
            known.but(
                state=state.HEALTHY if enabled else state.OFF,
                health="",
                error=_error(known, ""),
                rollout=None,
                last=last,
                in_force=current.values,
            ),
            audit.ROLLED_OUT,
        )
    since, away = nodes
    late = not away and now >= max(max(current.started, since) + deadline, met + min(deadline, GRACE))
    reason = str(failure or health.trouble or "its pods do not stay ready")
    why = f"not healthy after {deadline:g} s: {reason}" if late else reason
    # Where the API refuses the objects, or they cannot be made, time does not help.
    hopeless = isinstance(failure, ValueError) or (isinstance(failure, ApiError) and failure.code in (400, 422))
    if known.in_force is not None and (late or hopeless):
        last = _last(audit.ROLLED_BACK, current, known.in_force, known.in_force, now, why)
        after = known.but(state=state.ROLLING, health="", error="", rollout=None, last=last)
        return Verdict(after, audit.ROLLED_BACK, known.in_force, why)
    if late:
        return Verdict(
            known.but(
                state=state.UNHEALTHY,
                health=health.trouble,
                error=_error(known, f"{why}. There is no earlier configuration to go back to."),
            ),
            audit.UNHEALTHY,
        )
    waiting = f"{away}: the deadline waits for it" if away else health.trouble
    return Verdict(known.but(state=state.ROLLING, health=waiting, error=_error(known, failure)))


def _last(result: str, current: Rollout, before: Values | None, after: Values, now: float, why: str = "") -> Last:
    keys = [key for key, _, new in audit.differences(before or current.values, current.values) if new is not None]
    return Last(
        result,
        {key: current.values[key] for key in keys},
        {key: after[key] for key in keys},
        why,
        clock.stamp(now),
        current.revision,
    )


def in_words(last: Last | None) -> str:
    """How a rollout ended, as a sentence."""
    if last is None:
        return ""
    tried, kept = (
        ", ".join(f"{key}={value}" for key, value in found.items()) or "the first configuration"
        for found in (last.tried, last.in_force)
    )
    if last.result == audit.ROLLED_BACK:
        return f"Rolled back {tried}: {last.reason}. In force: {kept}."
    return f"In force: {kept}."

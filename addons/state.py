"""What the manager knows of an addon: all of it in the annotations of the addon's ConfigMap, where kubectl shows it.

| annotation `addons.binnacle/…` | what it holds |
| --- | --- |
| `state` | healthy, rolling out, not healthy, or off |
| `error` | why the configuration is refused, could not be applied or does not become healthy; absent when all is well |
| `refused` | the keys of the data that are refused; absent when none is |
| `health` | what is wrong with the workloads; absent when nothing is |
| `in-force` | the last configuration that became healthy, as JSON |
| `rollout` | the configuration that is being rolled out, since when, by whom; absent when none is |
| `last-rollout` | how the last rollout ended: when, what was tried, what is in force, why it was rolled back |
| `observed` | a digest of the data that the manager has dealt with |
| `version` | the version of the addon that was applied |

A manager that is killed goes on from here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import orjson

from addons.catalogue import Addon
from kube import clock
from kube.objects import Json

Values = Mapping[str, str]

PREFIX = "addons.binnacle/"
STATE, ERROR, REFUSED, HEALTH, IN_FORCE, ROLLOUT, LAST, OBSERVED, VERSION = (
    PREFIX + name
    for name in ("state", "error", "refused", "health", "in-force", "rollout", "last-rollout", "observed", "version")
)
HEALTHY, ROLLING, UNHEALTHY, OFF = "healthy", "rolling out", "not healthy", "off"
LONGEST = 2_000  # characters of an annotation in words


@dataclass(frozen=True, slots=True)
class Rollout:
    """A configuration on its way. `started`: epoch seconds; `revision`: of the ConfigMap that asked for it."""

    values: Values
    started: float
    revision: int
    by: str = ""


@dataclass(frozen=True, slots=True)
class Last:
    """How a rollout ended. `tried` and `in_force` hold the keys that differ."""

    result: str
    tried: Values
    in_force: Values
    reason: str = ""
    at: str = ""
    revision: int = 0


@dataclass(frozen=True, slots=True)
class State:
    """See the module's table."""

    state: str = ""
    error: str = ""
    refused: str = ""
    health: str = ""
    in_force: Values | None = None
    rollout: Rollout | None = None
    last: Last | None = None
    observed: str = ""
    version: str = ""

    @property
    def values(self) -> Values:
        """The configuration that is applied: what is being rolled out, else what is in force."""
        return self.rollout.values if self.rollout else self.in_force or {}

    @property
    def enabled(self) -> bool:
        return self.values.get("enabled") == "true"

    def but(self, **changes: Any) -> State:
        return replace(self, **changes)


def read(config: Json) -> State:
    """The state in a ConfigMap's annotations; what somebody made unreadable counts as absent."""
    found = (config.get("metadata") or {}).get("annotations") or {}
    rollout, last = _json(found, ROLLOUT), _json(found, LAST)
    in_force = _json(found, IN_FORCE)
    if rollout is not None:
        try:
            started = clock.parse(rollout["started"])
        except (KeyError, TypeError, ValueError):
            started = 0.0
        rollout = {**rollout, "started": started, "values": _values(rollout.get("values"))}
    return State(
        found.get(STATE, ""),
        found.get(ERROR, ""),
        found.get(REFUSED, ""),
        found.get(HEALTH, ""),
        _values(in_force),
        _made(Rollout, rollout),
        _made(Last, last and {**last, "in_force": last.get("inForce"), "inForce": None}),
        found.get(OBSERVED, ""),
        found.get(VERSION, ""),
    )


def notes(state: State) -> dict[str, str | None]:
    """The annotations of a state; None for one that is to be absent."""
    rollout = state.rollout and {**asdict(state.rollout), "started": clock.stamp(state.rollout.started)}
    # `kubectl describe` shows the beginning of an annotation: what was tried comes first.
    last = state.last and {{"in_force": "inForce"}.get(name, name): value for name, value in asdict(state.last).items()}
    words = {
        STATE: state.state,
        ERROR: state.error[:LONGEST],
        REFUSED: state.refused,
        HEALTH: state.health[:LONGEST],
        OBSERVED: state.observed,
        VERSION: state.version,
    }
    return {
        **{name: text or None for name, text in words.items()},
        IN_FORCE: _text(state.in_force),
        ROLLOUT: _text(rollout),
        LAST: _text(last),
    }


def data_of(config: Json) -> dict[str, str]:
    """What a ConfigMap asks for: its data; keys of binaryData too, so that they are refused by name."""
    return {**dict.fromkeys(config.get("binaryData") or (), ""), **(config.get("data") or {})}


def digest(data: Values) -> str:
    """A short name for some data."""
    return hashlib.blake2b(orjson.dumps(dict(data), option=orjson.OPT_SORT_KEYS), digest_size=8).hexdigest()


def complete(addon: Addon, values: Values) -> dict[str, str]:
    """Values with a default for each option that they do not have, and without those that there no longer are."""
    return {name: values.get(name, default) for name, default in addon.defaults.items()}


def _json(notes: Json, name: str) -> Json | None:
    try:
        found = orjson.loads(notes.get(name) or "null")
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def _text(value: Any) -> str | None:
    return None if value is None else orjson.dumps(value).decode()


def _values(found: Any) -> Values | None:
    return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else None


def _made(kind: type[Any], found: Json | None) -> Any:
    """An object of JSON that may have been edited by hand; None when parts are missing."""
    fields = kind.__dataclass_fields__
    known = {name: value for name, value in (found or {}).items() if name in fields and value is not None}
    try:
        return kind(**known) if found else None
    except TypeError:
        return None

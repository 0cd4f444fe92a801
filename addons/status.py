"""What the pages show of the addons, and the change of one: through the same ConfigMap that kubectl edits."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache as once
from typing import Any

import orjson

from addons import audit, health, options, state
from addons.catalogue import NAMESPACE, Addon, catalogue
from addons.health import Health
from addons.state import State
from cluster.cache import Cache
from cluster.store import Key, Store
from cluster.verbs import Session
from kube import clock
from kube.errors import Conflict
from kube.objects import Json
from kube.pods import podutil
from kube.pods.summary import summarize
from kube.redact.text import clean
from kube.users import AUTHENTICATED, User

WARNINGS = 8  # events shown
ATTEMPTS = 20  # writes, when the manager's notes come in between


class Changed(Exception):
    """Somebody else changed the configuration since the form was shown."""


@dataclass(frozen=True, slots=True)
class AddonStatus:
    """One addon: what it is asked to be, what the manager says, and how its workloads do."""

    addon: Addon
    data: Mapping[str, str]
    state: State
    health: Health
    revision: int = 0

    @property
    def enabled(self) -> bool:
        """Whether its ConfigMap asks for it."""
        return self.values["enabled"] == "true"

    @property
    def values(self) -> dict[str, str]:
        """What the ConfigMap asks for, with defaults where it says nothing."""
        return state.complete(self.addon, self.data)

    @property
    def word(self) -> str:
        """How it is, in a word or two: a refused configuration comes before how the one in force does."""
        if self.state.refused:
            return "refused"
        return self.state.state or "unknown"

    @property
    def digest(self) -> str:
        """Names the configuration that a form shows. Not the resourceVersion: the manager's notes change that too."""
        return state.digest(self.data)

    @property
    def remaining(self) -> int:
        """Seconds until a rollout is given up."""
        current = self.state.rollout
        if current is None:
            return 0
        return max(0, int(current.started + float(current.values.get("rollout_deadline", 0)) - time.time()))

    @property
    def asks(self) -> list[audit.Change]:
        """What a rollout changes, by key: from what is in force, to what is tried."""
        return audit.differences(self.state.in_force or {}, self.state.rollout.values) if self.state.rollout else []


def cache() -> Cache:
    """The dashboard's cache of this cluster where it has one, else a small one of this module's own, as of now."""
    from dashboard.source import sources

    found = next((source.cache for source in sources.opened() if source.local), None) or _own_cache()
    found.refresh()
    return found


@once
def _own_cache() -> Cache:
    return Cache(
        Store.of(1), ("configmaps", *health.WORKLOADS, "replicasets.apps", "pods", "nodes", "events", "services")
    )


def all_addons() -> list[AddonStatus]:
    """The status of each addon, as of now."""
    seen = cache()
    return [_status(addon, seen) for addon in catalogue().values()]


def of(addon: Addon) -> AddonStatus:
    """The status of one addon, as of now."""
    return _status(addon, cache())


def _status(addon: Addon, seen: Cache) -> AddonStatus:
    entry = seen.get(Key("configmaps", NAMESPACE, addon.config_name))
    config = entry.object() if entry else {}
    return AddonStatus(
        addon, state.data_of(config), state.read(config), health.of(addon.name, seen), entry.revision if entry else 0
    )


def warnings(found: AddonStatus, seen: Cache) -> list[Json]:
    """The newest warnings about an addon's ConfigMap, workloads and pods."""
    names = {
        found.addon.config_name,
        *(w.name for w in found.health.workloads),
        *(pod["metadata"]["name"] for pod in found.health.pods),
    }
    rows = []
    for entry in seen.list("events", NAMESPACE):
        if b'"type":"Warning"' in entry.body:
            event = entry.object()
            about = event.get("involvedObject") or {}
            # A replica set, or a pod that is gone, has the workload's name before its own letters.
            if about.get("name") in names or any(
                str(about.get("name")).startswith(f"{w.name}-") for w in found.health.workloads
            ):
                rows.append(
                    {
                        "reason": event.get("reason"),
                        "message": clean(str(event.get("message") or ""))[:600],
                        "about": f"{about.get('kind')} {about.get('name')}",
                        "count": event.get("count") or 1,
                        "age": _age(event.get("lastTimestamp")),
                        "at": event.get("lastTimestamp") or "",
                    }
                )
    return sorted(rows, key=lambda row: str(row["at"]), reverse=True)[:WARNINGS]


def pods(found: AddonStatus) -> list[Json]:
    """The addon's pods in brief: readiness, restarts, how a container ended last."""
    rows = []
    for pod in found.health.pods:
        summary = summarize(pod)
        ends = [(one["name"], end) for one, init in podutil.statuses(pod) if not init and (end := health.last_end(one))]
        rows.append(
            {
                "name": pod["metadata"]["name"],
                "node": (pod.get("spec") or {}).get("nodeName") or "",
                "phase": summary.word,
                "trouble": health.pod_trouble(pod),
                "ready": summary.ready,
                "of": summary.total,
                "restarts": summary.restarts,
                "age": _age(pod["metadata"].get("creationTimestamp")),
                "ends": [
                    {
                        "container": name,
                        "code": end.get("exitCode"),
                        "reason": end.get("reason") or "",
                        "message": clean(str(end.get("message") or ""))[-600:],
                        "age": _age(end.get("finishedAt")),
                    }
                    for name, end in ends
                ],
            }
        )
    return rows


def _age(stamp: Any) -> str:
    try:
        return clock.human(time.time() - clock.parse(stamp))
    except (TypeError, ValueError):
        return ""


def change(addon: Addon, wanted: Mapping[str, str], user: str, seen: str = "") -> list[audit.Change]:
    """Ask for these values; the addon manager does the rest. Returns what changed.

    `seen` is the digest of the configuration that the user looked at. Raises Changed when it is another by now,
    OptionError for invalid values.
    """
    store = Store.of(1)
    session = Session(1, User(f"addon-admin:{user}", groups=(AUTHENTICATED,)), cache(), store)
    for _ in range(ATTEMPTS):
        now = of(addon)
        if seen and seen != now.digest:
            raise Changed
        values, problems = options.check(addon.settings, {**now.values, **wanted})
        if problems:
            raise options.OptionError(" ".join(problems.values()))
        changes = audit.differences(now.data, values)
        if not changes:
            return []
        try:
            patch = {
                "data": {key: new for key, _, new in changes},
                "metadata": {"resourceVersion": str(now.revision)},
            }
            saved = session.patch(
                "configmaps",
                NAMESPACE,
                addon.config_name,
                orjson.dumps(patch),
                "application/merge-patch+json",
                field_manager="addon-admin",
            )
        except Conflict:  # the manager's notes, or another admin: look again
            continue
        audit.record(
            store.database,
            addon.name,
            audit.CHANGED,
            user,
            int(saved["metadata"]["resourceVersion"]),
            changes,
            known=True,
        )
        return changes
    raise Changed

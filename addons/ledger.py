"""An addon's ConfigMap in the manager's hands: what is in it, what the manager writes into it, and what it tells of it.

Every write names the version that it is based on: whoever edits at the same moment is not overwritten, the manager looks
again.
"""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from addons import audit, options, rollout, state
from addons.catalogue import NAMESPACE, Addon
from addons.state import Rollout, State
from cluster.events import Recorder
from controllers.runtime import Context
from kube.objects import Json

MANAGER = "addon-manager"  # owner of the fields that manifests set, and actor in the audit trail

recorder = Recorder(MANAGER)


class Ledger:
    """The ConfigMap of one addon, for one turn of the manager."""

    def __init__(self, addon: Addon, ctx: Context) -> None:
        self.addon, self._ctx = addon, ctx
        self.config = self._found_or_made()
        self.state = state.read(self.config)
        if self.state.in_force is not None:  # another version of the addon may have other options
            self.state = self.state.but(in_force=state.complete(addon, self.state.in_force))

    def _found_or_made(self) -> Json:
        name, session = self.addon.config_name, self._ctx.session
        found = session.get("configmaps", NAMESPACE, name)
        if found is not None:
            return dict(found)
        # Applied, not created, so that its fields have owners: whoever changes them later is known by name.
        return dict(
            session.patch(
                "configmaps",
                NAMESPACE,
                name,
                {
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "metadata": {"name": name, "namespace": NAMESPACE},
                    "data": self.addon.defaults,
                },
                "application/apply-patch+yaml",
                field_manager=MANAGER,
                force=True,
            )
        )

    def notice(self) -> None:
        """Write down data that the manager has not seen, and accept or refuse them."""
        known, data = self.state, state.data_of(self.config)
        if known.observed == state.digest(data) and (known.rollout or known.in_force is not None):
            return
        values, problems = options.check(self.addon.settings, data)
        wrong = {key: data[key] for key in problems if key in data}
        changes = audit.differences(known.values, {**values, **wrong}) if known.values else []
        asked = Rollout(
            values,
            self._ctx.now(),
            int(self.config["metadata"]["resourceVersion"]),
            audit.actor_of(self.config, changes),
        )
        if changes:
            self._record(audit.CHANGED, asked, changes, actor=asked.by)
        after = rollout.refused(known, asked, problems) if problems else rollout.accepted(known, asked)
        self.save(after.but(observed=state.digest(data)))
        if problems:
            self._record(audit.REFUSED, asked, [], after.error)
            self._tell("Warning", "AddonConfigRefused", after.error)

    def save(self, after: State, data: Mapping[str, str] | None = None) -> None:
        """Write a state (and data), unless the ConfigMap says so already. Raises Conflict when somebody else wrote."""
        after = after.but(version=self.addon.version)
        if data is not None:
            after = after.but(observed=state.digest(data))
        meta = self.config["metadata"]
        have = meta.get("annotations") or {}
        changed = {name: text for name, text in state.notes(after).items() if have.get(name) != text}
        self.state = after
        if changed or data is not None:
            patch = {
                "metadata": {"annotations": changed, "resourceVersion": meta["resourceVersion"]},
                **({"data": dict(data)} if data is not None else {}),
            }
            self.config = dict(
                self._ctx.session.patch(
                    "configmaps", NAMESPACE, self.addon.config_name, orjson.dumps(patch), "application/merge-patch+json"
                )
            )

    def conclude(self, verdict: rollout.Verdict) -> None:
        """Write down how a rollout goes, or how it ended."""
        before, current = self.state, self.state.rollout
        assert current is not None, "only a rollout is judged"
        self.save(verdict.state, verdict.data)
        if verdict.outcome == audit.UNHEALTHY and before.state != state.UNHEALTHY:
            self._record(audit.UNHEALTHY, current, [], verdict.state.error)
            self._tell("Warning", "AddonUnhealthy", verdict.state.error)
        elif verdict.outcome == audit.ROLLED_BACK:
            self._record(
                audit.ROLLED_BACK, current, audit.differences(current.values, before.in_force or {}), verdict.reason
            )
            self._tell("Warning", "AddonRolledBack", rollout.in_words(verdict.state.last))
        elif verdict.outcome == audit.ROLLED_OUT:
            if before.in_force is None:  # that an addon came up for the first time is no news for an event
                self._record(audit.ROLLED_OUT, current, [], "Its first configuration.")
            else:
                self._record(audit.ROLLED_OUT, current, audit.differences(before.in_force, current.values))
                self._tell("Normal", "AddonRolledOut", rollout.in_words(verdict.state.last))

    def _record(
        self, action: str, about: Rollout, changes: list[audit.Change], note: str = "", actor: str = MANAGER
    ) -> None:
        audit.record(self._ctx.session.store.database, self.addon.name, action, actor, about.revision, changes, note)

    def _tell(self, kind: str, reason: str, message: str) -> None:
        recorder.event(self._ctx.session, self.config, kind, reason, message)

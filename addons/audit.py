"""The audit trail of the addons: who did what when, from which value to which. Only ever added to; the oldest go.

One row stands for one action at one revision of an addon's ConfigMap. The addon manager sees every change, and writes
down the name that the client gave itself; the admin page knows the person, and puts that name over it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import orjson

from cluster.database import Database
from kube.redact.objects import redact_value
from kube.redact.text import clean

KEPT = 10_000  # rows; older ones are deleted
LONGEST = 500  # characters of a value, and of a note
CHANGED, REFUSED, ROLLED_OUT, ROLLED_BACK, UNHEALTHY = "changed", "refused", "rolled out", "rolled back", "unhealthy"

Change = tuple[str, str | None, str | None]  # (key, from, to); None: absent


def differences(before: Mapping[str, str], after: Mapping[str, str]) -> list[Change]:
    """What changed from one configuration to another, by key."""
    return [
        (key, before.get(key), after.get(key)) for key in sorted({*before, *after}) if before.get(key) != after.get(key)
    ]


def record(
    database: Database,
    addon: str,
    action: str,
    actor: str,
    revision: int,
    changes: list[Change],
    note: str = "",
    known: bool = False,
) -> None:
    """Add a row, unless it is there. `known`: the actor is a person, whose name replaces the client's in a row there."""
    put = "UPDATE SET actor = excluded.actor" if known else "NOTHING"
    body = orjson.dumps([[key, _shown(key, old), _shown(key, new)] for key, old, new in changes]).decode()
    with database.writing():
        database.execute(
            "INSERT INTO addons_auditentry (at, addon, action, actor, revision, changes, note) VALUES (?, ?, ?, ?, ?, ?, ?) "
            f"ON CONFLICT (addon, action, revision) DO {put}",
            (time.time(), addon, action, actor[:200], revision, body, clean(note)[: 4 * LONGEST]),
        )
        database.execute(
            "DELETE FROM addons_auditentry WHERE id <= (SELECT max(id) FROM addons_auditentry) - ?", (KEPT,)
        )


def _shown(key: str, value: str | None) -> str | None:
    """A value as the trail keeps it, for everybody who may look at addons: without credentials, and cut."""
    if value is None:
        return None
    value = redact_value(key, value)
    return value if len(value) <= LONGEST else value[:LONGEST] + "…"


def actor_of(config: Mapping[str, Any], changes: list[Change]) -> str:
    """The names that those who changed the data of an object gave themselves: kubectl-edit, kubectl-patch …

    A key that somebody took away has no owner any more: "unknown".
    """
    names = {
        str(entry.get("manager") or "unknown")
        for entry in config["metadata"].get("managedFields") or ()
        for key, _, new in changes
        if new is not None and f"f:{key}" in ((entry.get("fieldsV1") or {}).get("f:data") or {})
    }
    return ", ".join(sorted(names)) or "unknown"

"""The seam to field management: who set which field (`metadata.managedFields`)."""

from __future__ import annotations

from typing import Any

from cluster.verbs.call import Call

Json = dict[str, Any]


def created(call: Call, obj: Json) -> None:
    """Drop what the client claims about field managers."""
    obj["metadata"].pop("managedFields", None)


def updated(call: Call, obj: Json, old: Json) -> None:
    """Keep the managers of the old object."""
    if "managedFields" in old["metadata"]:
        obj["metadata"]["managedFields"] = old["metadata"]["managedFields"]
    else:
        obj["metadata"].pop("managedFields", None)

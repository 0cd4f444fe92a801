"""Writes that let the claims of a placed pod be bound: a volume reserved, or the node noted for a provisioner."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from scheduler.plugins.volume_binding import CLAIMS, VOLUMES, Choice

SELECTED_NODE = "volume.kubernetes.io/selected-node"


def prepare(session: Any, choices: Iterable[Choice], node: str) -> None:
    """Write each choice; the volume binder does the rest, and the claim's change wakes the pod."""

    def select(claim: dict[str, Any]) -> None:
        claim["metadata"].setdefault("annotations", {})[SELECTED_NODE] = node

    for choice in choices:
        meta = choice.claim["metadata"]
        if choice.volume is None:
            session.mutate(CLAIMS, meta["namespace"], meta["name"], select)
            continue
        reference = {
            "kind": "PersistentVolumeClaim",
            "apiVersion": "v1",
            "namespace": meta["namespace"],
            "name": meta["name"],
            "uid": meta["uid"],
        }

        def reserve(volume: dict[str, Any], reference: dict[str, Any] = reference) -> None:
            if not volume["spec"].get("claimRef"):
                volume["spec"]["claimRef"] = reference

        session.mutate(VOLUMES, "", choice.volume["metadata"]["name"], reserve)

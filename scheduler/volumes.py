"""Writes that let the claims of a placed pod be bound: a volume reserved, or the node noted for a provisioner."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from scheduler.plugins.volume_binding import CLAIMS, VOLUMES, Choice

SELECTED_NODE = "volume.kubernetes.io/selected-node"


def prepare(session: Any, choices: Iterable[Choice], node: str) -> None:
    """Write each choice; the volume binder does the rest, and the claim's change wakes the pod."""
    for choice in choices:
        if choice.volume is None:
            _select_node(session, choice.claim, node)
        else:
            _reserve(session, choice.volume, choice.claim)


def _reserve(session: Any, volume: dict[str, Any], claim: dict[str, Any]) -> None:
    meta = claim["metadata"]
    reference = {
        "kind": "PersistentVolumeClaim",
        "apiVersion": "v1",
        "namespace": meta["namespace"],
        "name": meta["name"],
        "uid": meta["uid"],
    }

    def reserve(obj: dict[str, Any]) -> None:
        if not obj["spec"].get("claimRef"):
            obj["spec"]["claimRef"] = reference

    session.mutate(VOLUMES, "", volume["metadata"]["name"], reserve)


def _select_node(session: Any, claim: dict[str, Any], node: str) -> None:
    def select(obj: dict[str, Any]) -> None:
        obj["metadata"].setdefault("annotations", {})[SELECTED_NODE] = node

    session.mutate(CLAIMS, claim["metadata"]["namespace"], claim["metadata"]["name"], select)

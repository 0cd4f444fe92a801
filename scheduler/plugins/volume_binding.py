"""Claims decide where a pod can run: bound ones by their volume's node affinity, waiting ones by the volumes on offer.

A claim of a class with `volumeBindingMode: WaitForFirstConsumer` is bound where its pod goes: `choose` names what must
be written first (the claim a volume is reserved for, or the node for which a provisioner should make one).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from controllers.volumes.matching import satisfies, smallest
from kube import nodematch
from kube.objects import Json
from kube.selectors import Requirement
from scheduler.columns import Array
from scheduler.plugins.base import Listers, Objection, Plugin, Rejected, View
from scheduler.plugins.node_affinity import any_mask
from scheduler.pods import PodInfo

CLAIMS, VOLUMES, CLASSES = "persistentvolumeclaims", "persistentvolumes", "storageclasses.storage.k8s.io"
NO_PROVISIONER = "kubernetes.io/no-provisioner"


@dataclass(frozen=True)
class Choice:
    """What to write before the pod can be bound: `volume` reserved for `claim`, or the node noted for a provisioner."""

    claim: Json
    volume: Json | None


class VolumeBinding(Plugin):
    name = "VolumeBinding"
    wakes = frozenset({"Node/Add", "Node/Update", "PersistentVolumeClaim", "PersistentVolume", "StorageClass"})

    def __init__(self, listers: Listers) -> None:
        self._listers = listers

    def filter(self, pod: PodInfo, view: View) -> list[Objection]:
        if not pod.cls.claims:
            return []
        objections = []
        for claim in self._claims(pod):
            if claim["spec"].get("volumeName"):
                objections.append(self._bound(claim, view))
            else:
                objections.append(self._unbound(claim, view))
        return objections

    def choose(self, pod: PodInfo, view: View, slot: int) -> list[Choice]:
        """What must be written so that the pod's claims get bound for the node on `slot`; empty when all are bound."""
        choices: list[Choice] = []
        for claim in self._claims(pod):
            if claim["spec"].get("volumeName"):
                continue
            taken = {c.volume["metadata"]["name"] for c in choices if c.volume}
            usable = [v for v in self._offers(claim) if v["metadata"]["name"] not in taken and _reach(v, view)[slot]]
            choices.append(Choice(claim, smallest(usable, claim)))
        return choices

    def _claims(self, pod: PodInfo) -> list[Json]:
        """The pod's claims; raises Rejected for one that is missing, going away, lost, or still to be bound."""
        found = []
        for name in pod.claim_names():
            claim = self._listers.get(CLAIMS, pod.namespace, name)
            if claim is None:
                raise Rejected(f'persistentvolumeclaim "{name}" not found')
            if claim["metadata"].get("deletionTimestamp"):
                raise Rejected(f'persistentvolumeclaim "{name}" is being deleted')
            if (claim.get("status") or {}).get("phase") == "Lost":
                raise Rejected(
                    f'persistentvolumeclaim "{name}" bound to non-existent persistentvolume '
                    f'"{claim["spec"].get("volumeName", "")}"'
                )
            mode = (self._class(claim) or {}).get("volumeBindingMode")
            if not claim["spec"].get("volumeName") and mode != "WaitForFirstConsumer":
                raise Rejected("pod has unbound immediate PersistentVolumeClaims")
            found.append(claim)
        return found

    def _class(self, claim: Json) -> Json | None:
        name = claim["spec"].get("storageClassName") or ""
        return self._listers.get(CLASSES, "", name) if name else None

    def _bound(self, claim: Json, view: View) -> Objection:
        volume = self._listers.get(VOLUMES, "", claim["spec"]["volumeName"])
        if volume is None:
            reason = "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)"
            return Objection(view.alive.copy(), reason)
        return Objection(~_reach(volume, view), "node(s) didn't match PersistentVolume's node affinity")

    def _unbound(self, claim: Json, view: View) -> Objection:
        offered = np.logical_or.reduce([view.none(), *(_reach(volume, view) for volume in self._offers(claim))])
        storage_class = self._class(claim) or {}
        if storage_class.get("provisioner") not in (None, NO_PROVISIONER):
            topologies = storage_class.get("allowedTopologies") or []  # where the provisioner may make volumes
            offered = offered | any_mask(map(_term, topologies), view) if topologies else ~view.none()
        return Objection(~offered, "node(s) didn't find available persistent volumes to bind")

    def _offers(self, claim: Json) -> list[Json]:
        return [volume for volume in self._listers.list(VOLUMES) if satisfies(volume, claim)]


def _term(topology: Json) -> nodematch.Term:
    """One of a class's `allowedTopologies` as what it asks of a node."""
    expressions = topology.get("matchLabelExpressions") or ()
    return nodematch.Term(tuple(Requirement(e["key"], "in", tuple(e["values"])) for e in expressions))


def _reach(volume: Json, view: View) -> Array:
    """The nodes from which a volume can be used."""
    required = (volume["spec"].get("nodeAffinity") or {}).get("required")
    return any_mask(nodematch.terms(required), view) if required else np.ones(view.none().shape, dtype=bool)

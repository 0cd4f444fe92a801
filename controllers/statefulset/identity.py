"""What makes the pod of an ordinal: its name, labels, host name, and the claims of its volumes."""

from __future__ import annotations

import copy
import re

from controllers import revisions
from controllers.podcontrol import from_template
from kube.objects import Json

POD_NAME = "statefulset.kubernetes.io/pod-name"
POD_INDEX = "apps.kubernetes.io/pod-index"


def ordinal_of(name: str) -> int:
    """The ordinal in a pod's name, -1 without."""
    match = re.fullmatch(r".*-(\d+)", name)
    return int(match[1]) if match else -1


def first_ordinal(sts: Json) -> int:
    start: int = (sts["spec"].get("ordinals") or {}).get("start", 0)
    return start


def pod_name(sts: Json, ordinal: int) -> str:
    return f"{sts['metadata']['name']}-{ordinal}"


def claim_name(template: Json, sts: Json, ordinal: int) -> str:
    return f"{template['metadata']['name']}-{pod_name(sts, ordinal)}"


def pod_of(sts: Json, revision: Json, ordinal: int) -> Json:
    """The pod of an ordinal as the template of `revision` wants it."""
    name = pod_name(sts, ordinal)
    pod = from_template(revisions.template_of(revision), sts, name)
    labels = pod["metadata"].setdefault("labels", {})
    labels.update({POD_NAME: name, POD_INDEX: str(ordinal), revisions.REVISION_LABEL: revision["metadata"]["name"]})
    pod["spec"]["hostname"] = name
    if sts["spec"].get("serviceName"):
        pod["spec"]["subdomain"] = sts["spec"]["serviceName"]
    put_volumes(pod["spec"], sts, ordinal)
    return pod


def put_volumes(spec: Json, sts: Json, ordinal: int) -> None:
    """A volume per claim template; it replaces a volume of that name in the pod template."""
    claims = sts["spec"].get("volumeClaimTemplates") or []
    if not claims:
        return
    names = {template["metadata"]["name"] for template in claims}
    wanted = [
        {
            "name": template["metadata"]["name"],
            "persistentVolumeClaim": {"claimName": claim_name(template, sts, ordinal)},
        }
        for template in claims
    ]
    spec["volumes"] = wanted + [volume for volume in spec.get("volumes") or [] if volume["name"] not in names]


def claims_of(sts: Json, ordinal: int) -> list[Json]:
    """The volume claims of an ordinal, as they are created."""
    result = []
    for template in sts["spec"].get("volumeClaimTemplates") or []:
        meta = copy.deepcopy(template["metadata"])
        meta["name"], meta["namespace"] = claim_name(template, sts, ordinal), sts["metadata"]["namespace"]
        meta["labels"] = {**(meta.get("labels") or {}), **(sts["spec"]["selector"].get("matchLabels") or {})}
        result.append(
            {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": meta,
                "spec": copy.deepcopy(template["spec"]),
            }
        )
    return result


def claim_owners(sts: Json, pod: Json | None, condemned: bool, present: list[Json]) -> list[Json]:
    """The owner references that a claim should have under the retention policy; those of others are kept.

    Scaling down with `whenScaled: Delete` ties the claim to the pod that goes; `whenDeleted: Delete` ties it to the set.
    """
    policy = sts["spec"].get("persistentVolumeClaimRetentionPolicy") or {}
    prefix = f"{sts['metadata']['name']}-"  # of its pods
    kept = [
        ref
        for ref in present
        if ref["uid"] != sts["metadata"]["uid"] and not (ref["kind"] == "Pod" and ref["name"].startswith(prefix))
    ]
    if condemned and policy.get("whenScaled") == "Delete":
        return [*kept, _reference("v1", "Pod", pod)] if pod else kept
    if policy.get("whenDeleted") == "Delete":
        return [*kept, {**_reference(sts["apiVersion"], sts["kind"], sts), "controller": True}]
    return kept


def _reference(api_version: str, kind: str, obj: Json) -> Json:
    return {
        "apiVersion": api_version,
        "kind": kind,
        "name": obj["metadata"]["name"],
        "uid": obj["metadata"]["uid"],
    }

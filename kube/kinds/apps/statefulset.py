"""StatefulSet."""

from __future__ import annotations

from typing import Any

from kube import columns as c
from kube.errors import FieldError, forbidden, invalid, required
from kube.kinds.apps.workload import WorkloadStrategy, check_at_most, check_collisions, check_selector
from kube.kinds.pod.defaults import default_claim_spec, default_pod_template
from kube.objects import Json
from kube.registry import Context, Kind, Scale
from kube.validation import check, check_choice, check_counts, check_not_negative, dns1123_label
from kube.volumeclaims import check_claim_spec

COUNTS = (
    "replicas",
    "readyReplicas",
    "currentReplicas",
    "updatedReplicas",
    "availableReplicas",
    "observedGeneration",
    "collisionCount",
)
MUTABLE = (
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
)


class StatefulSetStrategy(WorkloadStrategy):
    name_check = staticmethod(dns1123_label)

    def default(self, obj: Json) -> None:
        spec = obj.setdefault("spec", {})
        default_pod_template(spec.setdefault("template", {}))
        spec.setdefault("replicas", 1)
        spec.setdefault("revisionHistoryLimit", 10)
        spec["podManagementPolicy"] = spec.get("podManagementPolicy") or "OrderedReady"
        strategy = spec.setdefault("updateStrategy", {})
        if not strategy.get("type"):
            strategy["type"] = "RollingUpdate"
            strategy.setdefault("rollingUpdate", {})
        if strategy["type"] == "RollingUpdate" and "rollingUpdate" in strategy:
            strategy["rollingUpdate"].setdefault("partition", 0)
        retention = spec.setdefault("persistentVolumeClaimRetentionPolicy", {})
        retention["whenDeleted"] = retention.get("whenDeleted") or "Retain"
        retention["whenScaled"] = retention.get("whenScaled") or "Retain"
        for claim in spec.get("volumeClaimTemplates") or ():
            claim["kind"], claim["apiVersion"] = "PersistentVolumeClaim", "v1"
            default_claim_spec(claim.setdefault("spec", {}))
            claim.setdefault("status", {}).setdefault("phase", "Pending")

    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        spec = obj["spec"]
        errors: list[FieldError] = []
        if (policy := spec.get("podManagementPolicy")) not in ("OrderedReady", "Parallel"):
            errors.append(invalid("spec.podManagementPolicy", policy, "must be 'OrderedReady' or 'Parallel'"))
        errors += check_update_strategy(spec["updateStrategy"])
        retention = spec["persistentVolumeClaimRetentionPolicy"]
        for name in ("whenDeleted", "whenScaled"):
            errors += check_choice(
                f"spec.persistentVolumeClaimRetentionPolicy.{name}", retention.get(name), ("Retain", "Delete")
            )
        errors += check_counts(spec, "spec", ("replicas", "minReadySeconds"))
        errors += check_not_negative("spec.ordinals.start", (spec.get("ordinals") or {}).get("start"))
        errors += check_selector({**spec, "template": _with_claims(spec)}, "statefulset", "StatefulSet")
        return errors

    def validate(self, obj: Json, ctx: Context) -> list[FieldError]:
        """What may not change is judged when it is new."""
        errors, spec = super().validate(obj, ctx), obj["spec"]
        if spec.get("serviceName"):
            errors += check("spec.serviceName", spec["serviceName"], dns1123_label)
        for i, claim in enumerate(spec.get("volumeClaimTemplates") or ()):
            errors += check_claim_spec(claim["spec"], f"spec.volumeClaimTemplates[{i}].spec")
        return errors

    def check_change(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        if _fixed(obj["spec"]) == _fixed(old["spec"]):
            return []
        names = ", ".join(f"'{name}'" for name in MUTABLE[:-1]) + f" and '{MUTABLE[-1]}'"
        return [forbidden("spec", f"updates to statefulset spec for fields other than {names} are forbidden")]

    def check_status(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        status = obj.get("status") or {}
        errors = check_counts(status, "status", COUNTS)
        errors += check_at_most(
            status,
            ("readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"),
            "replicas",
            "status.replicas",
        )
        errors += check_at_most(status, ("availableReplicas",), "readyReplicas", "status.readyReplicas")
        return errors + check_collisions(obj, old)


def _with_claims(spec: Json) -> Json:
    """The pod template as its pods have it: a claim is a volume of its name, in place of one that is called so."""
    template, claims = spec.get("template") or {}, spec.get("volumeClaimTemplates") or ()
    names = [(claim.get("metadata") or {}).get("name", "") for claim in claims]
    if not names:
        return template
    pod = template.get("spec") or {}
    volumes = [volume for volume in pod.get("volumes") or () if volume.get("name") not in names]
    volumes += [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in names]
    return {**template, "spec": {**pod, "volumes": volumes}}


def check_update_strategy(strategy: Json) -> list[FieldError]:
    kind, rolling = strategy.get("type"), strategy.get("rollingUpdate")
    shown = rolling and {"Partition": rolling.get("partition"), "MaxUnavailable": rolling.get("maxUnavailable")}
    path = "spec.updateStrategy"
    if not kind:
        return [required(path)]
    if kind == "OnDelete":
        return (
            []
            if rolling is None
            else [invalid(f"{path}.rollingUpdate", shown, "only allowed for updateStrategy 'RollingUpdate'")]
        )
    if kind != "RollingUpdate":
        return [invalid(path, {"Type": kind, "RollingUpdate": shown}, "must be 'RollingUpdate' or 'OnDelete'")]
    return check_not_negative(f"{path}.rollingUpdate.partition", (rolling or {}).get("partition"))


def _fixed(spec: Json) -> Json:
    """The part of the spec that may not change; the kind that claims say they are does not count."""
    fixed = {name: value for name, value in spec.items() if name not in MUTABLE and value not in (None, "", [], {})}
    if claims := fixed.get("volumeClaimTemplates"):
        fixed["volumeClaimTemplates"] = [
            {
                "metadata": claim.get("metadata"),
                "spec": claim.get("spec"),
                "status": {name: value for name, value in (claim.get("status") or {}).items() if value or value == ""},
            }
            for claim in claims
        ]
    return fixed


def cells(obj: Json, now: float) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    return [
        obj["metadata"]["name"],
        f"{status.get('readyReplicas') or 0}/{spec.get('replicas') or 0}",
        c.age(obj, now),
        *c.containers(spec.get("template")),
    ]


KIND = Kind(
    "apps",
    "v1",
    "StatefulSet",
    "statefulsets",
    short_names=("sts",),
    categories=("all",),
    subresources=("scale", "status"),
    definition="io.k8s.api.apps.v1.StatefulSet",
    strategy=StatefulSetStrategy(),
    scale=Scale(),
    cells=cells,
    columns=(
        c.NAME,
        c.column("Ready", description="Number of the pod with ready state"),
        c.AGE,
        c.column("Containers", description="Names of each container in the template.", wide=True),
        c.column("Images", description="Images referenced by each container in the template.", wide=True),
    ),
)

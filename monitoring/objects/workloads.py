"""kube_deployment_*, kube_replicaset_*, kube_replicationcontroller_*, kube_statefulset_*, kube_daemonset_*"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kube.objects import Json
from monitoring.objects.families import Families, Sample, find, owners, truth
from monitoring.objects.selection import labels

DEPLOYMENTS = Families("apps/v1", "deployments", namespace="namespace", deployment="name")
REPLICASETS = Families("apps/v1", "replicasets", namespace="namespace", replicaset="name")
REPLICATIONCONTROLLERS = Families("v1", "replicationcontrollers", namespace="namespace", replicationcontroller="name")
STATEFULSETS = Families("apps/v1", "statefulsets", namespace="namespace", statefulset="name")
DAEMONSETS = Families("apps/v1", "daemonsets", namespace="namespace", daemonset="name")


REASONS = frozenset(
    (
        "",
        "ReplicaSetUpdated",
        "ReplicaSetCreateError",
        "NewReplicaSetCreated",
        "FoundNewReplicaSet",
        "NewReplicaSetAvailable",
        "ProgressDeadlineExceeded",
        "DeploymentPaused",
        "DeploymentResumed",
        "MinimumReplicasAvailable",
        "MinimumReplicasUnavailable",
    )
)
for _families, _prefix in (
    (DEPLOYMENTS, "kube_deployment"),
    (STATEFULSETS, "kube_statefulset"),
    (DAEMONSETS, "kube_daemonset"),
):
    _families.lifetime(_prefix)


def _common(families: Families, prefix: str, **status: str) -> None:
    """What all of them have; `status`: name of the metric and field of the status, which counts as 0 when it is absent."""
    families.selectable(prefix)
    families.field(
        f"{prefix}_metadata_generation", "Sequence number of the desired state.", "metadata", "generation", missing=0
    )
    families.field(
        f"{prefix}_status_observed_generation",
        "The generation that the controller has seen.",
        "status",
        "observedGeneration",
        missing=0,
    )
    for name, field in status.items():
        families.field(
            f"{prefix}_status_{name}", f"The number that the status gives as {field}.", "status", field, missing=0
        )


_common(
    DEPLOYMENTS,
    "kube_deployment",
    replicas="replicas",
    replicas_ready="readyReplicas",
    replicas_available="availableReplicas",
    replicas_unavailable="unavailableReplicas",
    replicas_updated="updatedReplicas",
)
DEPLOYMENTS.field(
    "kube_deployment_status_terminating_replicas",
    "The number of pods that are ending.",
    "status",
    "terminatingReplicas",
)


@DEPLOYMENTS.gauge("kube_deployment_owner", "Information about the Deployment's owner.")
def owner(deployment: Json) -> Iterator[Sample]:
    for each in owners(deployment):
        yield labels(owner_kind=each.get("kind"), owner_name=each.get("name")), 1


@DEPLOYMENTS.gauge("kube_deployment_status_condition", "The current status conditions of a deployment.")
def condition(deployment: Json) -> Iterator[Sample]:
    for each in find(deployment, "status", "conditions") or ():
        reason = each.get("reason") or ""
        about = labels(reason=reason if reason in REASONS else "unknown", condition=each["type"])
        yield from truth(each["status"], more=about)


DEPLOYMENTS.field("kube_deployment_spec_replicas", "Number of desired pods for a deployment.", "spec", "replicas")
DEPLOYMENTS.field("kube_deployment_spec_paused", "Whether the deployment is paused.", "spec", "paused", missing=0)


def _rolling(field: str, name: str, text: str, up: bool) -> None:
    def make(deployment: Json) -> Iterable[Sample]:
        value = find(deployment, "spec", "strategy", "rollingUpdate", field)
        replicas = find(deployment, "spec", "replicas")
        if value is None or replicas is None:
            return ()
        if isinstance(value, str):  # a percentage of the replicas
            hundredths = int(value.removesuffix("%")) * replicas
            value = -(-hundredths // 100) if up else hundredths // 100
        return (("", value),)

    DEPLOYMENTS.add(name, text, make)


_rolling(
    "maxUnavailable",
    "kube_deployment_spec_strategy_rollingupdate_max_unavailable",
    "Maximum number of unavailable replicas during a rolling update of a deployment.",
    False,
)
_rolling(
    "maxSurge",
    "kube_deployment_spec_strategy_rollingupdate_max_surge",
    "Maximum number of replicas above the desired number during a rolling update of a deployment.",
    True,
)

for _families, _prefix in ((REPLICASETS, "kube_replicaset"), (REPLICATIONCONTROLLERS, "kube_replicationcontroller")):
    _common(
        _families,
        _prefix,
        replicas="replicas",
        fully_labeled_replicas="fullyLabeledReplicas",
        ready_replicas="readyReplicas",
    )
    _families.created(_prefix)
    _families.field(f"{_prefix}_spec_replicas", "Number of desired pods.", "spec", "replicas")
    _families.owners(f"{_prefix}_owner")
REPLICASETS.field(
    "kube_replicaset_status_terminating_replicas",
    "The number of pods that are ending.",
    "status",
    "terminatingReplicas",
)
REPLICATIONCONTROLLERS.selectable("")
REPLICATIONCONTROLLERS.field(
    "kube_replicationcontroller_status_available_replicas",
    "The number of available replicas.",
    "status",
    "availableReplicas",
    missing=0,
)

_common(
    STATEFULSETS,
    "kube_statefulset",
    replicas="replicas",
    replicas_available="availableReplicas",
    replicas_current="currentReplicas",
    replicas_ready="readyReplicas",
    replicas_updated="updatedReplicas",
)
STATEFULSETS.field("kube_statefulset_replicas", "Number of desired pods for a StatefulSet.", "spec", "replicas")


@STATEFULSETS.gauge("kube_statefulset_ordinals_start", "Start ordinal of the StatefulSet.")
def first_ordinal(stateful: Json) -> Iterable[Sample]:
    found = find(stateful, "spec", "ordinals")
    return () if found is None else (("", found.get("start") or 0),)


def _revision(field: str, name: str) -> None:
    def make(stateful: Json) -> Iterable[Sample]:
        return ((labels(revision=find(stateful, "status", field)), 1),)

    STATEFULSETS.add(name, f"The revision that the status gives as {field}.", make)


_revision("currentRevision", "kube_statefulset_status_current_revision")
_revision("updateRevision", "kube_statefulset_status_update_revision")


@STATEFULSETS.gauge(
    "kube_statefulset_persistentvolumeclaim_retention_policy",
    "What becomes of claims when the StatefulSet is deleted or scaled down.",
)
def retention(stateful: Json) -> Iterable[Sample]:
    found = find(stateful, "spec", "persistentVolumeClaimRetentionPolicy") or {}
    deleted, scaled = found.get("whenDeleted"), found.get("whenScaled")
    return ((labels(when_deleted=deleted, when_scaled=scaled), 1),) if deleted or scaled else ()


_common(
    DAEMONSETS,
    "kube_daemonset",
    current_number_scheduled="currentNumberScheduled",
    desired_number_scheduled="desiredNumberScheduled",
    number_available="numberAvailable",
    number_misscheduled="numberMisscheduled",
    number_ready="numberReady",
    number_unavailable="numberUnavailable",
    updated_number_scheduled="updatedNumberScheduled",
)

"""kube_pod_*: a pod as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from kube import conditions, ownerrefs, quantity
from kube.ipaddresses import ip_of
from kube.objects import Json
from monitoring.objects import containers, wishes
from monitoring.objects.families import Families, Sample, find, number, one_of, seconds, truth
from monitoring.objects.selection import labels

if TYPE_CHECKING:
    from kube.shapes import PodLike

PODS = Families("v1", "pods", note=wishes.of_pod, namespace="namespace", pod="name", uid="uid")
PHASES = ("Pending", "Succeeded", "Failed", "Unknown", "Running")
REASONS = (
    "Evicted",
    "NodeAffinity",
    "NodeLost",
    "PreemptionByScheduler",
    "SchedulingGated",
    "Shutdown",
    "TerminationByKubelet",
    "UnexpectedAdmissionError",
)
DISRUPTIONS = (
    "PreemptionByScheduler",
    "DeletionByTaintManager",
    "EvictionByEvictionAPI",
    "DeletionByPodGC",
    "TerminationByKubelet",
)
CONDITION_TIMES = {
    "Ready": "ready",
    "Initialized": "initialized",
    "ContainersReady": "container_ready",
    "PodScheduled": "scheduled",
}


@PODS.gauge("kube_pod_info", "Information about pod.")
def info(pod: PodLike) -> Iterable[Sample]:
    spec, status = pod["spec"], pod.get("status") or {}
    owner = ownerrefs.controller(pod["metadata"]) or {}
    return (
        (
            labels(
                host_ip=status.get("hostIP"),
                pod_ip=status.get("podIP"),
                node=spec.get("nodeName"),
                created_by_kind=owner.get("kind"),
                created_by_name=owner.get("name"),
                priority_class=spec.get("priorityClassName"),
                host_network="true" if spec.get("hostNetwork") else "false",
            ),
            1,
        ),
    )


@PODS.gauge("kube_pod_ips", "Pod IP addresses.")
def ips(pod: PodLike) -> Iterator[Sample]:
    for each in find(pod, "status", "podIPs") or ():
        if address := ip_of(each.get("ip") or ""):
            mapped = address.version == 6 and address.ipv4_mapped
            yield labels(ip=each["ip"], ip_family="4" if mapped else str(address.version)), 1


PODS.lifetime("kube_pod")
PODS.selectable("kube_pod")
PODS.owners("kube_pod_owner")
PODS.time("kube_pod_start_time", "Start time in unix timestamp for a pod.", "status", "startTime")


@PODS.gauge("kube_pod_completion_time", "Completion time in unix timestamp for a pod.")
def completion(pod: PodLike) -> Iterable[Sample]:
    ends = [
        end
        for c in find(pod, "status", "containerStatuses") or ()
        if (end := find(c, "state", "terminated", "finishedAt"))
    ]
    return (("", max(map(seconds, ends))),) if ends else ()


@PODS.gauge("kube_pod_status_phase", "The pod's current phase.")
def phase(pod: PodLike) -> Iterable[Sample]:
    now = find(pod, "status", "phase")
    return one_of("phase", now, PHASES) if now else ()


@PODS.gauge("kube_pod_status_reason", "The pod status reasons.")
def reason(pod: PodLike) -> Iterator[Sample]:
    status = pod.get("status") or {}
    own = status.get("reason")
    found = {own} | {condition.get("reason") for condition in status.get("conditions") or ()}
    found |= {find(c, "state", "terminated", "reason") for c in status.get("containerStatuses") or ()}
    yield from ((f',reason="{each}"', 1) for each in REASONS if each in found)
    if own and own not in REASONS:
        yield ',reason="Other"', 1


@PODS.gauge("kube_pod_status_disruption_reason", "Why the pod was disrupted.")
def disruption(pod: PodLike) -> Iterator[Sample]:
    for condition in find(pod, "status", "conditions") or ():
        if condition["type"] == "DisruptionTarget":
            reason = condition.get("reason")
            yield labels(reason=reason if reason in DISRUPTIONS else "Other"), 1


@PODS.gauge("kube_pod_status_qos_class", "The pod's current QoS class.")
def qos(pod: PodLike) -> Iterable[Sample]:
    found = find(pod, "status", "qosClass")
    return one_of("qos_class", found, ("BestEffort", "Burstable", "Guaranteed")) if found else ()


def _condition(pod: PodLike, kind: str) -> Mapping[str, Any] | None:
    return conditions.find(pod.get("status"), kind)


def _truth_of(kind: str, name: str, text: str) -> None:
    def make(pod: PodLike) -> Iterable[Sample]:
        found = _condition(pod, kind)
        return truth(found["status"], "condition") if found else ()

    PODS.add(name, text, make)


def _since(kind: str, name: str) -> None:
    def make(pod: PodLike) -> Iterable[Sample]:
        found = _condition(pod, kind)
        return (("", seconds(found.get("lastTransitionTime"))),) if found and found["status"] == "True" else ()

    PODS.add(name, f"Unix timestamp since when the condition {kind} holds.", make)


_truth_of("Ready", "kube_pod_status_ready", "Describes whether the pod is ready to serve requests.")
_truth_of("PodScheduled", "kube_pod_status_scheduled", "Describes the status of the scheduling process for the pod.")
for _kind, _word in CONDITION_TIMES.items():
    _since(_kind, f"kube_pod_status_{_word}_time")


@PODS.gauge("kube_pod_status_unscheduled_time", "Unix timestamp since when the pod is not scheduled.")
def unscheduled(pod: PodLike) -> Iterable[Sample]:
    found = _condition(pod, "PodScheduled")
    return (("", seconds(found.get("lastTransitionTime"))),) if found and found["status"] == "False" else ()


@PODS.gauge("kube_pod_status_unschedulable", "Describes the unschedulable status for the pod.")
def unschedulable(pod: PodLike) -> Iterable[Sample]:
    found = _condition(pod, "PodScheduled")
    return (("", 1),) if found and found["status"] == "False" else ()


@PODS.gauge("kube_pod_restart_policy", "Describes the restart policy in use by this pod.")
def restart_policy(pod: PodLike) -> Iterable[Sample]:
    return ((labels(type=pod["spec"].get("restartPolicy")), 1),)


@PODS.gauge("kube_pod_scheduler", "The scheduler for a pod.")
def scheduler(pod: PodLike) -> Iterable[Sample]:
    return ((labels(name=pod["spec"].get("schedulerName")), 1),)


@PODS.gauge("kube_pod_service_account", "The service account for a pod.")
def service_account(pod: PodLike) -> Iterable[Sample]:
    return ((labels(service_account=pod["spec"].get("serviceAccountName")), 1),)


@PODS.gauge("kube_pod_tolerations", "Information about the pod tolerations")
def tolerations(pod: PodLike) -> Iterator[Sample]:
    for each in {str(t): t for t in pod["spec"].get("tolerations") or ()}.values():
        after = each.get("tolerationSeconds")
        yield (
            labels(
                key=each.get("key"),
                operator=each.get("operator"),
                value=each.get("value"),
                effect=each.get("effect"),
                toleration_seconds="" if after is None else str(after),
            ),
            1,
        )


@PODS.gauge("kube_pod_resourceclaim_info", "The ResourceClaims that a pod refers to.")
def resource_claims(pod: PodLike) -> Iterator[Sample]:
    made = {each["name"]: each.get("resourceClaimName") for each in find(pod, "status", "resourceClaimStatuses") or ()}
    for each in find(pod, "spec", "resourceClaims") or ():
        name, template = each.get("resourceClaimName"), each.get("resourceClaimTemplateName")
        if name is not None or template is not None:
            known = made.get(each["name"]) if name is None else name
            yield labels(claim_name=each["name"], resourceclaim_name=known, resourceclaim_template_name=template), 1


@PODS.gauge("kube_pod_runtimeclass_name_info", "The runtimeclass associated with the pod.")
def runtime_class(pod: PodLike) -> Iterable[Sample]:
    name = pod["spec"].get("runtimeClassName")
    return () if name is None else ((labels(runtimeclass_name=name), 1),)


def _claims(pod: PodLike) -> Iterator[tuple[str, Json]]:
    for volume in pod["spec"].get("volumes") or ():
        name, claim = volume["name"], volume.get("persistentVolumeClaim")
        if claim:
            yield labels(volume=name, persistentvolumeclaim=claim["claimName"], ephemeral="false"), claim
        elif "ephemeral" in volume:
            own = f"{pod['metadata']['name']}-{name}"
            yield labels(volume=name, persistentvolumeclaim=own, ephemeral="true"), {}


@PODS.gauge(
    "kube_pod_spec_volumes_persistentvolumeclaims_info", "Information about persistentvolumeclaim volumes in a pod."
)
def claims(pod: PodLike) -> Iterator[Sample]:
    return ((which, 1) for which, _ in _claims(pod))


@PODS.gauge(
    "kube_pod_spec_volumes_persistentvolumeclaims_readonly",
    "Describes whether a persistentvolumeclaim is mounted read only.",
)
def claims_readonly(pod: PodLike) -> Iterator[Sample]:
    return ((which, bool(claim.get("readOnly"))) for which, claim in _claims(pod))


def _overhead(resource: str, name: str, text: str, of: Callable[[str], float]) -> None:
    def make(pod: PodLike) -> Iterable[Sample]:
        value = find(pod, "spec", "overhead", resource)
        return () if value is None else (("", of(value)),)

    PODS.add(name, text, make)


_overhead("cpu", "kube_pod_overhead_cpu_cores", "The CPU cores that running the pod takes beside its own.", number)
_overhead(
    "memory", "kube_pod_overhead_memory_bytes", "The memory that running the pod takes beside its own.", quantity.units
)
containers.declare(PODS)

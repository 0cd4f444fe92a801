"""The other kinds as kube-state-metrics has them."""

from __future__ import annotations

from typing import Any

import pytest

from kube.objects import Json
from tests.monitoring.objects.build import AT, SECONDS, controlled_by, meta, samples

CONDITION = {"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable"}
TARGET = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}
CURRENT = {
    "type": "Resource",
    "resource": {"name": "cpu", "current": {"averageUtilization": 31, "averageValue": "155m"}},
}

CASES: list[tuple[str, Json, list[str]]] = [
    (
        "nodes",
        {
            "metadata": {
                "name": "n1",
                "creationTimestamp": AT,
                "labels": {"node-role.kubernetes.io/control-plane": ""},
            },
            "spec": {
                "unschedulable": True,
                "podCIDR": "10.244.0.0/24",
                "taints": [{"key": "k", "effect": "NoSchedule"}],
            },
            "status": {
                "capacity": {"cpu": "4", "memory": "8Gi", "pods": "110", "ephemeral-storage": "1Ki"},
                "allocatable": {"cpu": "3500m"},
                "addresses": [{"type": "InternalIP", "address": "10.0.0.1"}],
                "conditions": [{"type": "Ready", "status": "Unknown"}],
                "nodeInfo": {"kubeletVersion": "v1.36.3"},
            },
        },
        [
            'kube_node_info{node="n1",kernel_version="",os_image="",container_runtime_version="",kubelet_version="v1.36.3",'
            'kubeproxy_version="deprecated",provider_id="",pod_cidr="10.244.0.0/24",system_uuid="",internal_ip="10.0.0.1"} 1',
            'kube_node_role{node="n1",role="control-plane"} 1',
            'kube_node_spec_taint{node="n1",key="k",value="",effect="NoSchedule"} 1',
            'kube_node_spec_unschedulable{node="n1"} 1',
            'kube_node_status_condition{node="n1",condition="Ready",status="unknown"} 1',
            'kube_node_status_condition{node="n1",condition="Ready",status="true"} 0',
            'kube_node_status_capacity{node="n1",resource="memory",unit="byte"} 8589934592',
            'kube_node_status_capacity{node="n1",resource="pods",unit="integer"} 110',
            'kube_node_status_capacity{node="n1",resource="ephemeral_storage",unit="byte"} 1024',
            'kube_node_status_allocatable{node="n1",resource="cpu",unit="core"} 3.5',
        ],
    ),
    (
        "deployments",
        {
            "metadata": meta("d"),
            "spec": {
                "replicas": 7,
                "paused": True,
                "strategy": {"rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}},
            },
            "status": {"replicas": 6, "readyReplicas": 5, "observedGeneration": 2, "conditions": [CONDITION]},
        },
        [
            'kube_deployment_spec_replicas{deployment="d"} 7',
            'kube_deployment_status_replicas{deployment="d"} 6',
            'kube_deployment_status_replicas_ready{deployment="d"} 5',
            'kube_deployment_status_replicas_available{deployment="d"} 0',
            'kube_deployment_metadata_generation{deployment="d"} 3',
            'kube_deployment_status_observed_generation{deployment="d"} 2',
            'kube_deployment_spec_strategy_rollingupdate_max_unavailable{deployment="d"} 1',
            'kube_deployment_spec_strategy_rollingupdate_max_surge{deployment="d"} 2',
            'kube_deployment_spec_paused{deployment="d"} 1',
            'kube_deployment_status_condition{deployment="d",reason="MinimumReplicasAvailable",condition="Available",'
            'status="true"} 1',
        ],
    ),
    (
        "replicasets",
        {
            "metadata": meta("r", ownerReferences=controlled_by("Deployment", "d")),
            "spec": {"replicas": 2},
            "status": {"replicas": 2, "readyReplicas": 1},
        },
        [
            'kube_replicaset_owner{replicaset="r",owner_kind="Deployment",owner_name="d",owner_is_controller="true"} 1',
            'kube_replicaset_spec_replicas{replicaset="r"} 2',
            'kube_replicaset_status_ready_replicas{replicaset="r"} 1',
            f'kube_replicaset_created{{replicaset="r"}} {SECONDS}',
        ],
    ),
    (
        "statefulsets",
        {
            "metadata": meta("s"),
            "spec": {"replicas": 3},
            "status": {"replicas": 3, "currentRevision": "s-1", "updateRevision": "s-2", "updatedReplicas": 1},
        },
        [
            'kube_statefulset_replicas{statefulset="s"} 3',
            'kube_statefulset_status_replicas_updated{statefulset="s"} 1',
            'kube_statefulset_status_current_revision{statefulset="s",revision="s-1"} 1',
            'kube_statefulset_status_update_revision{statefulset="s",revision="s-2"} 1',
        ],
    ),
    (
        "daemonsets",
        {"metadata": meta("ds"), "spec": {}, "status": {"desiredNumberScheduled": 4, "numberMisscheduled": 1}},
        [
            'kube_daemonset_status_desired_number_scheduled{daemonset="ds"} 4',
            'kube_daemonset_status_number_misscheduled{daemonset="ds"} 1',
            'kube_daemonset_status_number_available{daemonset="ds"} 0',
        ],
    ),
    (
        "jobs",
        {
            "metadata": meta("j"),
            "spec": {"parallelism": 2, "completions": 3},
            "status": {
                "failed": 4,
                "startTime": AT,
                "conditions": [{"type": "Failed", "status": "True", "reason": "DeadlineExceeded"}],
            },
        },
        [
            'kube_job_status_failed{job_name="j",reason="DeadlineExceeded"} 1',
            'kube_job_failed{job_name="j",condition="true"} 1',
            'kube_job_status_failed{job_name="j",reason="Evicted"} 0',
            'kube_job_spec_completions{job_name="j"} 3',
            'kube_job_owner{job_name="j",owner_kind="",owner_name="",owner_is_controller=""} 1',
            f'kube_job_status_start_time{{job_name="j"}} {SECONDS}',
            'kube_job_status_active{job_name="j"} 0',
        ],
    ),
    (
        "jobs",
        {"metadata": meta("j"), "spec": {}, "status": {"failed": 2}},
        ['kube_job_status_failed{job_name="j",reason=""} 2'],
    ),
    (
        "cronjobs",
        {
            "metadata": meta("c", resourceVersion="12"),
            "spec": {"schedule": "*/5 * * * *", "concurrencyPolicy": "Forbid"},
            "status": {"active": [{}], "lastScheduleTime": "2026-01-01T00:05:00Z"},
        },
        [
            'kube_cronjob_info{cronjob="c",schedule="*/5 * * * *",concurrency_policy="Forbid",timezone="local"} 1',
            'kube_cronjob_status_active{cronjob="c"} 1',
            f'kube_cronjob_next_schedule_time{{cronjob="c"}} {SECONDS + 600}',
            'kube_cronjob_spec_suspend{cronjob="c"} 0',
            'kube_cronjob_metadata_resource_version{cronjob="c"} 12',
        ],
    ),
    (
        "services",
        {
            "metadata": meta("s"),
            "spec": {"clusterIP": "10.96.0.9", "type": "LoadBalancer"},
            "status": {"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]}},
        },
        [
            'kube_service_info{service="s",cluster_ip="10.96.0.9",external_name="",load_balancer_ip="",'
            'external_traffic_policy=""} 1',
            'kube_service_spec_type{service="s",type="LoadBalancer"} 1',
            'kube_service_status_load_balancer_ingress{service="s",ip="1.2.3.4",hostname=""} 1',
        ],
    ),
    (
        "endpoints",
        {
            "metadata": meta("e"),
            "subsets": [
                {
                    "addresses": [{"ip": "10.0.0.5"}],
                    "notReadyAddresses": [{"ip": "10.0.0.6"}],
                    "ports": [{"name": "http", "port": 80, "protocol": "TCP"}],
                }
            ],
        },
        [
            'kube_endpoint_address{endpoint="e",port_protocol="TCP",port_number="80",port_name="http",ip="10.0.0.5",'
            'ready="true"} 1',
            'kube_endpoint_address{endpoint="e",port_protocol="TCP",port_number="80",port_name="http",'
            'ip="10.0.0.6",ready="false"} 1',
            'kube_endpoint_ports{endpoint="e",port_name="http",port_protocol="TCP",port_number="80"} 1',
        ],
    ),
    (
        "horizontalpodautoscalers",
        {
            "metadata": meta("h"),
            "spec": {
                "maxReplicas": 9,
                "metrics": [TARGET],
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"},
            },
            "status": {"currentReplicas": 2, "desiredReplicas": 3, "currentMetrics": [CURRENT]},
        },
        [
            'kube_horizontalpodautoscaler_info{horizontalpodautoscaler="h",scaletargetref_api_version="apps/v1",'
            'scaletargetref_kind="Deployment",scaletargetref_name="d"} 1',
            'kube_horizontalpodautoscaler_spec_max_replicas{horizontalpodautoscaler="h"} 9',
            'kube_horizontalpodautoscaler_spec_min_replicas{horizontalpodautoscaler="h"} 1',
            'kube_horizontalpodautoscaler_status_desired_replicas{horizontalpodautoscaler="h"} 3',
            'kube_horizontalpodautoscaler_spec_target_metric{horizontalpodautoscaler="h",metric_name="cpu",'
            'metric_target_type="utilization",container=""} 80',
            'kube_horizontalpodautoscaler_status_target_metric{horizontalpodautoscaler="h",metric_name="cpu",'
            'metric_target_type="average",container=""} 0.155',
        ],
    ),
    (
        "poddisruptionbudgets",
        {"metadata": meta("b"), "spec": {}, "status": {"currentHealthy": 2, "desiredHealthy": 3}},
        [
            'kube_poddisruptionbudget_status_current_healthy{poddisruptionbudget="b"} 2',
            'kube_poddisruptionbudget_status_desired_healthy{poddisruptionbudget="b"} 3',
            'kube_poddisruptionbudget_status_pod_disruptions_allowed{poddisruptionbudget="b"} 0',
        ],
    ),
    (
        "persistentvolumes",
        {
            "metadata": {"name": "v", "creationTimestamp": AT},
            "spec": {
                "capacity": {"storage": "1Gi"},
                "hostPath": {"path": "/d"},
                "claimRef": {"name": "c", "namespace": "shop"},
            },
            "status": {"phase": "Bound"},
        },
        [
            'kube_persistentvolume_capacity_bytes{persistentvolume="v"} 1073741824',
            'kube_persistentvolume_status_phase{persistentvolume="v",phase="Bound"} 1',
            'kube_persistentvolume_claim_ref{persistentvolume="v",name="c",claim_namespace="shop"} 1',
        ],
    ),
    (
        "persistentvolumeclaims",
        {
            "metadata": meta("c"),
            "spec": {"accessModes": ["ReadWriteOnce"], "volumeName": "v", "resources": {"requests": {"storage": "1G"}}},
            "status": {"phase": "Bound"},
        },
        [
            'kube_persistentvolumeclaim_info{persistentvolumeclaim="c",storageclass="",volumename="v",volumemode=""} 1',
            'kube_persistentvolumeclaim_resource_requests_storage_bytes{persistentvolumeclaim="c"} 1000000000',
            'kube_persistentvolumeclaim_access_mode{persistentvolumeclaim="c",access_mode="ReadWriteOnce"} 1',
        ],
    ),
    (
        "namespaces",
        {"metadata": {"name": "shop", "uid": "u"}, "status": {"phase": "Active"}},
        ['kube_namespace_status_phase{phase="Active"} 1', 'kube_namespace_status_phase{phase="Terminating"} 0'],
    ),
    (
        "resourcequotas",
        {
            "metadata": meta("q"),
            "spec": {},
            "status": {"hard": {"requests.cpu": "2"}, "used": {"requests.cpu": "500m"}},
        },
        [
            'kube_resourcequota{resourcequota="q",resource="requests.cpu",type="hard"} 2',
            'kube_resourcequota{resourcequota="q",resource="requests.cpu",type="used"} 0.5',
        ],
    ),
    (
        "limitranges",
        {"metadata": meta("l"), "spec": {"limits": [{"type": "Container", "default": {"cpu": "1"}}]}},
        ['kube_limitrange{limitrange="l",resource="cpu",type="Container",constraint="default"} 1'],
    ),
    (
        "replicationcontrollers",
        {"metadata": meta("rc"), "spec": {"replicas": 1}, "status": {"replicas": 1}},
        [
            'kube_replicationcontroller_spec_replicas{replicationcontroller="rc"} 1',
            'kube_replicationcontroller_status_available_replicas{replicationcontroller="rc"} 0',
        ],
    ),
    (
        "storageclasses",
        {"metadata": {"name": "fast"}, "provisioner": "p"},
        [
            'kube_storageclass_info{storageclass="fast",provisioner="p",reclaim_policy="Delete",'
            'volume_binding_mode="Immediate"} 1'
        ],
    ),
]


@pytest.mark.parametrize(("plural", "obj", "wanted"), CASES, ids=[case[0] for case in CASES])
def test_samples(plural: str, obj: Json, wanted: list[str]) -> None:
    found = samples(plural, obj)
    assert not [line for line in wanted if line not in found], sorted(found)


def test_an_odd_object_does_not_take_the_others_away() -> None:
    from monitoring.objects.workloads import DEPLOYMENTS

    odd: Any = {
        "metadata": meta("d"),
        "spec": {"replicas": 2, "strategy": {"rollingUpdate": {"maxSurge": "many"}}},
        "status": {"conditions": "none"},
    }
    before = DEPLOYMENTS.failed
    text = b"".join(DEPLOYMENTS.render(odd)).decode()
    assert DEPLOYMENTS.failed == before + 2
    assert 'kube_deployment_spec_replicas{namespace="shop",deployment="d"} 2\n' in text

"""Which controllers run in which role, in one place. A role is the Celery queue its workers consume.

The order is that of a resync at start: owners before what they own, so that the first pass creates little in vain.
"""

from __future__ import annotations

ROLES: dict[str, tuple[str, ...]] = {
    "controllers": (
        "addons.manager:AddonManager",
        "controllers.namespace:NamespaceController",
        "controllers.serviceaccount:ServiceAccountController",
        "controllers.serviceaccounttoken:ServiceAccountTokenController",
        "controllers.rootca:RootCAController",
        "controllers.clusterroleaggregation:ClusterRoleAggregationController",
        "controllers.certificatesigning:CertificateSigningController",
        "controllers.nodeipam:NodeIPAMController",
        "controllers.nodelifecycle:NodeLifecycleController",
        "controllers.volumes.binder:PersistentVolumeController",
        "controllers.cronjob:CronJobController",
        "controllers.deployment:DeploymentController",
        "controllers.statefulset:StatefulSetController",
        "controllers.daemonset:DaemonSetController",
        "controllers.job:JobController",
        "controllers.replicaset:ReplicaSetController",
        "controllers.replicationcontroller:ReplicationControllerController",
        "controllers.endpoints.controller:EndpointsController",
        "controllers.endpoints.slice_controller:EndpointSliceController",
        "controllers.endpoints.mirroring:EndpointSliceMirroringController",
        "controllers.autoscaler.controller:HorizontalPodAutoscalerController",
        "controllers.disruption:DisruptionController",
        "controllers.resourcequota:ResourceQuotaController",
        "controllers.volumes.protection:ClaimProtectionController",
        "controllers.volumes.protection:VolumeProtectionController",
        "controllers.podgc:PodGCController",
        "controllers.garbagecollector:GarbageCollector",
        "controllers.retention:EventExpiryController",
        "controllers.retention:ChangeLogController",
    ),
    "scheduler": ("scheduler.controller:SchedulerController",),
}

# What each role's processes count of themselves (telemetry.counting.Metrics).
METRICS = {"controllers": "controllers.metrics:METRICS", "scheduler": "scheduler.metrics:METRICS"}

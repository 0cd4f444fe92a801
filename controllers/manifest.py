"""Which controllers there are, and what a worker of each role runs, in one place."""

from __future__ import annotations

# The order is that of a resync at start: owners before what they own, so that the first pass creates little in vain.
CONTROLLERS = (
    "addons.manager:AddonManager",
    "controllers.namespace:NamespaceController",
    "controllers.serviceaccount:ServiceAccountController",
    "controllers.serviceaccounttoken:ServiceAccountTokenController",
    "controllers.rootca:RootCAController",
    "controllers.clusterroleaggregation:ClusterRoleAggregationController",
    "controllers.admissionpolicystatus:AdmissionPolicyStatusController",
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
    "controllers.volumes.protection:AttributesClassProtectionController",
    "controllers.podgc:PodGCController",
    "controllers.garbagecollector:GarbageCollector",
    "controllers.retention:EventExpiryController",
    "controllers.retention:ChangeLogController",
)

# By role, which is the name of the Celery queue that its workers consume.
SERVICES = {"controllers": "controllers.worker:ControllerService", "scheduler": "scheduler.worker:SchedulerService"}

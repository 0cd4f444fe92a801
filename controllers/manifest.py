"""Which controllers run in which role, in one place. A role is the Celery queue its workers consume.

The order is that of a resync at start: owners before what they own, so that the first pass creates little in vain.
"""

from __future__ import annotations

ROLES: dict[str, tuple[str, ...]] = {
    "controllers": (
        "addons.manager:AddonManager",
        "controllers.cronjob:CronJobController",
        "controllers.deployment:DeploymentController",
        "controllers.statefulset:StatefulSetController",
        "controllers.daemonset:DaemonSetController",
        "controllers.job:JobController",
        "controllers.replicaset:ReplicaSetController",
        "controllers.replicationcontroller:ReplicationControllerController",
    ),
    "scheduler": ("scheduler.controller:SchedulerController",),
}

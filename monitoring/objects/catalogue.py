"""All kinds whose metrics are shown. Of ConfigMaps and Secrets there are none: nothing of theirs is ever held here."""

from __future__ import annotations

from monitoring.objects.families import Families
from monitoring.objects.jobs import CRONJOBS, JOBS
from monitoring.objects.namespaces import LIMITS, NAMESPACES, QUOTAS
from monitoring.objects.nodes import NODES
from monitoring.objects.pods import PODS
from monitoring.objects.policies import AUTOSCALERS, BUDGETS
from monitoring.objects.services import ENDPOINTS, SERVICES
from monitoring.objects.volumes import CLAIMS, CLASSES, VOLUMES
from monitoring.objects.workloads import DAEMONSETS, DEPLOYMENTS, REPLICASETS, REPLICATIONCONTROLLERS, STATEFULSETS

RESOURCES: tuple[Families, ...] = (
    NAMESPACES,
    NODES,
    PODS,
    DEPLOYMENTS,
    REPLICASETS,
    STATEFULSETS,
    DAEMONSETS,
    JOBS,
    CRONJOBS,
    REPLICATIONCONTROLLERS,
    SERVICES,
    ENDPOINTS,
    AUTOSCALERS,
    BUDGETS,
    VOLUMES,
    CLAIMS,
    CLASSES,
    QUOTAS,
    LIMITS,
)

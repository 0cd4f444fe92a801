"""All kinds whose metrics are shown. Of ConfigMaps and Secrets nothing is held but that they are there."""

from __future__ import annotations

from monitoring.objects.access import ACCOUNTS, CLUSTERROLEBINDINGS, CLUSTERROLES, LEASES, REQUESTS, ROLEBINDINGS, ROLES
from monitoring.objects.admission import (
    MUTATING_BINDINGS,
    MUTATING_POLICIES,
    MUTATING_WEBHOOKS,
    VALIDATING_BINDINGS,
    VALIDATING_POLICIES,
    VALIDATING_WEBHOOKS,
)
from monitoring.objects.contents import CONFIGMAPS, SECRETS
from monitoring.objects.families import Families
from monitoring.objects.jobs import CRONJOBS, JOBS
from monitoring.objects.namespaces import LIMITS, NAMESPACES, QUOTAS
from monitoring.objects.networking import ENDPOINTSLICES, INGRESSCLASSES, INGRESSES, NETWORKPOLICIES
from monitoring.objects.nodes import NODES
from monitoring.objects.pods import PODS
from monitoring.objects.policies import AUTOSCALERS, BUDGETS
from monitoring.objects.services import ENDPOINTS, SERVICES
from monitoring.objects.volumes import ATTACHMENTS, CLAIMS, CLASSES, VOLUMES
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
    ATTACHMENTS,
    QUOTAS,
    LIMITS,
    CONFIGMAPS,
    SECRETS,
    ENDPOINTSLICES,
    INGRESSES,
    INGRESSCLASSES,
    NETWORKPOLICIES,
    ACCOUNTS,
    ROLES,
    ROLEBINDINGS,
    CLUSTERROLES,
    CLUSTERROLEBINDINGS,
    REQUESTS,
    LEASES,
    VALIDATING_WEBHOOKS,
    MUTATING_WEBHOOKS,
    VALIDATING_POLICIES,
    VALIDATING_BINDINGS,
    MUTATING_POLICIES,
    MUTATING_BINDINGS,
)

"""admissionregistration.k8s.io/v1: webhooks and policies that decide about requests."""

from cluster.kinds.admissionregistration import mutatingpolicy, policy, webhooks
from cluster.registry import register

register(
    mutatingpolicy.POLICY, mutatingpolicy.BINDING, webhooks.MUTATING, policy.POLICY, policy.BINDING, webhooks.VALIDATING
)

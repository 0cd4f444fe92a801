"""admissionregistration.k8s.io/v1: webhooks and policies that decide about requests."""

from kube.kinds.admissionregistration import mutatingpolicy, policy, webhooks
from kube.registry import register

register(
    mutatingpolicy.POLICY, mutatingpolicy.BINDING, webhooks.MUTATING, policy.POLICY, policy.BINDING, webhooks.VALIDATING
)

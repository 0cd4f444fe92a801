"""The status of ValidatingAdmissionPolicies: which of their expressions do not fit the kinds that they are about."""

from __future__ import annotations

from cluster.admission.policies import typechecking
from cluster.store import Key
from controllers.runtime import Context, Controller, Result, Watch, own_key
from controllers.writes import put_status
from kube.registry import of_cluster

STORAGE = "validatingadmissionpolicies.admissionregistration.k8s.io"


class AdmissionPolicyStatusController(Controller):
    """Key: a policy. Each generation of it is looked at once, as upstream."""

    name = "validatingadmissionpolicy-status"
    user = "system:serviceaccount:kube-system:validatingadmissionpolicy-status-controller"
    watches = (Watch(STORAGE, own_key),)

    def reconcile(self, key: str, ctx: Context) -> Result:
        entry = ctx.cache.get(Key(STORAGE, "", key))
        policy = entry.object() if entry else {}
        status, generation = policy.get("status") or {}, policy.get("metadata", {}).get("generation", 0)
        if generation <= status.get("observedGeneration", 0):
            return None
        found = typechecking.warnings(policy["spec"], of_cluster(ctx.cache.store.cluster))
        checked = {"expressionWarnings": found} if found else {}
        put_status(ctx, STORAGE, policy, {**status, "observedGeneration": generation, "typeChecking": checked})
        return None

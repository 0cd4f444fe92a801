"""CertificateSigningRequests: signs what was approved, and removes requests that nobody needs any more."""

from __future__ import annotations

import base64
from typing import Any

from cluster.store import Key
from controllers import signer
from controllers.runtime import Context, Controller, Result, Watch, own_key
from kube import clock
from kube.errors import NotFound
from kube.objects import Json

STORAGE = "certificatesigningrequests.certificates.k8s.io"
DECIDED, PENDING = 3600.0, 24 * 3600.0  # seconds that a request is kept after its decision, and without one


class CertificateSigningController(Controller):
    """Key: a CertificateSigningRequest."""

    name = "certificatesigning"
    user = "system:serviceaccount:kube-system:certificate-controller"
    watches = (Watch(STORAGE, own_key),)

    def reconcile(self, key: str, ctx: Context) -> Result:
        entry = ctx.cache.get(Key(STORAGE, "", key))
        if entry is None or entry.meta.deletionTimestamp:
            return None
        request = entry.object()
        decided = [
            clock.parse(stamp) for condition in _true(request).values() if (stamp := condition.get("lastUpdateTime"))
        ]
        end = max(decided) + DECIDED if decided else clock.parse(entry.meta.creationTimestamp or clock.now()) + PENDING
        left = end - ctx.now()
        try:
            if left <= 0:
                ctx.session.delete(STORAGE, "", key, {"preconditions": {"uid": entry.meta.uid}})
                return None
            found = signer.SIGNERS.get(request["spec"]["signerName"])
            if found is not None and wants_signature(request):
                _sign(ctx, key, request, found)
        except NotFound:
            return None
        return left


def wants_signature(request: Json) -> bool:
    """Whether it is approved, and neither signed nor given up."""
    conditions = _true(request)
    return (
        "Approved" in conditions
        and not {"Denied", "Failed"} & conditions.keys()
        and (not (request.get("status") or {}).get("certificate"))
    )


def _sign(ctx: Context, name: str, request: Json, found: signer.Signer) -> None:
    """Write the certificate into the status, or why there is none."""
    spec, news = request["spec"], dict[str, Any]()
    try:
        made = signer.sign(base64.b64decode(spec["request"]), found, set(spec["usages"]), spec.get("expirationSeconds"))
        news["certificate"] = base64.b64encode(made).decode()
    except signer.Refusal as why:
        failed = {"type": "Failed", "status": "True", "reason": "SignerValidationFailure", "message": str(why)}
        news["conditions"] = [*request["status"]["conditions"], failed]
    ctx.session.mutate(STORAGE, "", name, lambda obj: obj["status"].update(news), "status")


def _true(request: Json) -> dict[str, Json]:
    """The conditions that hold, by type."""
    conditions = (request.get("status") or {}).get("conditions") or []
    return {condition["type"]: condition for condition in conditions if condition.get("status", "True") == "True"}

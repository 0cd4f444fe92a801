"""DefaultTolerationSeconds: a pod stays five minutes on a node that is not ready or not reachable."""

from __future__ import annotations

from cluster.admission.plugin import CREATE, UPDATE, Plugin
from cluster.admission.request import Request

SECONDS = 300
TAINTS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


class DefaultTolerationSeconds(Plugin):
    operations = frozenset({CREATE, UPDATE})
    storages = frozenset({"pods"})

    def mutate(self, request: Request) -> None:
        spec = request.obj["spec"]
        tolerations = spec.get("tolerations") or []
        covered = {t.get("key") or "" for t in tolerations if t.get("effect") in ("NoExecute", None, "")}
        missing = [taint for taint in TAINTS if taint not in covered and "" not in covered]  # no key means every taint
        if missing:
            spec["tolerations"] = [
                *tolerations,
                *(
                    {"key": taint, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": SECONDS}
                    for taint in missing
                ),
            ]

"""ServiceAccount: an identity for pods."""

from __future__ import annotations

from typing import Any

from kube import columns as c
from kube.kinds.core.base import CoreStrategy
from kube.objects import Json
from kube.registry import Context, Kind

ENFORCE_SECRETS = "kubernetes.io/enforce-mountable-secrets"
_ENFORCED_WARNING = (
    f"metadata.annotations[{ENFORCE_SECRETS}]: deprecated in v1.32+; prefer separate namespaces to isolate access to"
    " mounted secrets"
)


class ServiceAccountStrategy(CoreStrategy):
    def prepare_create(self, obj: Json, ctx: Context) -> None:
        # Secrets are known by their names alone.
        if obj.get("secrets"):
            obj["secrets"] = [{"name": secret["name"]} if secret.get("name") else {} for secret in obj["secrets"]]

    def prepare_update(self, obj: Json, old: Json, ctx: Context) -> None:
        self.prepare_create(obj, ctx)

    def warnings(self, obj: Json, old: Json | None, ctx: Context) -> list[str]:
        new, before = ((o or {}).get("metadata", {}).get("annotations") or {} for o in (obj, old))
        return [_ENFORCED_WARNING] if ENFORCE_SECRETS in new and ENFORCE_SECRETS not in before else []


def _cells(obj: Json, now: float) -> list[Any]:
    return [obj["metadata"]["name"], c.age(obj, now)]


KINDS = (
    Kind(
        "",
        "v1",
        "ServiceAccount",
        "serviceaccounts",
        short_names=("sa",),
        subresources=("token",),
        definition="io.k8s.api.core.v1.ServiceAccount",
        strategy=ServiceAccountStrategy(),
        cells=_cells,
        columns=(c.NAME, c.AGE),
    ),
)

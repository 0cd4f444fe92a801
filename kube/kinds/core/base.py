"""What the strategies of core kinds share."""

from __future__ import annotations

from kube.errors import FieldError
from kube.objectmeta import ObjectStrategy
from kube.objects import Json
from kube.registry import Context, keep


class CoreStrategy(ObjectStrategy):
    """A core kind: a write of `/status` may also change labels, annotations and finalizers, never the spec."""

    def prepare_status_update(self, obj: Json, old: Json, ctx: Context) -> None:
        for name in (obj.keys() | old.keys()) - {"status", "metadata"}:
            keep(obj, old, name)


class ClusterScoped(CoreStrategy):
    """A core kind outside of namespaces."""

    namespaced = False


class Unchecked(CoreStrategy):
    """A kind that the API computes and nobody writes."""

    def validate(self, obj: Json, ctx: Context) -> list[FieldError]:
        return []

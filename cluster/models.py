"""The tables of the store, and a proxy model for each built-in kind over them.

`Change` holds every state an object had since the last compaction: one log for all clusters, ordered by `revision`.
`Object` says which of them is the newest of each object. Only `cluster.store` writes them; models are for reading, for
the admin and for migrations.

    from cluster.models import Object, Pod
    Pod.objects.filter(cluster=1, namespace="default")
    Object.objects.filter(cluster=1, storage="backups.example.com")     # a custom kind

The proxies come from the registry, each when it is first asked for: a process that asks for none does not load the kinds.
They are in a registry of Django's own kind beside the main one, so that they need neither migrations nor permissions.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import orjson
from django.apps.registry import Apps
from django.db import models

from cluster import crypto
from cluster.changes import Key
from kube import registry
from kube.objects import Json


class Cluster(models.Model):
    """A cluster seen here: the one that runs here, or a real Kubernetes attached read-only and mirrored."""

    LOCAL, ATTACHED = "local", "attached"

    name = models.CharField(max_length=63, unique=True)
    mode = models.CharField(max_length=8, choices=[(LOCAL, "runs here"), (ATTACHED, "attached")], default=LOCAL)
    kubeconfig = models.TextField(
        blank=True, help_text="Of an attached cluster: kubeconfig with list and watch rights."
    )
    compacted = models.BigIntegerField(default=0, help_text="Revisions up to here can no longer be read.")
    created = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name


class RevisionField(models.BigIntegerField):  # type: ignore[type-arg] # subscriptable in the types only
    """A 64-bit number that SQLite takes as the row's own id, so that the log is one table in order, without an index."""

    def db_type(self, connection: Any) -> str | None:
        return "integer" if connection.vendor == "sqlite" else super().db_type(connection)


class Change(models.Model):
    """One entry of the change log. `type` is A (added), M (modified) or D (deleted; `body` is the last state).

    `body` is the object's JSON, encrypted for secrets; `previous` the revision of the state that was replaced, 0 if none.
    """

    revision = RevisionField(primary_key=True)
    cluster = models.ForeignKey(Cluster, models.CASCADE, db_constraint=False, db_index=False)
    storage = models.CharField(max_length=255)
    namespace = models.CharField(max_length=63, blank=True)
    name = models.CharField(max_length=253)
    type = models.CharField(max_length=1)
    at = models.FloatField(help_text="When it was committed, epoch seconds.")
    previous = models.BigIntegerField()
    body = models.BinaryField()

    class Meta:
        default_permissions = ()  # who may see the objects may see how they became so
        # Only deletions are indexed: the history of what is gone begins there, and other writes pay nothing for it.
        indexes = [
            models.Index(
                fields=["cluster", "storage", "namespace", "name", "revision"],
                name="change_deleted",
                condition=models.Q(type="D"),
            )
        ]

    @property
    def document(self) -> Json:
        """The object at this revision as a JSON document; one that says why, where it cannot be decrypted."""
        key = Key(self.storage, self.namespace, self.name)
        try:
            body = crypto.reveal(self.cluster_id, key, bytes(self.body))
        except crypto.Unreadable as error:
            body = crypto.remark(key, self.revision, error)
        found: Json = orjson.loads(body)
        return found


class ObjectManager(models.Manager["Object"]):
    """Restricts a proxy model to its kind's storage."""

    def get_queryset(self) -> models.QuerySet[Object]:
        found = super().get_queryset().select_related("state")
        storage = getattr(self.model, "storage_name", "")
        return found.filter(storage=storage) if storage else found


class Object(models.Model):
    """An object that exists, and the change that made it what it is now."""

    cluster = models.ForeignKey(Cluster, models.CASCADE, db_constraint=False, db_index=False)
    storage = models.CharField(max_length=255)
    namespace = models.CharField(max_length=63, blank=True)
    name = models.CharField(max_length=253)
    uid = models.CharField(max_length=64)
    state = models.ForeignKey(
        Change, models.DO_NOTHING, db_column="revision", db_constraint=False, db_index=False, related_name="+"
    )

    objects = ObjectManager()

    class Meta:
        default_permissions = ("view",)
        constraints = [models.UniqueConstraint(fields=["cluster", "storage", "namespace", "name"], name="object_key")]

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name

    @property
    def revision(self) -> int:
        return int(self.state_id)

    @property
    def document(self) -> Json:
        """The object as a JSON document."""
        return self.state.document


class Claim(models.Model):
    """A value that only one object of a cluster may hold, such as a cluster IP or a node port."""

    cluster = models.ForeignKey(Cluster, models.CASCADE, db_constraint=False, db_index=False)
    scope = models.CharField(max_length=63)
    value = models.CharField(max_length=255)
    owner = models.CharField(max_length=600, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["cluster", "scope", "value"], name="claim_value")]


_proxies = Apps()


@cache
def storages() -> dict[str, str]:
    """Kind → storage of the built-in kinds whose objects are kept (a TokenReview is answered, and not kept)."""
    return {kind.kind: kind.storage for kind in registry.load().all() if "get" in kind.verbs}


def __getattr__(kind: str) -> type[Object]:
    """The proxy model of a built-in kind."""
    # Python and Django ask modules for many names; only those of kinds need the registry.
    if not kind[:1].isupper() or kind not in storages():
        raise AttributeError(f"module {__name__!r} has no attribute {kind!r}")
    meta = type("Meta", (), {"proxy": True, "app_label": "cluster", "apps": _proxies})
    made = type(kind, (Object,), {"__module__": __name__, "storage_name": storages()[kind], "Meta": meta})
    globals()[kind] = made
    return made

"""The tables of the store, and a proxy model per kind over them.

`Object` holds each object's newest state, `Change` every state it had since the last compaction: one log for all
clusters, ordered by `revision`. Only `cluster.store` writes them; models are for reading, for the admin and for migrations.
"""

from __future__ import annotations

from typing import Any

from django.db import models

from cluster import crypto


class Cluster(models.Model):
    """A cluster seen here: the one that runs here, or a real Kubernetes attached read-only and mirrored."""

    LOCAL, ATTACHED = "local", "attached"

    name = models.CharField(max_length=63, unique=True)
    mode = models.CharField(max_length=8, choices=[(LOCAL, "runs here"), (ATTACHED, "attached")], default=LOCAL)
    kubeconfig = models.TextField(blank=True, help_text="Of an attached cluster: kubeconfig with list and watch rights.")
    compacted = models.BigIntegerField(default=0, help_text="Revisions up to here can no longer be read.")
    created = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name




class ObjectManager(models.Manager["Object"]):
    """Restricts a proxy model to its kind's storage."""

    def get_queryset(self) -> models.QuerySet[Object]:
        found = super().get_queryset()
        storage = getattr(self.model, "storage_name", "")
        return found.filter(storage=storage) if storage else found


class Object(models.Model):
    """The newest state of one object; `body` is its JSON, encrypted for secrets."""

    cluster = models.ForeignKey(Cluster, models.CASCADE, db_constraint=False)
    storage = models.CharField(max_length=255)
    namespace = models.CharField(max_length=63, blank=True)
    name = models.CharField(max_length=253)
    uid = models.CharField(max_length=64)
    revision = models.BigIntegerField()
    body = models.BinaryField()

    objects = ObjectManager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["cluster", "storage", "namespace", "name"], name="object_key")]

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name

    @property
    def document(self) -> dict[str, Any]:
        """The object as a JSON document."""
        import orjson

        return orjson.loads(crypto.reveal(bytes(self.body)))


class Change(models.Model):
    """One entry of the change log. `type` is A (added), M (modified) or D (deleted; `body` is the last state)."""

    revision = models.BigIntegerField(primary_key=True)
    cluster = models.ForeignKey(Cluster, models.CASCADE, db_constraint=False, db_index=False)
    storage = models.CharField(max_length=255)
    namespace = models.CharField(max_length=63, blank=True)
    name = models.CharField(max_length=253)
    type = models.CharField(max_length=1)
    at = models.FloatField(help_text="When it was committed, epoch seconds.")
    body = models.BinaryField()

    class Meta:
        indexes = [models.Index(fields=["cluster", "storage", "namespace", "name", "revision"], name="change_key")]


class Claim(models.Model):
    """A value that only one object of a cluster may hold, such as a cluster IP or a node port."""

    cluster = models.ForeignKey(Cluster, models.CASCADE, db_constraint=False, db_index=False)
    scope = models.CharField(max_length=63)
    value = models.CharField(max_length=255)
    owner = models.CharField(max_length=600, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["cluster", "scope", "value"], name="claim_value")]


def _proxy(name: str, storage: str) -> type[Object]:
    meta = type("Meta", (), {"proxy": True, "app_label": "cluster"})
    return type(name, (Object,), {"__module__": __name__, "storage_name": storage, "Meta": meta})


Pod = _proxy("Pod", "pods")
Node = _proxy("Node", "nodes")
Service = _proxy("Service", "services")
Namespace = _proxy("Namespace", "namespaces")
ConfigMap = _proxy("ConfigMap", "configmaps")
Secret = _proxy("Secret", "secrets")
Event = _proxy("Event", "events")
ServiceAccount = _proxy("ServiceAccount", "serviceaccounts")
Endpoints = _proxy("Endpoints", "endpoints")
PersistentVolume = _proxy("PersistentVolume", "persistentvolumes")
PersistentVolumeClaim = _proxy("PersistentVolumeClaim", "persistentvolumeclaims")
ReplicationController = _proxy("ReplicationController", "replicationcontrollers")
Deployment = _proxy("Deployment", "deployments.apps")
ReplicaSet = _proxy("ReplicaSet", "replicasets.apps")
DaemonSet = _proxy("DaemonSet", "daemonsets.apps")
StatefulSet = _proxy("StatefulSet", "statefulsets.apps")
Job = _proxy("Job", "jobs.batch")
CronJob = _proxy("CronJob", "cronjobs.batch")

"""Django's part in the addons and the audit log: the permissions, and the table of the audit trail. An addon's state lives
in the cluster."""

from __future__ import annotations

from typing import Any

import orjson
from django.db import models


class Switch(models.Model):
    """No table: only the content type of the permissions to look at the addons and to change them."""

    class Meta:
        managed = False
        default_permissions = ("view", "change")
        verbose_name = "addon"


class AuditLog(models.Model):
    """No table: only the permission to search the audit log of the whole cluster (see `cluster.audit`)."""

    class Meta:
        managed = False
        default_permissions = ("view",)
        verbose_name = "audit log"


class AuditEntry(models.Model):
    """One action; see `addons.audit`, which alone writes. `changes` is JSON: [[key, from, to]…]."""

    at = models.FloatField(help_text="Epoch seconds.")
    addon = models.CharField(max_length=63)
    action = models.CharField(max_length=16)
    actor = models.CharField(max_length=200)
    revision = models.BigIntegerField(help_text="Of the ConfigMap that the action is about.")
    changes = models.TextField()
    note = models.TextField(blank=True)

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["addon", "action", "revision"], name="addons_audit_once")]

    def __str__(self) -> str:
        return f"{self.addon}: {self.action} by {self.actor}"

    @property
    def differences(self) -> list[Any]:
        """(key, from, to) of what changed."""
        found: list[Any] = orjson.loads(self.changes)
        return found

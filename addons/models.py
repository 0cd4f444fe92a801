"""Holds the permission to switch addons; their state itself lives in the cluster, in a ConfigMap each."""

from django.db import models


class Switch(models.Model):
    """No table: only the content type that permission and audit entries refer to."""

    class Meta:
        managed = False
        default_permissions = ("change",)
        verbose_name = "addon"

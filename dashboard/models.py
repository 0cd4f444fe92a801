"""The dashboard's own rows: one-time login tokens. Nothing of the cluster is kept here."""

from django.db import models


class LoginToken(models.Model):
    """A token that logs in once. Only its hash is kept; the row goes when it is used or has expired."""

    digest = models.CharField(max_length=64, unique=True)
    expires = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"login token until {self.expires:%Y-%m-%d %H:%M:%S}"

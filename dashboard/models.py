"""The dashboard's own rows: one-time login tokens, and failed logins. Nothing of the cluster is kept here."""

from django.db import models


class LoginToken(models.Model):
    """A token that logs in once. Only its hash is kept; the row goes when it is used or has expired."""

    digest = models.CharField(max_length=64, unique=True)
    expires = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"login token until {self.expires:%Y-%m-%d %H:%M:%S}"


class FailedLogin(models.Model):
    """The tries of one account from one address that have not led in; see `dashboard.attempts`, which alone writes."""

    key = models.CharField(max_length=64, primary_key=True, help_text="A digest of account and address.")
    tries = models.PositiveIntegerField()
    open_at = models.FloatField(help_text="Epoch seconds before which none is judged.")
    at = models.FloatField(help_text="Epoch seconds of the last try.", db_index=True)
    known = models.BooleanField(help_text="Whether there is such an account.")

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.tries} failed tries"

"""The Django app of the addons."""

from django.apps import AppConfig


class AddonsConfig(AppConfig):
    name = "addons"

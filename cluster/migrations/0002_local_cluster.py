"""The cluster that runs here is always number 1."""

from typing import Any

from django.db import migrations


def create(apps: Any, schema_editor: Any) -> None:
    apps.get_model("cluster", "Cluster").objects.get_or_create(id=1, defaults={"name": "local", "mode": "local"})


class Migration(migrations.Migration):
    dependencies = [("cluster", "0001_initial")]
    operations = [migrations.RunPython(create, migrations.RunPython.noop)]

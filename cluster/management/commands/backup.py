"""`manage.py backup FILE`."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from cluster import keyring
from cluster.backup import BackupError, backup
from cluster.store import Store


class Command(BaseCommand):
    help = "Write the state of the cluster to a file, while it runs. Keep the keys that it needs apart from it, too."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            count, keys = backup(Store.of(), options["file"])
        except BackupError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{count} objects are in {options['file']}")
        if keys:
            self.stdout.write(f"It needs the encryption key {' and '.join(keys)}, of {keyring.ring().folder}")

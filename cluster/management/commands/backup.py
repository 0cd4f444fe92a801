"""`manage.py backup FILE`."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from cluster.backup import BackupError, backup
from cluster.store import Store


class Command(BaseCommand):
    help = "Write the state of the cluster to a file, while it runs. Keep pki/encryption.key apart from it, too."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            count = backup(Store.of(), options["file"])
        except BackupError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{count} objects are in {options['file']}")

"""`manage.py restore FILE`."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from cluster.backup import BackupError, restore
from cluster.store import Store


class Command(BaseCommand):
    help = "Replace the state of the cluster by that of a backup, in one step; it may run meanwhile."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            count = restore(Store.of(), options["file"])
        except BackupError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{count} objects were restored from {options['file']}")

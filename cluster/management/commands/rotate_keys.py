"""`manage.py rotate_keys [--no-new-key] [--drop-old]`."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from cluster import keyring, rotation
from cluster.database import Database
from cluster.keyring import KeyringError

NAMED = 10  # values that cannot be read; the others are counted


class Command(BaseCommand):
    help = (
        "Make a new key for secrets and encrypt all of them with it, those in the history too, while the cluster runs. "
        "May be killed and begun again: an unfinished rotation is finished."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--no-new-key",
            dest="new_key",
            action="store_false",
            help="encrypt with the newest key that is there: one that you have put into the folder, say",
        )
        parser.add_argument(
            "--drop-old",
            action="store_true",
            help="remove the older keys afterwards; backups that were made before cannot be restored without them",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        database = Database()
        try:
            if options["new_key"]:
                _, found = rotation.rotate(database, self.tell)
            else:
                found = rotation.rewrite(database, self.tell)
            dropped = rotation.drop_old(database) if options["drop_old"] else []
            keys = keyring.ring().all()
        except KeyringError as error:
            raise CommandError(str(error)) from error
        finally:
            database.close()
        self.stdout.write(f"Secrets are encrypted with the key {keys[-1].id.hex()} ({keys[-1].path}).")
        for words, some in (("Dropped", dropped), ("Older keys that are still there", keys[:-1])):
            if some:
                self.stdout.write(f"{words}: {', '.join(key.id.hex() for key in some)}.")
        if found.unreadable:
            more = len(found.unreadable) - NAMED
            lines = [*found.unreadable[:NAMED], *([f"and {more} more"] if more > 0 else [])]
            raise CommandError("These values stayed as they were:\n" + "\n".join(lines))

    def tell(self, written: int) -> None:
        self.stdout.write(f"{written} values were encrypted anew …")
        self.stdout.flush()

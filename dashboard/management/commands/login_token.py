"""`manage.py login_token`: a token that logs in to the dashboard once."""

from typing import Any

from django.core.management.base import BaseCommand

from dashboard.login import issue_one_time_token


class Command(BaseCommand):
    help = "Print a token that logs in to the dashboard once, within 15 minutes."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(issue_one_time_token())

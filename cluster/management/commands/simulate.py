"""`manage.py simulate --nodes N`: nodes whose pods come to run without processes."""

import os
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser


class Command(BaseCommand):
    help = "Add simulated nodes to the running cluster, and play their kubelets until Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--nodes", type=int, default=10)
        parser.add_argument("--prefix", default="sim-")

    def handle(self, *args: Any, **options: Any) -> None:
        command = [sys.executable, "-m", "kubelet.simulate", "--kubeconfig", str(settings.VAR / "kubeconfig"),
                   "--nodes", str(options["nodes"]), "--prefix", options["prefix"]]
        os.chdir(settings.BASE_DIR)
        os.execv(sys.executable, command)

"""`manage.py simulate --nodes N`: nodes whose pods come to run without processes."""

import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser


class Command(BaseCommand):
    help = "Add simulated nodes to the running cluster, and play their kubelets until Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--nodes", type=int, default=10)
        parser.add_argument("--prefix", default="sim-")
        parser.add_argument(
            "--no-figures",
            dest="figures",
            action="store_false",
            help="nodes without kubelets to ask what their pods use",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        command = [
            sys.executable,
            "-m",
            "kubelet.simulate",
            "--kubeconfig",
            str(settings.VAR / "kubeconfig"),
            "--nodes",
            str(options["nodes"]),
            "--prefix",
            options["prefix"],
        ]
        files = (("--tls-cert", "kubelet.crt"), ("--tls-key", "kubelet.key"), ("--client-ca", "ca.crt"))
        for option, file in files if options["figures"] else ():
            command += [option, str(settings.VAR / "pki" / file)]
        command += ["--address", _address(settings.VAR)]
        os.chdir(settings.BASE_DIR)
        os.execv(sys.executable, command)


def _address(var: Path) -> str:
    """Where pods reach this machine."""
    # By name: `config` wires the packages together, so that none of them imports it.
    installation = importlib.import_module("config.installation")
    try:
        kept = json.loads((var / "config.json").read_text())
    except FileNotFoundError:
        raise CommandError(f"there is no cluster in {var}: start one with `make up`") from None
    return str(installation.Installation(**kept).node_address)

"""`python -m tests.prepare`, the first step of `make test`: what tests need of the machine beside Python's packages.

What is missing is installed by root, who is told; anybody else is told which tests will be skipped, and the command that
would enable them. In CI (CI=true) nothing may be missing in the end: there a test that is skipped for want of a program
fails (see `needs`).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import environment
from config import kubectl
from config.preflight import Refused
from deploy.elasticsearch import node

ROOT = Path(__file__).resolve().parent.parent


class Need(NamedTuple):
    """A program: any of `commands`, which Debian's `package` brings. `tests` are skipped without it."""

    commands: tuple[str, ...]
    package: str
    tests: str


NEEDS = (
    Need(("chromium", "chromium-browser"), "chromium", "the dashboard in a browser (tests/browser)"),
    Need(("nft",), "nftables", "kube-proxy's rules in the kernel (tests/kubeproxy/test_nftables.py)"),
    Need(("ip",), "iproute2", "pods and clusters of root (tests/kubelet/test_process_pods.py, tests/e2e)"),
    Need(
        ("setpriv",), "util-linux", "root's tests as an ordinary user (tests/kubelet/test_process_pods.py, tests/e2e)"
    ),
    Need(("promtool",), "prometheus", "what Prometheus says of our metrics (tests/telemetry, monitoring, e2e)"),
    Need(("javac",), "openjdk-17-jdk-headless", "a real Elasticsearch (tests/e2e/test_logging_*.py)"),
    Need(("mvn",), "maven", "a real Elasticsearch (tests/e2e/test_logging_*.py)"),
)


def have(commands: tuple[str, ...]) -> bool:
    return any(shutil.which(command) for command in commands) or ("chromium" in commands and environment.BROWSER.given)


def in_ci() -> bool:
    return environment.CI.get() == "true"


def needs(*commands: str) -> None:
    """For a test: skip it where a command is missing, and fail in CI, where all of them have been installed."""
    import pytest

    for command in commands:
        if (kubectl.find() if command == "kubectl" else shutil.which(command)) is None:
            (pytest.fail if in_ci() else pytest.skip)(f"{command} is not installed: make test says how to have it")


def main() -> int:
    """The exit status: 0 where tests can start, some of which may be skipped."""
    missing = [need for need in NEEDS if not have(need.commands)]
    packages = [need.package for need in missing]
    prefix = [] if os.geteuid() == 0 else ["sudo"]
    troubles: dict[str, str] = {}
    if missing and shutil.which("apt-get") and (os.geteuid() == 0 or (in_ci() and shutil.which("sudo"))):
        print(f"Tests need {', '.join(packages)}, which this machine lacks: installing …", flush=True)
        twice(lambda: install(packages, prefix))
        missing = [need for need in NEEDS if not have(need.commands)]
    for need in missing:
        troubles[need.tests] = f"sudo apt-get install {' '.join(n.package for n in missing if n.tests == need.tests)}"
    if kubectl.find() is None:
        print("Tests need kubectl, which this machine lacks: fetching it into .venv/bin …", flush=True)
        if not twice(kubectl.install):
            troubles["all that kubectl does (tests/e2e, tests/golden/test_kubectl.py)"] = "make kubectl"
    home = ROOT / environment.ELASTICSEARCH.get()
    if have(("javac",)) and have(("mvn",)) and not node.installed(home):
        print(f"Tests need a real Elasticsearch: fetching it into {home} …", flush=True)
        if not twice(lambda: node.install(home)):
            troubles[NEEDS[-1].tests] = f"python deploy/elasticsearch/node.py install {home}"
    if os.geteuid() != 0:
        troubles["what only root may do (cgroups, namespaces, packet filter, a full disk)"] = "sudo make test"
    if not (ROOT / environment.GOLDEN.get()).exists():
        troubles["answers recorded from Kubernetes (tests/golden)"] = "BINNACLE_GOLDEN=FOLDER make test"
    if troubles:
        print("These tests will be skipped here, each with the command that would enable it:")
        print("".join(f"  {tests}\n      {command}\n" for tests, command in troubles.items()), end="", flush=True)
    return 0


def install(packages: list[str], prefix: list[str]) -> None:
    """Debian's packages. Raises CalledProcessError."""
    apt = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]
    subprocess.run([*apt, "update"], check=True)
    patient = ("-o", "DPkg::Lock::Timeout=300")  # a new machine may be updating itself
    command = [*apt, "install", "-y", "--no-install-recommends", *patient, *packages]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    if "prometheus" in packages:  # the package starts a server of its own, which nobody here asked for
        for command in (["service", "prometheus", "stop"], ["systemctl", "disable", "prometheus"]):
            if shutil.which(command[0]):
                subprocess.run([*prefix, *command], check=False, capture_output=True)


def twice(step: Callable[[], object]) -> bool:
    """Whether a step that fetches something came through, at the second try perhaps; what it says is told."""
    for _ in range(2):
        try:
            step()
            return True
        except (OSError, subprocess.CalledProcessError, Refused) as error:
            print(f"  {error}", flush=True)
    return False


if __name__ == "__main__":
    sys.exit(main())

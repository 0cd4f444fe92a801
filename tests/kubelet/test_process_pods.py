"""Real processes as pods: as root in a network namespace of the test's own, and as an ordinary user."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.prepare import needs

ROOT = Path(__file__).resolve().parents[2]
NOBODY = 65534


@pytest.fixture
def folder() -> Iterator[Path]:
    # Not tmp_path: below it another user may not go.
    with tempfile.TemporaryDirectory(prefix="kubelet-test-") as name:
        os.chmod(name, 0o755)
        yield Path(name)


def run(command: list[str], folder: Path) -> None:
    site = next(path for path in sys.path if path.endswith("site-packages"))
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{site}", "PYTHONDONTWRITEBYTECODE": "1"}
    # A file, not a pipe: a pod that a failure left behind may hold it open.
    with tempfile.TemporaryFile("w+") as output:
        done = subprocess.run(command, cwd=ROOT, env=environment, stdout=output, stderr=output, timeout=115)
        output.seek(0)
        assert done.returncode == 0, output.read()[-12000:]


def scenario(python: str, folder: Path, cidr: str) -> list[str]:
    return [python, "-m", "tests.kubelet.scenario", str(folder), cidr]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_pods_of_root_have_namespaces(folder: Path) -> None:
    needs("ip")
    inside = " ".join(scenario(sys.executable, folder, "10.244.7.0/24"))
    run(["unshare", "-n", "sh", "-c", f"ip link set lo up && {inside}"], folder)


def _usable_python() -> str | None:
    """A Python that user nobody may execute; one below root's home is not."""
    site = next(path for path in sys.path if path.endswith("site-packages"))
    for candidate in (sys.executable, "/usr/bin/python3.11", "/usr/bin/python3"):
        command = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", candidate, "-c",
                   "import aiohttp, orjson, cryptography, os, sys; os.stat(sys.executable)"]  # fmt: skip
        done = subprocess.run(command, env={**os.environ, "PYTHONPATH": site}, capture_output=True)
        if done.returncode == 0:
            return candidate
    return None


def test_pods_of_an_ordinary_user(folder: Path) -> None:
    if os.geteuid() != 0:
        run(scenario(sys.executable, folder, "127.244.7.0/24"), folder)
        return
    python = _usable_python()
    if python is None:
        pytest.skip("no Python that an ordinary user may execute")
    os.chown(folder, NOBODY, NOBODY)
    drop = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    run([*drop, *scenario(python, folder, "127.244.7.0/24")], folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_pods_where_no_namespaces_can_be_had(folder: Path) -> None:
    """An ordinary user on a machine that gives such users no namespaces: Landlock is what is left."""
    python = _usable_python()
    if python is None:
        pytest.skip("no Python that an ordinary user may execute")
    os.chown(folder, NOBODY, NOBODY)
    run([sys.executable, "-m", "tests.kubelet.plain", *scenario(python, folder, "127.244.8.0/24")], folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_pods_of_root_with_ids_of_their_own(folder: Path) -> None:
    """Everything again, each pod in a user namespace (`hostUsers: false`)."""
    needs("ip")
    inside = " ".join([*scenario(sys.executable, folder, "10.244.7.0/24"), "mapped"])
    run(["unshare", "-n", "sh", "-c", f"ip link set lo up && {inside}"], folder)

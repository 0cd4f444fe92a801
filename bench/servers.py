"""Servers to measure: the API server alone, or the whole cluster as `make up` starts it. Each in a fresh folder."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.wire import Target
from config.installation import admin_token

ROOT = Path(__file__).resolve().parent.parent


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def api_port() -> int:
    """A port for a cluster's API: neither it nor the kubelet's, some thousand above, is among the node ports."""
    return free_port() % 10_000 + 12_000


@contextmanager
def api_server() -> Iterator[tuple[Target, int]]:
    """An API server alone, with its process id."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        port = free_port()
        child = subprocess.Popen(
            [sys.executable, "-m", "apiserver", "--standalone", folder, "--port", str(port)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            assert child.stdout
            token = child.stdout.readline().split()[1]
            _wait(port)
            yield Target(port, token, Path(folder) / "pki" / "ca.crt"), child.pid
        finally:
            child.terminate()
            child.wait(20)


def _wait(port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError(f"nobody listens on port {port}")


@contextmanager
def cluster() -> Iterator[tuple[Target, Path]]:
    """A whole cluster, with its state folder."""
    var = Path(tempfile.mkdtemp(prefix="bench-")) / "var"
    environment = {**os.environ, "BINNACLE_VAR": str(var), "PORT": str(free_port()), "API_PORT": str(api_port())}
    config = [sys.executable, "-m", "config"]
    subprocess.run([*config, "up", "--detach"], cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
    try:
        yield Target(int(environment["API_PORT"]), admin_token(var), var / "pki" / "ca.crt"), var
    finally:
        subprocess.run([*config, "clean"], cwd=ROOT, env=environment, check=True)
        shutil.rmtree(var.parent, ignore_errors=True)

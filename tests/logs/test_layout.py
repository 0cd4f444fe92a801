"""The folder `logging` hides nothing, and the shipper stays small: what it imports is counted in memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def run(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, **environment},
        text=True,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_pythons_own_logging_is_not_hidden() -> None:
    for path in ("", "logging"):
        found = run("import logging; print(logging.__file__)", PYTHONPATH=path)
        assert not found.startswith(str(ROOT)) and found.endswith("logging/__init__.py")


def test_the_shipper_imports_only_what_it_needs() -> None:
    """Each of these would take more memory than the whole shipper may add to the machine."""
    code = "import sys, logs.ship.__main__, logs.ship.ingest, logs.elastic.store; print(*sorted(sys.modules))"
    loaded = {name.partition(".")[0] for name in run(code, PYTHONPATH="logging").split()}
    assert not loaded & {
        "aiohttp",
        "django",
        "numpy",
        "cluster",
        "apiserver",
        "config",
        "kubelet",
        "elasticsearch",
        "prometheus_client",
        "tantivy",
        "yaml",
    }

"""A real Elasticsearch, started once for all tests that ask for it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.conftest import free_port
from tests.conftest import ROOT

NODE = ROOT / "deploy" / "elasticsearch" / "node.py"
PATIENCE = 90.0   # seconds until it answers


class Elasticsearch:
    """One node; `start` and `stop` are for tests of a store that goes away."""

    def __init__(self, home: Path, data: Path) -> None:
        self.home, self.data, self.port = home, data, free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [sys.executable, str(NODE), "run", str(self.home), str(self.data), str(self.port)]
        log = (self.data.parent / "elasticsearch.log").open("ab")
        self.process = subprocess.Popen(command, stdout=log, stderr=log)
        log.close()
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                urllib.request.urlopen(f"{self.url}/_cluster/health", timeout=5).close()
                return
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    self.stop()
                    raise AssertionError((self.data.parent / "elasticsearch.log").read_text()[-3000:]) from None
                time.sleep(0.25)

    def stop(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None


@pytest.fixture(scope="session")
def elasticsearch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elasticsearch]:
    if shutil.which("java") is None or shutil.which("mvn") is None:
        pytest.skip("no Java or no Maven on this machine: .ci/run installs them")
    home = Path(os.environ.get("BINNACLE_ELASTICSEARCH") or ROOT / "build" / "elasticsearch")
    subprocess.run([sys.executable, str(NODE), "install", str(home)], check=True, timeout=300)
    node = Elasticsearch(home, tmp_path_factory.mktemp("elasticsearch") / "data")
    try:
        node.start()
        yield node
    finally:
        node.stop()

"""From files to a real Elasticsearch: nothing is lost and nothing is twice, whoever is killed meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from tests.e2e.elasticsearch import Elasticsearch
from tests.e2e.machine import ROOT, kill
from tests.e2e.shipping import Shipper, Writers, deliver, numbered, until
from tests.ports import free_port

pytestmark = [pytest.mark.serial, pytest.mark.timeout(600)]

CONTAINERS, LINES = 20, 10_000
# What fits into a container's files is what may wait while the store is away: 20 files of 128 KiB here.
FILE_BYTES, FILES = 128 * 1024, 20


@pytest.fixture(scope="module")
def elasticsearch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elasticsearch]:
    server = Elasticsearch(tmp_path_factory.mktemp("elasticsearch"))
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture
def shipper(tmp_path: Path, elasticsearch: Elasticsearch) -> Iterator[Shipper]:
    made = Shipper(tmp_path, "--store=elasticsearch", f"--elasticsearch={elasticsearch.url}")
    yield made
    made.kill()
    elasticsearch.clear()


def test_each_line_is_in_the_store_once_through_kills_and_stops(elasticsearch: Elasticsearch, shipper: Shipper) -> None:
    writers = Writers(shipper.pods, CONTAINERS, FILE_BYTES, FILES)
    deliver(elasticsearch, shipper, writers, LINES, CONTAINERS * LINES)
    messages = (document["message"] for document in elasticsearch.documents("message"))
    assert numbered(messages) == Counter({(line, number): 1 for line in range(LINES) for number in range(CONTAINERS)})
    figures = shipper.figures()
    assert figures["files_lost_total"] == figures["documents_rejected_total"] == figures["files_truncated_total"] == 0


def test_what_the_store_refuses_is_kept_aside_and_the_rest_goes_on(
    elasticsearch: Elasticsearch, shipper: Shipper
) -> None:
    """An index whose mapping an operator has changed refuses some lines for good."""
    day = time.strftime("%Y.%m.%d", time.gmtime())
    elasticsearch.ask(
        "PUT", f"/logs-{day}", {"mappings": {"properties": {"kubernetes": {"properties": {"pod": {"type": "ip"}}}}}}
    )
    for pod in ("10.0.0.1", "web"):
        folder = shipper.pods / f"default_{pod}_uid-{pod}" / "main"
        folder.mkdir(parents=True)
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
        (folder / "0.log").write_text(f"{stamp}.000000001Z stdout F of {pod}\n")
    shipper.start()
    until(lambda: shipper.figures().get("documents_rejected_total") == 1, "one line is refused")
    until(lambda: elasticsearch.count() == 1, "the other is kept")
    kept = orjson.loads((shipper.state / "rejected.ndjson").read_bytes())
    assert kept["document"]["message"] == "of web" and "kubernetes.pod" in kept["reason"]


class Embedded:
    """The embedded store's process."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "logs",
                "--without-api",
                "--address=127.0.0.1",
                f"--port={self.port}",
                f"--data-dir={self.folder}",
            ],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": "logging"},
        )

    def kill(self) -> None:
        if self._process is not None:
            kill(self._process.pid)
            self._process.wait(10)
            self._process = None

    def messages(self) -> list[str]:
        """Every line's message; none while the store does not answer."""
        everything = {"logs": None, "events": None, "nodes": True}
        question = {"query": "", "from": "now-1d", "to": "now", "format": "json", "scope": everything}
        request = urllib.request.Request(
            self.url + "/download", orjson.dumps(question), {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return [orjson.loads(line)["message"] for line in answer.read().splitlines()]
        except OSError as error:
            if isinstance(error, urllib.error.HTTPError) and error.code != 503:
                raise
            return []


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Embedded]:
    made = Embedded(tmp_path / "store")
    yield made
    made.kill()


def test_the_embedded_store_has_each_line_once_too(embedded: Embedded, tmp_path: Path) -> None:
    """Shipper and store are killed in turns; the store has said yes to what it has on the disk only."""
    shipper = Shipper(tmp_path / "shipper", "--store=embedded", f"--ingest={embedded.url}")
    containers, lines = 5, 2000
    writers = Writers(shipper.pods, containers, FILE_BYTES, FILES)
    try:
        for turn in range(4):
            embedded.start()
            shipper.start()
            writers.write(turn * lines // 4, (turn + 1) * lines // 4)
            until(lambda: shipper.figures().get("documents_shipped_total"), "the store takes lines")
            embedded.kill() if turn % 2 else shipper.kill()
            if turn % 2:
                until(
                    lambda: shipper.figures().get("store_up") == 0 or shipper.figures().get("waiting_bytes") == 0,
                    "the shipper notices, or has nothing more to send",
                )
                shipper.kill()
            else:
                embedded.kill()
        writers.close()
        embedded.start()
        shipper.start()
        until(lambda: len(embedded.messages()) >= containers * lines, "all lines in the store")
        assert numbered(embedded.messages()) == Counter({(n, c): 1 for n in range(lines) for c in range(containers)})
    finally:
        shipper.kill()

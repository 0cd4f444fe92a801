"""From files to a real Elasticsearch: nothing is lost and nothing is twice, whoever is killed meanwhile."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from kubelet.shim.logs import LogFile
from tests.e2e.elasticsearch import Elasticsearch
from tests.e2e.machine import ROOT, free_port, kill

pytestmark = [pytest.mark.serial, pytest.mark.timeout(400)]

CONTAINERS, LINES = 20, 10_000
# What fits into a container's files is what may wait while the store is away: 20 files of 128 KiB here.
FILE_BYTES, FILES = 128 * 1024, 20
KILLS, STOPS = 10, {3: signal.SIGTERM, 7: signal.SIGKILL}
_LINE = re.compile(r"line (\d+) of container (\d+) ")


@pytest.fixture(scope="module")
def elasticsearch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elasticsearch]:
    server = Elasticsearch(tmp_path_factory.mktemp("elasticsearch"))
    try:
        server.start()
        yield server
    finally:
        server.close()


class Shipper:
    """The shipper's process over a folder of pods' logs."""

    def __init__(self, folder: Path, *store: str) -> None:
        self.folder, self.store, self.port = folder, store, free_port()
        self.pods, self.state = folder / "pods", folder / "state"
        self.pods.mkdir(parents=True)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "logs.ship", "--without-api", "--node=node-1", f"--pods-dir={self.pods}",
                   f"--state-dir={self.state}", "--address=127.0.0.1", f"--http-port={self.port}", *self.store]
        with (self.folder / "output.log").open("ab") as output:
            self._process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": "logging"},
                                             stdout=output, stderr=subprocess.STDOUT)

    def kill(self) -> None:
        if self._process is not None:
            kill(self._process.pid)
            self._process.wait(10)
            self._process = None

    def figures(self) -> dict[str, float]:
        """Its metrics; none while it does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10) as answer:
                text = answer.read().decode()
        except OSError:
            assert self._process is not None and self._process.poll() is None, self.output()
            return {}
        rows = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
        return {name.removeprefix("binnacle_log_shipper_"): float(value) for name, value in rows}

    def output(self) -> str:
        return (self.folder / "output.log").read_text(errors="replace")[-4000:]


@pytest.fixture
def shipper(tmp_path: Path, elasticsearch: Elasticsearch) -> Iterator[Shipper]:
    made = Shipper(tmp_path, "--store=elasticsearch", f"--elasticsearch={elasticsearch.url}")
    yield made
    made.kill()
    elasticsearch.clear()


def until(look: Callable[[], Any], what: str, patience: float = 150) -> Any:
    """What `look` returns once it is true."""
    deadline = time.monotonic() + patience
    while not (seen := look()):
        assert time.monotonic() < deadline, f"{what} did not come true in {patience:.0f} s"
        time.sleep(0.1)
    return seen


class Writers:
    """The logs of many containers, written as the kubelet's shim does."""

    def __init__(self, pods: Path) -> None:
        self._logs = []
        for number in range(CONTAINERS):
            folder = pods / f"default_writer-{number}_0000-{number}" / "main"
            folder.mkdir(parents=True)
            self._logs.append(LogFile(str(folder / "0.log"), FILE_BYTES, FILES))

    def write(self, first: int, last: int) -> None:
        """These lines of every container; every hundredth so long that it is written in pieces."""
        for start in range(first, last, 50):
            for number, log in enumerate(self._logs):
                log.feed("stdout", b"".join(self._text(line, number) for line in range(start, start + 50)))

    @staticmethod
    def _text(line: int, number: int) -> bytes:
        filler = "x" * (17_000 if line % 1000 == 500 else line % 40)
        return f"INFO line {line} of container {number} {filler}\n".encode()

    def close(self) -> None:
        for log in self._logs:
            log.close()


def test_each_line_is_in_the_store_once_through_kills_and_stops(elasticsearch: Elasticsearch, shipper: Shipper) -> None:
    writers = Writers(shipper.pods)
    step = LINES // KILLS
    for turn in range(KILLS):
        shipper.start()
        writers.write(turn * step, (turn + 1) * step)
        if turn in STOPS:
            until(lambda: shipper.figures().get("lines_read_total"), "the shipper reads")
            elasticsearch.stop(STOPS[turn])
            until(lambda: shipper.figures().get("retries_total"), "the shipper notices that the store is gone")
            elasticsearch.launch()
        else:
            until(lambda: shipper.figures().get("lines_read_total"), "the shipper reads")
        shipper.kill()
    writers.close()
    shipper.start()
    elasticsearch.wait()
    total = CONTAINERS * LINES
    until(lambda: elasticsearch.count() >= total, f"{total} lines in the store\n{shipper.output()}")
    assert _lines(elasticsearch) == Counter({(line, number): 1 for line in range(LINES) for number in range(CONTAINERS)})
    figures = shipper.figures()
    assert figures["files_lost_total"] == figures["documents_rejected_total"] == figures["files_truncated_total"] == 0


def _lines(elasticsearch: Elasticsearch) -> Counter[tuple[int, int]]:
    found: Counter[tuple[int, int]] = Counter()
    for document in elasticsearch.documents("message"):
        match = _LINE.match(document["message"].removeprefix("INFO "))
        assert match, document
        found[int(match[1]), int(match[2])] += 1
    return found


def test_what_the_store_refuses_is_kept_aside_and_the_rest_goes_on(elasticsearch: Elasticsearch, shipper: Shipper) -> None:
    """An index whose mapping an operator has changed refuses some lines for good."""
    day = time.strftime("%Y.%m.%d", time.gmtime())
    elasticsearch.ask("PUT", f"/logs-{day}", {"mappings": {"properties": {"kubernetes": {"properties": {
        "pod": {"type": "ip"}}}}}})
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

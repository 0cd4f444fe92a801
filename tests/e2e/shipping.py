"""What the tests and the benchmark of log delivery share: writers, the shipper's process, and the story of their kills."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from kubelet.shim.logs import LogFile
from tests.e2e.elasticsearch import Elasticsearch
from tests.e2e.machine import ROOT, kill
from tests.ports import free_port

KILLS, STOPS = 10, {3: signal.SIGTERM, 7: signal.SIGKILL}
_LINE = re.compile(r"line (\d+) of container (\d+) ")


class Shipper:
    """The shipper's process over a folder of pods' logs."""

    def __init__(self, folder: Path, *store: str) -> None:
        self.folder, self.store, self.port = folder, store, free_port()
        self.pods, self.state = folder / "pods", folder / "state"
        self.pods.mkdir(parents=True)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [
            sys.executable,
            "-m",
            "logs.ship",
            "--without-api",
            "--node=node-1",
            f"--pods-dir={self.pods}",
            f"--state-dir={self.state}",
            "--address=127.0.0.1",
            f"--http-port={self.port}",
            *self.store,
        ]
        with (self.folder / "output.log").open("ab") as output:
            self._process = subprocess.Popen(
                command, cwd=ROOT, env={**os.environ, "PYTHONPATH": "logging"}, stdout=output, stderr=subprocess.STDOUT
            )

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

    def cpu(self) -> float:
        """Seconds of processor time that it has taken."""
        assert self._process is not None
        return cpu(self._process.pid)

    def output(self) -> str:
        return (self.folder / "output.log").read_text(errors="replace")[-4000:]


def cpu(pid: int) -> float:
    """Seconds of processor time that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def until(look: Callable[[], Any], what: str, patience: float = 180) -> Any:
    """What `look` returns once it is true."""
    deadline = time.monotonic() + patience
    while not (seen := look()):
        assert time.monotonic() < deadline, f"{what} did not come true in {patience:.0f} s"
        time.sleep(0.1)
    return seen


class Writers:
    """The logs of many containers, written as the kubelet's shim does: rotated at `size` bytes, `files` of them kept.

    A line is up to `width` characters longer than its beginning; every thousandth is written in pieces.
    """

    def __init__(self, pods: Path, containers: int, size: int, files: int, width: int = 40) -> None:
        self._logs = []
        self._width = width
        for number in range(containers):
            folder = pods / f"default_writer-{number}_0000-{number}" / "main"
            folder.mkdir(parents=True)
            self._logs.append(LogFile(str(folder / "0.log"), size, files))

    def write(self, first: int, last: int) -> None:
        """These lines of every container."""
        for start in range(first, last, 50):
            for number, log in enumerate(self._logs):
                log.feed("stdout", b"".join(self._text(line, number) for line in range(start, start + 50)))

    def _text(self, line: int, number: int) -> bytes:
        filler = "x" * (17_000 if line % 1000 == 500 else line % self._width)
        return f"INFO line {line} of container {number} {filler}\n".encode()

    def close(self) -> None:
        for log in self._logs:
            log.close()


def deliver(
    elasticsearch: Elasticsearch, shipper: Shipper, writers: Writers, lines: int, total: int, patience: float = 300
) -> None:
    """Writes while the shipper is killed ten times and Elasticsearch is stopped twice, once by kill -9; `total` arrive."""
    step = lines // KILLS
    for turn in range(KILLS):
        shipper.start()
        writers.write(turn * step, (turn + 1) * step)
        until(lambda: shipper.figures().get("lines_read_total"), "the shipper reads")
        if turn in STOPS:
            elasticsearch.stop(STOPS[turn])
            until(lambda: shipper.figures().get("retries_total"), "the shipper notices that the store is gone")
            elasticsearch.launch()
        shipper.kill()
    writers.close()
    shipper.start()
    elasticsearch.wait()
    until(lambda: elasticsearch.count() >= total, f"{total} lines in the store", patience)


def numbered(messages: Iterable[str]) -> Counter[tuple[int, int]]:
    """How often each (line, container) is among the messages."""
    found: Counter[tuple[int, int]] = Counter()
    for message in messages:
        match = _LINE.match(message.removeprefix("INFO "))
        assert match, message
        found[int(match[1]), int(match[2])] += 1
    return found

"""The log shipper: lines a second up to the encoded document, and into a real Elasticsearch beside `parallel_bulk` alone.

    python -m bench logship            a minute or two
    python -m bench.logship million    1,000,000 lines of 20 containers, rotated at 10 MiB, through ten kills of the shipper
                                       and two stops of Elasticsearch: each is there once (minutes)

With Debian's packages rsyslog and rsyslog-elasticsearch installed, rsyslog brings the same lines into the same server.

fluentd and its like could not be had, to be measured in the same run. Asked on 2026-11-28: Debian 12 has no package fluentd,
fluent-bit, td-agent, ruby-fluentd, fluent-package, vector, filebeat or logstash (`apt-cache policy` after `apt-get update`),
and `gem install fluentd fluent-plugin-elasticsearch`, with Debian's Ruby 3.1, does not reach its registry. So only published
figures are beside it, per core or process: fluentd 26 MiB/s, Fluent Bit 35 MiB/s, Vector 77 MiB/s (Vector's README),
OpenTelemetry's filelog 8,500 lines/s at half of two cores.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parent.parent / "logging"))

from kubelet.shim.logs import LogFile
from logs.record import Document, Origin
from logs.ship.reading import Log

LINES = 200_000
SILENT = 30.0  # seconds without a new document after which no more are expected
POD = {
    "namespace": "default",
    "pod": "web-7d9c4b6f5-x2x7k",
    "pod_uid": "0f8fad5b-d9cb-469f-a165-70867728950e",
    "container": "main",
    "container_id": "process://4d1bbc44524842d1ac481bd449f58492",
    "node": "node-1",
    "labels": {"app": "web", "pod-template-hash": "7d9c4b6f5"},
    "workload": {"kind": "Deployment", "name": "web"},
}
KINDS: dict[str, Callable[[int], str]] = {
    "text": lambda n: f"INFO line {n} of container 7: the quick brown fox jumps over the lazy dog and goes on",
    "json": lambda n: (
        f'{{"level":"info","ts":"2026-11-21T06:19:10Z","msg":"request","path":"/api/x","status":200,"ms":{n}}}'
    ),
    "access": lambda n: (
        f'10.0.0.{n % 250} - - [21/Nov/2026:06:19:10 +0000] "GET /index.html HTTP/1.1" 200 612 "-" "curl/8"'
    ),
}


def main() -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        return {
            "up_to_encoding": {kind: _encoding(Path(folder), kind) for kind in KINDS},
            "into_elasticsearch": _elasticsearch(Path(folder)),
        }


def _encoding(folder: Path, kind: str) -> dict[str, Any]:
    path = _written(folder / kind, kind)
    wall, cpu = time.perf_counter(), time.process_time()
    count = size = 0
    for documents in _read(path):
        count += len(documents)
        size += sum(len(document.body) for document in documents)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    assert count == LINES, f"{count} documents of {LINES} lines"
    return {
        "lines_per_cpu_second": round(LINES / cpu),
        "cpu_seconds_per_million": round(cpu / LINES * 1e6, 1),
        "lines_per_second": round(LINES / wall),
        "read_mib": round(_size(path) / 2**20, 1),
        "encoded_mib": round(size / 2**20, 1),
    }


def _written(folder: Path, kind: str) -> Path:
    folder.mkdir(parents=True)
    log = LogFile(str(folder / "0.log"), 10 * 2**20, 1000)
    for first in range(0, LINES, 100):
        log.feed("stdout", "".join(KINDS[kind](n) + "\n" for n in range(first, first + 100)).encode())
    log.close()
    return folder / "0.log"


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in path.parent.iterdir())


def _read(path: Path) -> Iterator[list[Document]]:
    log = Log(str(path), "0f8fad5b/main/0", plain=False)
    log.origin = Origin("container", POD)
    while True:
        before = log.lines
        documents = log.read()
        if log.lines == before:
            break
        yield documents
    log.close()


# -- Elasticsearch ---------------------------------------------------------------------------------------------------------


def _elasticsearch(folder: Path) -> dict[str, Any]:
    missing = [program for program in ("java", "javac", "mvn") if shutil.which(program) is None]
    if missing:
        return {missing[0]: "is not installed"}
    from tests.e2e.elasticsearch import Elasticsearch

    server = Elasticsearch(folder / "elasticsearch")
    try:
        server.start()
        shipped = _shipped(server, folder)
        server.clear()
        bulk = _parallel_bulk(server, folder / "text" / "0.log")
        server.clear()
        return {"shipper": shipped, "parallel_bulk": bulk, "rsyslog": _rsyslog(server, folder)}
    finally:
        server.close()


def _shipped(server: Any, folder: Path) -> dict[str, Any]:
    """The shipper's process from its start until the store has all lines."""
    from tests.e2e.shipping import Shipper, until

    shipper = Shipper(folder / "shipper", "--store=elasticsearch", f"--elasticsearch={server.url}")
    pod = shipper.pods / "default_web_0f8fad5b" / "main"
    shutil.copytree(folder / "text", pod)
    try:
        shipper.start()
        until(lambda: shipper.figures(), "the shipper answers")
        started = time.perf_counter()
        until(lambda: shipper.figures().get("documents_shipped_total") == LINES, "all lines are acknowledged", 600)
        seconds = time.perf_counter() - started
        return {
            "lines_per_second": round(LINES / seconds),
            "cpu_seconds_per_million": round(shipper.cpu() / LINES * 1e6, 1),
        }
    finally:
        shipper.kill()
        assert server.count() == LINES


def _parallel_bulk(server: Any, path: Path) -> dict[str, Any]:
    """The same documents, made beforehand, by `elasticsearch.helpers.parallel_bulk` with its defaults."""
    from elasticsearch import Elasticsearch as Client
    from elasticsearch.helpers import parallel_bulk

    actions = [
        {
            "_op_type": "create",
            "_index": f"logs-{document.day}",
            "_id": document.id,
            "_source": json.loads(document.body),
        }
        for documents in _read(path)
        for document in documents
    ]
    client = Client(server.url, request_timeout=120)
    wall, cpu = time.perf_counter(), time.process_time()
    failed = sum(not ok for ok, _ in parallel_bulk(client, actions, raise_on_error=False))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    assert not failed, f"{failed} documents failed"
    return {"lines_per_second": round(LINES / wall), "cpu_seconds_per_million": round(cpu / LINES * 1e6, 1)}


def _rsyslog(server: Any, folder: Path) -> Any:
    """The same files by rsyslog, from its start until Elasticsearch has all lines, or gets no more of them."""
    from bench.rsyslog import AVAILABLE, Rsyslog
    from tests.e2e.shipping import cpu

    if not AVAILABLE:
        return "is not installed"
    one = Rsyslog(folder / "rsyslog", str(folder / "text" / "0.log*"), server.port, "logs-2026.11.21")
    started = time.perf_counter()
    one.start()
    try:
        # Counted without a refresh, which would cost the server more than the lines.
        indexed, last = 0, started
        while indexed < LINES and time.perf_counter() - last < SILENT:
            if (now := server.indexed()) > indexed:
                indexed, last = now, time.perf_counter()
            time.sleep(0.1)
        return {
            "lines_per_second": round(indexed / (last - started)),
            "cpu_seconds_per_million": round(cpu(one.pid) / LINES * 1e6, 1),
            "missing": LINES - server.count(),
        }
    finally:
        one.stop()


# -- a million lines -------------------------------------------------------------------------------------------------------


def million() -> dict[str, Any]:
    """20 containers, 50,000 lines of about 450 bytes each: every container's file is rotated twice."""
    from tests.e2e.elasticsearch import Elasticsearch
    from tests.e2e.shipping import Shipper, Writers, deliver, numbered

    containers, lines = 20, 50_000
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        server = Elasticsearch(Path(folder) / "elasticsearch")
        shipper = Shipper(Path(folder) / "shipper", "--store=elasticsearch", f"--elasticsearch={server.url}")
        try:
            server.start()
            started = time.perf_counter()
            writers = Writers(shipper.pods, containers, 10 * 2**20, 5, width=800)
            deliver(server, shipper, writers, lines, containers * lines, patience=1800)
            seconds = time.perf_counter() - started
            seen = numbered(document["message"] for document in server.documents("message"))
            expected = Counter({(n, c): 1 for n in range(lines) for c in range(containers)})
            return {
                "lines": containers * lines,
                "missing": len(expected - seen),
                "twice": len(seen - expected),
                "seconds": round(seconds),
                "files": len(list(shipper.pods.rglob("0.log*"))),
                "files_lost": shipper.figures()["files_lost_total"],
            }
        finally:
            shipper.kill()
            server.close()


if __name__ == "__main__":
    os.chdir(Path(__file__).resolve().parent.parent)
    print(json.dumps(million() if sys.argv[1:] == ["million"] else main(), indent=2))

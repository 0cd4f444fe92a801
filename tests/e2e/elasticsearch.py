"""A real Elasticsearch for tests: from its published jars, in a folder and on a port of its own."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import environment
from deploy.elasticsearch import node
from tests.e2e.machine import ROOT
from tests.ports import free_port
from tests.prepare import needs

HOME = ROOT / environment.ELASTICSEARCH.get()


def install() -> None:
    """See that the jars are in HOME."""
    needs("java", "javac", "mvn")
    node.install(HOME)


class Elasticsearch:
    """One node. Its data outlives `stop` and `kill`; `close` ends it."""

    def __init__(self, folder: Path) -> None:
        install()
        self.folder, self.port = folder, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def launch(self) -> None:
        """Returns at once; `wait` returns when it answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "output.log").open("ab") as output:
            self._process = subprocess.Popen(
                node.command(HOME, self.folder / "data", self.port),
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )

    def start(self) -> None:
        self.launch()
        self.wait()

    def wait(self, patience: float = 120) -> None:
        deadline = time.monotonic() + patience
        while True:
            try:
                if self.ask("GET", "/_cluster/health?wait_for_status=yellow&timeout=1s")["status"] != "red":
                    return
            except (OSError, ValueError):
                pass  # not listening yet, or not with all of its data
            assert self._process is not None and self._process.poll() is None, self.output()
            assert time.monotonic() < deadline, f"Elasticsearch does not answer in {patience:.0f} s\n{self.output()}"
            time.sleep(0.1)

    def output(self) -> str:
        return (self.folder / "output.log").read_text(errors="replace")[-4000:]

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Ends it, and not before it has ended."""
        if self._process is not None:
            self._process.send_signal(number)
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(30)
            self._process = None

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The decoded answer; raises OSError (HTTPError among them) when there is none."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=300) as answer:  # beside other tests a JVM may stand still
            return json.loads(answer.read())

    def count(self) -> int:
        """Documents in all daily indices, those of this moment among them."""
        try:
            self.ask("POST", "/logs-*/_refresh")
            return int(self.ask("GET", "/logs-*/_count")["count"])
        except urllib.error.HTTPError as error:
            if error.code in (404, 503):
                return 0
            raise

    def indexed(self) -> int:
        """Documents that were written to the daily indices, whether searches see them yet or not."""
        return int(
            self.ask("GET", "/logs-*/_stats/indexing")["_all"]["total"].get("indexing", {}).get("index_total", 0)
        )

    def documents(self, *fields: str) -> list[dict[str, Any]]:
        """Every document, with these fields of it."""
        page = self.ask(
            "POST", "/logs-*/_search?scroll=2m", {"size": 10_000, "sort": ["_doc"], "_source": list(fields)}
        )
        found: list[dict[str, Any]] = []
        while page["hits"]["hits"]:
            found += [hit["_source"] for hit in page["hits"]["hits"]]
            page = self.ask("POST", "/_search/scroll", {"scroll": "2m", "scroll_id": page["_scroll_id"]})
        return found

    def clear(self) -> None:
        """Removes all daily indices."""
        for row in self.ask("GET", "/_cat/indices/logs-*?format=json"):
            self.ask("DELETE", "/" + row["index"])

    def close(self) -> None:
        self.stop(signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

"""The exporter of processes without a server: who may read, what is said to others, and a port that is taken."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from client import healthz
from client.access import Access
from client.kubeconfig import Config
from config import pki
from telemetry import exporter
from telemetry.counting import Metrics
from telemetry.exporter import Exporter, pages


class _Api(BaseHTTPRequestHandler):
    """Knows two tokens, of which one may read metrics; counts the questions."""

    asked: list[dict[str, object]] = []

    def do_POST(self) -> None:
        token = (self.headers["Authorization"] or "").removeprefix("Bearer ")
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append(review["spec"]["nonResourceAttributes"])
        known = token in ("reader", "nobody")
        body = json.dumps({"status": {"allowed": token == "reader"}}).encode() if known else b"{}"
        self.send_response(201 if known else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def api() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Api)
    _Api.asked.clear()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("pki")
    pki.make_all(made, node="node", addresses=["127.0.0.1"])
    return made


@pytest.fixture
def served(api: str, folder: Path) -> Iterator[Exporter]:
    metrics = Metrics()
    metrics.counter("things_total", "Things.", "kind").add("good", by=3)
    metrics.histogram("thing_seconds", "Time of things.", bounds=(1, 2)).observe(1.5)
    made = Exporter(
        ["127.0.0.1"],
        0,
        str(folder / "kubelet.crt"),
        str(folder / "kubelet.key"),
        Access(Config(api)),
        pages(metrics, lambda: b"# HELP more More.\n# TYPE more gauge\nmore 1\n"),
    )
    made.start()
    _wait(made)
    yield made
    made.close()


def _wait(made: Exporter) -> None:
    deadline = time.monotonic() + 30
    while not made.port:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _get(made: Exporter, folder: Path, path: str = "/metrics", token: str = "", method: str = "GET") -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(f"https://127.0.0.1:{made.port}{path}", headers=headers, method=method)
    context = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    try:
        with urllib.request.urlopen(request, timeout=30, context=context) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_a_reader_gets_what_was_counted(served: Exporter, folder: Path) -> None:
    status, text = _get(served, folder, token="reader")
    assert status == 200
    assert 'things_total{kind="good"} 3\n' in text and 'thing_seconds_bucket{le="2.0"} 1\n' in text
    assert "process_resident_memory_bytes" in text and text.endswith("more 1\n")
    assert _Api.asked == [{"path": "/metrics", "verb": "get"}]


def test_the_api_is_asked_once_for_a_token(served: Exporter, folder: Path) -> None:
    assert [_get(served, folder, token="reader")[0] for _ in range(3)] == [200] * 3
    assert [_get(served, folder, token="nobody")[0] for _ in range(3)] == [403] * 3
    assert len(_Api.asked) == 2


def test_others_get_nothing(served: Exporter, folder: Path) -> None:
    assert _get(served, folder)[0] == 401
    assert _get(served, folder, token="stranger")[0] == 401
    assert _get(served, folder, "/elsewhere", "reader")[0] == 404
    assert _get(served, folder, token="reader", method="POST")[0] == 405
    assert _get(served, folder, "/healthz") == (200, "ok\n")


def test_what_can_not_be_shown_is_said(api: str, folder: Path) -> None:
    def broken() -> bytes:
        raise RuntimeError("Redis is away")

    made = Exporter(
        ["127.0.0.1"], 0, str(folder / "kubelet.crt"), str(folder / "kubelet.key"), Access(Config(api)), broken
    )
    made.start()
    _wait(made)
    assert _get(made, folder, token="reader") == (503, "no metrics: Redis is away\n")
    made.close()


def test_what_ails_a_process_is_told_to_all(api: str, folder: Path) -> None:
    made = Exporter(
        ["127.0.0.1"],
        0,
        str(folder / "kubelet.crt"),
        str(folder / "kubelet.key"),
        Access(Config(api)),
        pages(Metrics()),
        lambda: "the log was last read 9 s ago",
    )
    made.start()
    _wait(made)
    assert _get(made, folder, "/healthz") == (500, "the log was last read 9 s ago\n")
    made.close()


def test_health_is_asked_of_this_clusters_processes_alone(
    served: Exporter, api: str, folder: Path, tmp_path: Path
) -> None:
    pki.make_all(tmp_path, node="node", addresses=["127.0.0.1"])
    ours, theirs = (ssl.create_default_context(cafile=str(place / "ca.crt")) for place in (folder, tmp_path))
    page = f"https://127.0.0.1:{served.port}/healthz"
    assert asyncio.run(healthz.ask(page, ours, 60)) == ""
    for url, tls in ((page, theirs), (api.replace("http", "https"), ours)):
        with pytest.raises(healthz.Unknown, match=r"another program is at its port \d+"):
            asyncio.run(healthz.ask(url, tls, 60))


def test_a_port_that_is_taken_is_tried_again(
    api: str, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(exporter, "RETRY", 0.05)
    address = "127.81.7.3"  # nobody else's, so that the port stays free once it is
    with socket.socket() as taken:
        taken.bind((address, 0))
        taken.listen()
        port = taken.getsockname()[1]
        made = Exporter(
            [address],
            port,
            str(folder / "kubelet.crt"),
            str(folder / "kubelet.key"),
            Access(Config(api)),
            pages(Metrics()),
        )
        made.start()
        deadline = time.monotonic() + 60
        while "trying again" not in caplog.text:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    deadline = time.monotonic() + 60
    while True:
        with socket.socket() as client:
            if client.connect_ex((address, port)) == 0:
                break
        assert time.monotonic() < deadline
        time.sleep(0.05)
    made.close()

"""A standalone API server as a process, for tests."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import ssl
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[2]


class Server:
    """`python -m apiserver --standalone` in a folder of its own; ends with the `with` block."""

    def __init__(self, var: Path, *arguments: str, **environment: str) -> None:
        self.var, self.port, self.arguments, self.environment = var, free_port(), arguments, environment
        self.url = f"https://127.0.0.1:{self.port}"
        self.ca = str(var / "pki" / "ca.crt")
        self.token = ""

    def __enter__(self) -> Server:
        self._start()
        self._wait()
        self.token = (self.var / "pki" / "tokens.csv").read_text().partition(",")[0]
        return self

    def _start(self) -> None:
        environment = {**os.environ, "DATABASE_URL": "", "BINNACLE_REDIS": ""}
        environment.update(self.environment)
        self.log = (self.var.parent / f"{self.var.name}.log").open("w")
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "apiserver",
                "--standalone",
                str(self.var),
                "--port",
                str(self.port),
                *self.arguments,
            ],
            cwd=ROOT,
            env=environment,
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )

    def _wait(self) -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end and self.process.poll() is None:
            try:
                if self.request("GET", "/readyz")[0] == 200:
                    return
            except OSError:
                time.sleep(0.1)
        self.__exit__(None, None, None)
        raise AssertionError(f"the server did not start:\n{Path(self.log.name).read_text()}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()

    def connection(self) -> http.client.HTTPSConnection:
        context = ssl.create_default_context(cafile=self.ca)
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=30, context=context)

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """(status, body), decoded if it is JSON. Header names are written with underscores."""
        connection = self.connection()
        try:
            sent = {"Authorization": f"Bearer {self.token}"} if self.token else {}
            sent.update({name.replace("_", "-"): value for name, value in headers.items()})
            if body is not None:
                sent.setdefault("Content-Type", "application/json")
            data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
            connection.request(method, path, data, sent)
            answer = connection.getresponse()
            raw = answer.read()
        finally:
            connection.close()
        if answer.headers.get("content-encoding") == "gzip":
            raw = gzip.decompress(raw)
        is_json = answer.headers.get("content-type", "").startswith("application/json")
        return answer.status, json.loads(raw) if is_json and raw else raw


class Watch:
    """An open watch; `next()` is its next event."""

    def __init__(self, server: Server, path: str, accept: str = "application/json") -> None:
        self.connection = server.connection()
        self.connection.request("GET", path, headers={"Authorization": f"Bearer {server.token}", "Accept": accept})
        self.answer = self.connection.getresponse()

    def next(self) -> dict[str, Any]:
        return json.loads(self.answer.readline())

    def close(self) -> None:
        self.connection.close()

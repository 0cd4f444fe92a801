"""A small API server beside the one under test: it knows its callers by the front proxy's certificate and headers."""

from __future__ import annotations

import base64
import http.server
import json
import threading
import time
from pathlib import Path
from typing import Any

from config.pki import Authority
from kube.objects import Json
from tests.tls import secure

GROUP, VERSION = "garden.example.com", "v1alpha1"
PLACE = f"/apis/{GROUP}/{VERSION}"
ROSE = "com.example.garden.v1alpha1.Rose"


class Extension:
    """Serves one kind, `roses`. `seen` are (method, path, headers); `broken`: it answers 500 to its discovery."""

    def __init__(self, folder: Path, pki: Path, service: str) -> None:
        folder.mkdir()
        Authority(folder).issue("server", "server", [], [service])
        self.bundle = base64.b64encode((folder / "ca.crt").read_bytes()).decode()
        self.seen: list[tuple[str, str, dict[str, list[str]]]] = []
        self.broken = False
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        secure(self._server, folder, "server", pki / "front-proxy-ca.crt")
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        extension = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *arguments: object) -> None:
                """Tests print nothing."""

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                names = {name.lower(): self.headers.get_all(name) or [] for name in self.headers}
                extension.seen.append((self.command, self.path, names))
                path, _, query = self.path.partition("?")
                if "watch=1" in query:
                    self.watch()
                    return
                status, obj = extension.answer(self.command, path, body)
                text = json.dumps(obj).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def watch(self) -> None:
                """Two events, the second a moment later: what waits for the end of the answer never sees the first."""
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for name in ("early", "late"):
                    line = json.dumps({"type": "ADDED", "object": rose(name)}).encode() + b"\n"
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(line), line))
                    self.wfile.flush()
                    time.sleep(0.3)
                self.wfile.write(b"0\r\n\r\n")

            do_GET = do_POST = do_DELETE = do_PATCH = do_PUT = answer

        return Handler

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        if path == PLACE:
            return (500, {}) if self.broken else (200, discovery())
        if path == "/openapi/v3":
            return 200, {"paths": {PLACE[1:]: {"serverRelativeURL": f"/openapi/v3{PLACE}?hash=ABC"}}}
        if path == f"/openapi/v3{PLACE}":
            return 200, {"openapi": "3.0.0", "paths": {}, "components": {"schemas": {ROSE: {"type": "object"}}}}
        if path == "/openapi/v2":
            return 200, openapi()
        if path == f"{PLACE}/namespaces/work/roses" and method == "POST":
            return 201, json.loads(body)
        if path == f"{PLACE}/namespaces/work/roses":
            return 200, {"kind": "RoseList", "apiVersion": f"{GROUP}/{VERSION}", "items": [rose("red")]}
        return 404, {
            "kind": "Status",
            "status": "Failure",
            "reason": "NotFound",
            "code": 404,
            "message": "none of mine",
        }


def rose(name: str) -> Json:
    return {"kind": "Rose", "apiVersion": f"{GROUP}/{VERSION}", "metadata": {"name": name, "namespace": "work"}}


def discovery() -> Json:
    verbs = ["create", "get", "list", "watch"]
    roses = {
        "name": "roses",
        "singularName": "rose",
        "namespaced": True,
        "kind": "Rose",
        "verbs": verbs,
        "shortNames": ["ro"],
    }
    status = {"name": "roses/status", "singularName": "", "namespaced": True, "kind": "Rose", "verbs": ["get"]}
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": f"{GROUP}/{VERSION}",
        "resources": [roses, status],
    }


def openapi() -> Json:
    """With a definition that every server has, and one of a name that means something else elsewhere."""
    meta = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
    get = {"responses": {"200": {"description": "OK", "schema": {"$ref": f"#/definitions/{ROSE}"}}}}
    return {
        "swagger": "2.0",
        "info": {"title": "garden", "version": "1"},
        "paths": {f"{PLACE}/namespaces/{{namespace}}/roses": {"get": get}, "/version/": {"get": get}},
        "definitions": {
            ROSE: {"type": "object", "properties": {"metadata": {"$ref": f"#/definitions/{meta}"}}},
            meta: {"type": "object", "description": "of another age"},
            "unused": {"type": "string"},
        },
    }

"""What stands behind the API server in tests: a service's pod, a node's kubelet."""

from __future__ import annotations

import gzip
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

from tests.tls import secure


class Backend(http.server.BaseHTTPRequestHandler):
    """Answers with what it was asked; upgrades to an echo."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *arguments: object) -> None:
        """Tests print nothing."""

    def _answer(self) -> None:
        if self.headers.get("Upgrade"):
            self._echo()
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        said = f"{self.command} {self.path} {body.decode(errors='replace')} auth={self.headers.get('Authorization')}".encode()
        if self.path == "/move":
            self.send_response(302)
            self.send_header("Location", "/moved")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if self.path.startswith("/page.html"):
            page, packed = b'<a href="/next">', self.path.endswith(".gz")
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            if packed:
                page = gzip.compress(page)
                self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(said), said))

    def _echo(self) -> None:
        self.send_response(101)
        self.send_header("Upgrade", self.headers["Upgrade"])
        self.send_header("Connection", "Upgrade")
        self.end_headers()
        self.wfile.write(b"hello " + self.path.encode() + b"\n")
        self.wfile.write(self.rfile.readline())
        self.close_connection = True

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "12345")
        self.end_headers()

    do_GET = do_POST = _answer


def serve(pki: Path | None) -> Iterator[int]:
    backend = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Backend)
    if pki:
        secure(backend, pki, "kubelet", pki / "ca.crt")
    threading.Thread(target=backend.serve_forever, daemon=True).start()
    yield backend.server_port
    backend.shutdown()
    backend.server_close()

"""A little issuer of tokens over TLS, as an identity provider is: its configuration, its keys, and tokens."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from cluster.tokens import PublicKey
from config.pki import Authority
from tests.tls import secure


class Issuer:
    """`documents` are served as they are, by path; `asked` says which were."""

    def __init__(self, folder: Path) -> None:
        self.ca = folder / "ca.crt"
        self.asked: list[str] = []
        self.documents: dict[str, Any] = {}
        folder.mkdir(exist_ok=True)
        Authority(folder).issue("issuer", "issuer", names=["localhost", "127.0.0.1"])
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked.append(self.path)
                found = issuer.documents.get(self.path)
                body = found if isinstance(found, bytes) else json.dumps(found).encode()
                self.send_response(200 if found is not None else 404)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        secure(self.server, folder, "issuer")
        self.url = f"https://localhost:{self.server.server_port}"
        self.rotate()

    def rotate(self, algorithm: str = "RS256") -> None:
        """Sign with another key from now on, and publish it alone."""
        self.algorithm = algorithm
        curves = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1()}
        self.key: Any = (
            ec.generate_private_key(curves[algorithm]) if algorithm in curves else rsa.generate_private_key(65537, 2048)
        )
        self.kid = f"key-{len(self.asked)}-{time.monotonic_ns()}"
        self.publish(self.jwk())

    def jwk(self) -> dict[str, Any]:
        return PublicKey.of(self.key.public_key()).jwk() | {"kid": self.kid, "alg": self.algorithm}

    def publish(self, *keys: Any) -> None:
        self.documents["/keys"] = {"keys": list(keys)}
        self.documents["/.well-known/openid-configuration"] = {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}

    def token(self, headers: dict[str, Any] | None = None, **claims: Any) -> str:
        """Of ada, for the audience `kubernetes`, for an hour; None leaves a claim out."""
        all_claims = {"iss": self.url, "sub": "ada", "aud": "kubernetes", "exp": int(time.time()) + 3600, **claims}
        given = {name: value for name, value in all_claims.items() if value is not None}
        return jwt.encode(given, self.key, self.algorithm, {"kid": self.kid, **(headers or {})})


@contextlib.contextmanager
def issuing(folder: Path) -> Iterator[Issuer]:
    issuer = Issuer(folder)
    thread = threading.Thread(target=issuer.server.serve_forever, daemon=True)
    thread.start()
    try:
        yield issuer
    finally:
        issuer.server.shutdown()
        issuer.server.server_close()
        thread.join()

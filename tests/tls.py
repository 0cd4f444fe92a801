"""TLS for the small HTTP servers of tests."""

from __future__ import annotations

import ssl
from http.server import HTTPServer
from pathlib import Path


def secure(server: HTTPServer, folder: Path, name: str, clients: Path | None = None) -> None:
    """Serve with the certificate `name` of a folder; whoever connects must show one of the authority `clients`, if given."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / f"{name}.crt", folder / f"{name}.key")
    if clients is not None:
        context.load_verify_locations(clients)
        context.verify_mode = ssl.CERT_REQUIRED
    server.socket = context.wrap_socket(server.socket, server_side=True)

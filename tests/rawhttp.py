"""HTTP as bytes, for what a client library would hide: a body where none belongs, a connection that stays open."""

from __future__ import annotations

import socket
import ssl

WAIT = 20.0


def conversation(port: int, sent: bytes, tls: ssl.SSLContext | None = None, wait: float = WAIT) -> bytes:
    """All that a server on loopback answers until it closes. Raises TimeoutError when it does not."""
    with socket.create_connection(("127.0.0.1", port), wait) as plain:
        sock = tls.wrap_socket(plain, server_hostname="127.0.0.1") if tls else plain
        with sock:
            sock.sendall(sent)
            answer = b""
            while data := sock.recv(65536):
                answer += data
            return answer


def head_alone(
    port: int, path: str, tls: ssl.SSLContext | None = None, headers: str = "", then: str = "/version"
) -> tuple[int, dict[str, str]]:
    """Status and headers (lower case) of the answer to a HEAD. Nothing but the answer to a GET of `then` may follow it."""
    common = f" HTTP/1.1\r\nHost: localhost\r\n{headers}"
    asked = f"HEAD {path}{common}\r\nGET {then}{common}Connection: close\r\n\r\n"
    first, _, rest = conversation(port, asked.encode(), tls).partition(b"\r\n\r\n")
    line, *lines = first.decode("latin-1").split("\r\n")
    found = dict(line.lower().split(": ", 1) for line in lines)
    assert rest.startswith(b"HTTP/1.1 ") or (not rest and found.get("connection") == "close"), (path, rest[:200])
    return int(line.split()[1]), found

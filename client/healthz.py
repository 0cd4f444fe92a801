"""Whether a process of the cluster works, as it says itself at `/healthz`.

| process | where |
| --- | --- |
| controllers, scheduler, kube-proxy | 127.0.0.1, the port of its metrics |
| kubelet | the node's address, its own port |

A bare socket, with no client library behind it: some processes are asked each second.
"""

from __future__ import annotations

import asyncio
import ssl
from urllib.parse import urlsplit

from client.ports import DISTANCES, beside

PROCESSES = tuple(DISTANCES)
"""The processes beside the API server that have such a page."""
MAX_ANSWER = 4096  # bytes
MAX_REASON = 200  # characters
# A process that does not know who asks lives.
WELL = frozenset({"200", "401", "403"})


def page(process: str, api_port: int, node_address: str = "127.0.0.1") -> str:
    """The URL of the health page of a process of the cluster whose API is at `api_port`."""
    host = node_address if process == "kubelet" else "127.0.0.1"
    return f"https://{host}:{beside(api_port, process)}/healthz"


class Unknown(Exception):
    """Nothing can be said of the process; the text is why."""


async def ask(url: str, tls: ssl.SSLContext | None = None, timeout: float = 1.5) -> str:
    """ "" when the page answers within `timeout` seconds that all is well, else why not: what follows "the kubelet …".

    Raises Unknown when another cluster's process, or none that is known, listens there.
    """
    try:
        async with asyncio.timeout(timeout):
            status, body = await _get(url, tls)
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError) as end:
        return f"does not answer ({type(end).__name__})"
    except ssl.SSLError as error:
        raise Unknown(f"another program is at its port {urlsplit(url).port}") from error
    except (OSError, TimeoutError, ValueError) as error:
        return f"does not answer ({type(error).__name__})"
    if status in WELL:
        return ""
    lines = body.splitlines()  # the checks that failed of a page that lists them (`[-]etcd failed: …`), else the first
    failed = [line.removeprefix("[-]") for line in lines if line.startswith("[-]")] or lines[:1]
    reason = "; ".join(failed)[:MAX_REASON]
    return f"answers {status or 'nothing'}" + (f": {reason}" if reason else "")


async def _get(url: str, tls: ssl.SSLContext | None) -> tuple[str, str]:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(
        parts.hostname, parts.port or (443 if parts.scheme == "https" else 80), ssl=tls
    )
    try:
        writer.write(f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n".encode())
        words = (await reader.readline()).split()
        status = words[1].decode("latin-1") if len(words) > 1 else ""
        return status, "" if status in WELL else await _body(reader)
    finally:
        writer.transport.abort()


async def _body(reader: asyncio.StreamReader) -> str:
    """What follows the headers, to the end of the connection or `MAX_ANSWER`."""
    while (await reader.readline()).strip():
        pass
    try:
        body = await reader.readexactly(MAX_ANSWER)
    except asyncio.IncompleteReadError as end:
        body = end.partial
    return body.decode(errors="replace")

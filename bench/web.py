"""The package `web` against uvicorn and aiohttp: the same small page over TLS, each in a process of its own, in one run.

Figures: requests a second over kept connections (the client, in Python too, takes its part of each), and MiB of a process
beyond one that has asyncio and the TLS context only, before it was asked anything and after.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

CONNECTIONS, REQUESTS, ROUNDS = 16, 4000, 5
BODY = b"ok\n" * 100
ROOT = Path(__file__).resolve().parent.parent
SERVERS = ("bare", "web", "uvicorn", "aiohttp")


def main(requests: int = REQUESTS, rounds: int = ROUNDS) -> dict[str, Any]:
    """`requests` a round for each server; the servers take turns, so that what else the machine does meets them all."""
    from config.pki import Authority  # not in the servers' processes, which import this module too

    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        Authority(folder).issue("server", "bench", names=["127.0.0.1"])
        children, ports = {}, {}
        try:
            for server in SERVERS:
                child = children[server] = subprocess.Popen(
                    [sys.executable, "-m", "bench.web", server, name], cwd=ROOT, stdout=subprocess.PIPE, text=True
                )
                assert child.stdout
                ports[server] = int(child.stdout.readline())
            idle = {server: _resident(child.pid) for server, child in children.items()}
            tls = ssl.create_default_context(cafile=str(folder / "ca.crt"))
            rates: dict[str, list[float]] = {server: [] for server in SERVERS[1:]}
            for _ in range(rounds):
                for server, found in rates.items():
                    found.append(asyncio.run(_rate(ports[server], tls, requests)))
            after = {server: _resident(child.pid) for server, child in children.items()}
        finally:
            for child in children.values():
                child.kill()
                child.wait()
    speed = {server: statistics.median(found) for server, found in rates.items()}
    return {
        "requests_per_second": {server: round(rate) for server, rate in speed.items()},
        "web_to": {server: round(speed["web"] / rate, 2) for server, rate in speed.items() if server != "web"},
        "idle_mib_beyond_bare": {server: round(idle[server] - idle["bare"], 1) for server in rates},
        "mib_beyond_bare_after": {server: round(after[server] - after["bare"], 1) for server in rates},
    }


def _resident(pid: int) -> float:
    """MiB of a process."""
    words = Path(f"/proc/{pid}/status").read_text().split()
    return int(words[words.index("VmRSS:") + 1]) / 1024


async def _rate(port: int, tls: ssl.SSLContext, requests: int) -> float:
    """Requests a second over connections that are kept; the handshakes are not counted."""
    opened = [await asyncio.open_connection("127.0.0.1", port, ssl=tls) for _ in range(CONNECTIONS)]

    async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(requests // CONNECTIONS):
            writer.write(b"GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            await reader.readexactly(len(BODY))

    started = time.perf_counter()
    await asyncio.gather(*(ask(*each) for each in opened))
    taken = time.perf_counter() - started
    for _, writer in opened:
        writer.transport.abort()
    return requests // CONNECTIONS * CONNECTIONS / taken


async def _serve(server: str, folder: Path) -> None:
    """One server, until the process is ended; its port is printed. Each imports what it needs, and no more."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(folder / "server.crt", folder / "server.key")
    port = 0
    if server == "web":
        from web.server import Answer, Request, Server

        async def page(request: Request) -> Answer:
            return Answer(200, "text/plain", BODY)

        port = await Server(page).listen("127.0.0.1", 0, tls)
    elif server == "aiohttp":
        from aiohttp import web

        async def handle(request: web.Request) -> web.Response:
            return web.Response(body=BODY, content_type="text/plain")

        app = web.Application()
        app.router.add_get("/healthz", handle)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        port = runner.addresses[0][1]
    elif server == "uvicorn":
        import uvicorn

        async def asgi(scope: Any, receive: Any, send: Any) -> None:
            headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(BODY)).encode())]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": BODY})

        config = uvicorn.Config(
            asgi,
            port=0,
            http="httptools",
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            access_log=False,
            ssl_certfile=str(folder / "server.crt"),
            ssl_keyfile=str(folder / "server.key"),
        )
        serving = uvicorn.Server(config)
        task = asyncio.create_task(serving.serve())
        while not serving.started:
            await asyncio.sleep(0.01)
        port = serving.servers[0].sockets[0].getsockname()[1]
        print(port, flush=True)
        await task
        return
    print(port, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(_serve(sys.argv[1], Path(sys.argv[2])))
    else:
        print(json.dumps(main(), indent=2))

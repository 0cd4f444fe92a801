"""`python -m config.dashboard`: serves the dashboard; what the addon's pod runs."""

from __future__ import annotations

import socket

import uvicorn

import environment


def sockets(port: int) -> list[socket.socket]:
    """Listen on loopback, and on the address under which pods and the service proxy reach this machine."""
    addresses = ["127.0.0.1", environment.NODE_ADDRESS.get()]
    return [socket.create_server((address, port), backlog=512) for address in dict.fromkeys(addresses)]


def main() -> None:
    config = uvicorn.Config(
        "config.asgi:application",
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
        lifespan="off",
        log_level="warning",
        access_log=False,
        proxy_headers=False,  # config.asgi believes those that a setting names; uvicorn would believe this whole machine
        server_header=False,
        timeout_graceful_shutdown=2,
        ws_max_size=1 << 20,
    )
    uvicorn.Server(config).run(sockets(environment.DASHBOARD_PORT.get()))


if __name__ == "__main__":
    main()

"""`python -m config.dashboard`: serves the dashboard; what the addon's pod runs."""

from __future__ import annotations

import logging
import socket

import uvicorn

import environment
from web import asgi
from web.door import bound
from web.limits import configured


def sockets(port: int) -> list[socket.socket]:
    """Bound on loopback, and on the address under which pods and the service proxy reach this machine."""
    addresses = ["127.0.0.1", environment.NODE_ADDRESS.get()]
    return [bound(address, port) for address in dict.fromkeys(addresses)]


class NoTextIsNoFault(logging.Filter):
    """A frame that is no UTF-8 closes its socket, as it should; of that a line is enough, not a traceback for each."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and isinstance(record.exc_info[1], UnicodeDecodeError):
            record.exc_info, record.levelno, record.levelname = None, logging.INFO, "INFO"
        return True


def main() -> None:
    logging.getLogger("uvicorn.error").addFilter(NoTextIsNoFault())
    config = uvicorn.Config(
        "config.asgi:application",
        loop="uvloop",
        http=asgi.Protocol,
        ws="websockets-sansio",
        lifespan="off",
        log_level="warning",
        access_log=False,
        proxy_headers=False,  # config.asgi believes those that a setting names; uvicorn would believe this whole machine
        server_header=False,
        timeout_graceful_shutdown=2,
        ws_max_size=1 << 20,
    )
    asgi.Server(config, configured()).run(sockets(environment.DASHBOARD_PORT.get()))


if __name__ == "__main__":
    main()

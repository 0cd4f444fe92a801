"""`python -m tests.web.forwarding PORT`: one service port in userspace, and its endpoint."""

from __future__ import annotations

import asyncio
import sys

from kubeproxy.rules import Endpoint
from kubeproxy.userspace import Balancer, TcpForwarder


async def main(port: int) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    backend = await asyncio.start_server(silent, "127.0.0.1", 0, backlog=512)
    balancer = Balancer()
    balancer.endpoints = [Endpoint("127.0.0.1", backend.sockets[0].getsockname()[1])]
    await TcpForwarder(balancer).start("127.0.0.1", port)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))

"""`python -m kubelet.simulate --kubeconfig F --nodes 1000`, or `--adopt-label sim=true` for nodes that exist."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys

from client import Client, KubeconfigError, load
from kubelet.server.app import tls
from kubelet.server.auth import Guard
from kubelet.simulate.fleet import Fleet
from kubelet.simulate.nodes import Nodes
from kubelet.simulate.pipe import Pipe
from kubelet.simulate.server import Server
from telemetry import logs

LABEL = "sim=true"


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="kubelet.simulate", description="Plays many nodes; their pods come to run without processes."
    )
    parser.add_argument("--kubeconfig", required=True)
    parser.add_argument("--nodes", type=int, default=0, help="how many nodes to register (8 CPU, 16Gi, 110 pods each)")
    parser.add_argument("--prefix", default="sim-", help="of the names of registered nodes")
    parser.add_argument("--adopt-label", default=LABEL, help="play every node that has this label")
    parser.add_argument("--connections", type=int, default=32, help="at most so many requests at once")
    parser.add_argument(
        "--address", default="127.0.0.1", help="of all nodes; their figures are served there and on loopback"
    )
    parser.add_argument("--tls-cert", default="", help="serve figures of the nodes, with this certificate")
    parser.add_argument("--tls-key", default="", help="its key")
    parser.add_argument("--client-ca", default="", help="CA whose client certificates may ask for figures")
    arguments = parser.parse_args()
    if "=" not in arguments.adopt_label:
        parser.error("--adopt-label has to be key=value")
    if len({bool(arguments.tls_cert), bool(arguments.tls_key), bool(arguments.client_ca)}) > 1:
        parser.error("--tls-cert, --tls-key and --client-ca belong together")
    logs.set_up()
    try:
        asyncio.run(serve(arguments))
    except (KubeconfigError, OSError) as error:
        sys.exit(f"kubelet.simulate: {error}")


async def serve(arguments: argparse.Namespace) -> None:
    """Until SIGTERM or SIGINT.  The nodes stay registered and become NotReady when nobody plays them."""
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    config = load(arguments.kubeconfig)
    async with Client(config, connections=arguments.connections, user_agent="kubelet-simulate") as client:
        pipe = Pipe(config, arguments.connections)
        nodes = Nodes(client, pipe, arguments.adopt_label, lambda names: fleet.look_again(names))
        fleet = Fleet(client, pipe, nodes.hosts)
        server: Server | None = None
        if arguments.tls_cert:
            context = tls(arguments.tls_cert, arguments.tls_key, arguments.client_ca)
            server = Server(context, Guard(client), fleet.pods.items.values, nodes.since)
            port = await server.start([arguments.address, "127.0.0.1"])
            nodes.serve(server, arguments.address, port)
        try:
            # Nodes have to be known before their pods are looked at; both then follow by themselves.
            background = [asyncio.create_task(pipe.run()), asyncio.create_task(nodes.run())]
            if arguments.nodes:
                await nodes.create(arguments.nodes, arguments.prefix)
            await asyncio.gather(*background, fleet.run(), nodes.heartbeat(), fleet.report())
        except asyncio.CancelledError:
            logging.getLogger("kubelet.simulate").info("stopping")
        finally:
            if server is not None:
                await server.close()


if __name__ == "__main__":
    main()

"""`python -m kubeproxy`: makes cluster IPs, node ports and host ports work on this node."""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import json
import logging
import os
import signal
import zlib
from collections.abc import Sequence
from pathlib import Path

from client.access import Access
from client.api import Client
from kubeproxy import nftables, routes
from kubeproxy.metrics import METRICS, REQUESTS
from kubeproxy.proxy import Backend, Proxy
from kubeproxy.userspace import Userspace
from telemetry import logs
from telemetry.exporter import Exporter, pages

log = logging.getLogger("kubeproxy")


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m kubeproxy", description=__doc__)
    parser.add_argument("--kubeconfig", required=True)
    parser.add_argument("--node-name", required=True)
    parser.add_argument(
        "--mode",
        choices=["auto", "nftables", "userspace"],
        default="auto",
        help="auto: nftables where it can be used, else userspace",
    )
    parser.add_argument("--service-cidr", type=cidr, required=True)
    parser.add_argument("--pod-cidr", type=cidr, required=True)
    parser.add_argument("--node-address", default="127.0.0.1", help="where userspace listens for node ports")
    parser.add_argument("--state-dir", type=Path, required=True)
    parser.add_argument("--metrics-port", type=int, default=0, help="of the HTTPS server for metrics; 0 for none")
    parser.add_argument("--metrics-address", default="127.0.0.1", help="where it listens, beside loopback")
    parser.add_argument("--tls-cert", default="", help="its certificate")
    parser.add_argument("--tls-key", default="")
    options = parser.parse_args(arguments)
    if options.metrics_port and not (options.tls_cert and options.tls_key):
        parser.error("--tls-cert and --tls-key are needed to serve --metrics-port (or give --metrics-port 0)")
    return options


def cidr(text: str) -> str:
    """An IPv4 range."""
    try:
        return str(ipaddress.IPv4Network(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no IPv4 range: {error}") from error


def table_name(state_dir: Path) -> str:
    """A table of its own for each cluster of the machine."""
    return f"kube-proxy-{zlib.crc32(str(state_dir.resolve()).encode()):08x}"


def choose(mode: str) -> str:
    """The backend to use; raises SystemExit when the one asked for cannot be had."""
    missing = "packet-filter rules need root" if os.geteuid() else nftables.available()
    if mode == "nftables" and missing:
        raise SystemExit(f"kubeproxy: --mode nftables: {missing}")
    if mode == "auto" and missing:
        log.info("forwarding services in userspace: %s", missing)
    return "nftables" if mode != "userspace" and not missing else "userspace"


def backends(options: argparse.Namespace) -> list[Backend]:
    """The backends of the chosen mode; leaves a note of what `kubeproxy.stop` has to undo."""
    chosen = choose(options.mode)
    loopback = ipaddress.ip_network(options.service_cidr).is_loopback
    if not loopback and os.geteuid() == 0:
        routes.make_local(options.service_cidr)
    table = table_name(options.state_dir) if chosen == "nftables" else ""
    note = {"table": table, "route": "" if loopback else options.service_cidr}
    options.state_dir.mkdir(parents=True, exist_ok=True)
    (options.state_dir / "state.json").write_text(json.dumps(note))
    # A packet filter does not forward what a machine sends to its own loopback address: userspace does.
    userspace = Userspace(options.node_address, cluster_ips=chosen == "userspace")
    if chosen == "userspace":
        return [userspace]
    return [nftables.Nftables(table, options.pod_cidr, options.service_cidr), userspace]


async def run(options: argparse.Namespace, chosen: Sequence[Backend]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with Client.from_file(options.kubeconfig, observer=REQUESTS) as client:
        if options.metrics_port:
            Exporter(
                ["127.0.0.1", options.metrics_address],
                options.metrics_port,
                options.tls_cert,
                options.tls_key,
                Access(client.config),
                pages(METRICS),
            ).start()
        # At the end the rules stay: a restart of kube-proxy must not cut connections. `kubeproxy.stop` removes them.
        proxy = asyncio.ensure_future(Proxy(client, options.node_name, chosen).run())
        stopped = asyncio.ensure_future(stop.wait())
        await asyncio.wait({proxy, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if proxy.done():
            proxy.result()
        proxy.cancel()


if __name__ == "__main__":
    logs.set_up()
    parsed = parse()
    asyncio.run(run(parsed, backends(parsed)))

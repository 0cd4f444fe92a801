"""The command line, and what of it depends on where the server runs."""

from __future__ import annotations

import argparse
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import environment
from client.pod import inside
from web.address import port_of


@dataclass(frozen=True, slots=True)
class Options:
    """See `--help`. `alone`: this process has a network of its own, and listens on all of its addresses."""

    addresses: tuple[str, ...]
    port: int
    http_port: int
    domain: str
    ranges: tuple[str, ...]
    own: tuple[str, ...]
    config_dir: Path
    resolv_conf: Path
    api_server: str
    kubeconfig: str
    alone: bool


def parse(arguments: Sequence[str] | None = None) -> Options:
    parser = argparse.ArgumentParser(prog="python -m dnsserver", description="The cluster's DNS server.")
    parser.add_argument(
        "--address",
        help="the address to listen on; default: $POD_IP, which is set where pods share the "
        "machine's network, else all",
    )
    parser.add_argument("--port", type=_port, default=53)
    parser.add_argument("--http-port", type=_port, default=9153, help="port of /metrics, /health and /ready")
    parser.add_argument("--domain", default="cluster.local")
    parser.add_argument(
        "--range",
        action="append",
        type=_range,
        default=[],
        dest="ranges",
        help="range of pods or services whose reverse names are answered here and nowhere else",
    )
    parser.add_argument("--own", action="append", default=[], help="address of this server, never asked: its service's")
    parser.add_argument("--config-dir", type=Path, default=Path("/etc/kube-dns"), help="the mounted ConfigMap")
    parser.add_argument("--resolv-conf", type=Path, default=Path("/etc/resolv.conf"))
    parser.add_argument("--api-server", default="", help="URL of the API, with the pod's service account")
    parser.add_argument("--kubeconfig", default="", help="instead of the pod's service account")
    found = parser.parse_args(arguments)
    address = found.address or environment.POD_IP.get()
    return Options(
        (address,) if address else ("0.0.0.0", "::"),
        found.port,
        found.http_port,
        found.domain,
        tuple(found.ranges),
        tuple(found.own) + ((address,) if address else ()),
        inside(found.config_dir),
        found.resolv_conf,
        found.api_server,
        found.kubeconfig,
        not address,
    )


def _port(text: str) -> int:
    if (port := port_of(text)) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: a number from 1 to 65535")
    return port


def _range(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no range of addresses: {error}") from error

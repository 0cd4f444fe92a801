"""Command line of the node agent."""

from __future__ import annotations

import argparse
import socket
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path


@dataclass(frozen=True)
class Options:
    kubeconfig: str
    root_dir: Path
    node_name: str
    address: str = "127.0.0.1"
    port: int = 10250
    pod_cidr: str = "10.244.0.0/24"
    service_cidr: str = ""
    cluster_dns: str = ""
    cluster_domain: str = "cluster.local"
    max_pods: int = 110
    tls_cert: str = ""
    tls_key: str = ""
    client_ca: str = ""
    pod_logs_dir: Path | None = None
    node_labels: str = ""
    runtime: str = "process"

    @property
    def logs(self) -> Path:
        return self.pod_logs_dir or self.root_dir / "log" / "pods"

    def labels(self) -> dict[str, str]:
        pairs = (entry.partition("=") for entry in self.node_labels.split(",") if entry)
        return {key: value for key, _, value in pairs}


def parse(arguments: list[str] | None = None) -> Options:
    """Exits with a usage message for arguments that make no sense."""
    parser = argparse.ArgumentParser(prog="kubelet", description="Runs the pods that are bound to one node.")
    parser.add_argument("--kubeconfig", required=True, help="how to reach the API server, and as whom")
    parser.add_argument("--root-dir", required=True, type=Path, help="where pods' files and state are kept")
    parser.add_argument("--node-name", default=socket.gethostname().lower(), help="default: the host name")
    parser.add_argument("--address", default="127.0.0.1", help="the node's address, which the server binds")
    parser.add_argument("--port", type=int, default=10250, help="of the HTTPS server; 0 for none")
    parser.add_argument("--pod-cidr", default="10.244.0.0/16", help="pods' addresses until the node has a podCIDR")
    parser.add_argument("--service-cidr", default="", help="the network of cluster IPs")
    parser.add_argument("--cluster-dns", default="", help="address of the cluster's DNS server")
    parser.add_argument("--cluster-domain", default="cluster.local")
    parser.add_argument("--max-pods", type=int, default=110)
    parser.add_argument("--tls-cert", default="", help="certificate of the HTTPS server")
    parser.add_argument("--tls-key", default="")
    parser.add_argument("--client-ca", default="", help="CA whose client certificates may use the HTTPS server")
    parser.add_argument("--pod-logs-dir", type=Path, help="default: log/pods below the root directory")
    parser.add_argument("--node-labels", default="", help="key=value,… put on the node when it registers")
    parser.add_argument("--runtime", default="process", choices=["process", "simulated"], help="what runs containers")
    values = vars(parser.parse_args(arguments))
    values["root_dir"] = values["root_dir"].absolute()
    try:
        values["pod_cidr"] = first_part(values["pod_cidr"])
    except ValueError as error:
        parser.error(f"--pod-cidr {values['pod_cidr']}: {error}")
    if values["port"] and not (values["tls_cert"] and values["tls_key"] and values["client_ca"]):
        parser.error("--tls-cert, --tls-key and --client-ca are needed to serve --port (or give --port 0)")
    return Options(**values)


def first_part(cidr: str) -> str:
    """The first /24 of a cluster's pod network: what a lone node uses."""
    network = IPv4Network(cidr)
    return str(network if network.prefixlen >= 24 else next(network.subnets(new_prefix=24)))

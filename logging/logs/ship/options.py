"""The command line, and what of it depends on where the shipper runs."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

import environment
from client import pod
from client.kubeconfig import Config
from logs.arguments import positive, size


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """See `--help`. Paths are as this process sees them."""
    parser = argparse.ArgumentParser(prog="python -m logs.ship", description="Ships the logs of a node to a store.")
    parser.add_argument("--node", default=environment.NODE_NAME.get() or os.uname().nodename)
    parser.add_argument("--pods-dir", type=Path, help="the kubelet's folder of container logs, such as /var/log/pods")
    parser.add_argument(
        "--programs-dir",
        type=Path,
        action="append",
        default=[],
        help="a folder of logs of the node's own programs, <program>.log; may be given several times",
    )
    parser.add_argument("--state-dir", type=Path, required=True, help="where positions and refused documents are kept")
    parser.add_argument("--store", choices=("embedded", "elasticsearch"), default="embedded")
    parser.add_argument("--elasticsearch", metavar="URL", default="", help="http(s)://[user:password@]host:port")
    parser.add_argument(
        "--ingest",
        metavar="URL",
        default="",
        help="the embedded store's address; default: that of the service kube-system/log-store",
    )
    parser.add_argument("--refresh", default="30s", help="Elasticsearch: how long a line may be unseen by searches")
    parser.add_argument("--retention-days", type=positive, default=14, help="Elasticsearch: older indices are deleted")
    parser.add_argument(
        "--retention-size",
        type=size,
        default=20 * 1024**3,
        help="Elasticsearch: the oldest indices are deleted while all hold more",
    )
    parser.add_argument(
        "--events",
        choices=("auto", "always", "never"),
        default="auto",
        help="ship Kubernetes Events too; auto: where the API server's log is, so on one node",
    )
    parser.add_argument("--address", default=environment.POD_IP.get(), help="of /metrics, /health, /ready")
    parser.add_argument("--http-port", type=positive, default=9154)
    parser.add_argument("--api-server", default="", help="URL of the API, with the pod's service account")
    parser.add_argument("--kubeconfig", default="", help="instead of the pod's service account")
    parser.add_argument("--without-api", action="store_true", help="names from the files' paths are enough")
    found = parser.parse_args(arguments)
    if found.pods_dir is None and not found.programs_dir:
        parser.error("nothing to read: give --pods-dir or --programs-dir")
    if found.store == "elasticsearch" and not found.elasticsearch:
        parser.error("--store elasticsearch needs --elasticsearch URL")
    if found.store == "embedded" and not found.ingest and found.without_api:
        parser.error("--store embedded needs --ingest URL, or the API to find it")
    found.pods_dir = inside(found.pods_dir) if found.pods_dir else None
    found.programs_dir = [inside(path) for path in found.programs_dir]
    found.state_dir = inside(found.state_dir)
    return found


def inside(path: Path) -> Path:
    """Where a mountPath is, or the path itself where nothing is mounted for it."""
    mounted = pod.inside(path)
    return mounted if mounted.exists() else path


def api(options: argparse.Namespace) -> Config | None:
    """Where the API is and who we are there; None with --without-api. Raises OSError or KubeconfigError."""
    return None if options.without_api else pod.api(options.api_server, options.kubeconfig)

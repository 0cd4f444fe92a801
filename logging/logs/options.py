"""The command line of `python -m logs`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import environment
from logs.arguments import positive, size
from logs.ship.options import inside

EMBEDDED, ELASTICSEARCH = "embedded", "elasticsearch"


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Exits with a message when something cannot be used."""
    parser = argparse.ArgumentParser(
        prog="python -m logs", description="Keeps the cluster's log lines and searches them."
    )
    parser.add_argument("--address", default=environment.POD_IP.get(), help="to listen on; default: $POD_IP, else all")
    parser.add_argument("--port", type=int, default=9428)
    parser.add_argument(
        "--data-dir", type=Path, default=Path("/var/lib/log-store"), help="where the embedded store keeps lines"
    )
    parser.add_argument("--store", choices=(EMBEDDED, ELASTICSEARCH), default=EMBEDDED, help="what is searched")
    parser.add_argument("--elasticsearch-url", default="", help="http(s)://[user:password@]host:port, for that store")
    parser.add_argument(
        "--retention-days", type=positive, default=14, help="days that the embedded store keeps, with today"
    )
    parser.add_argument("--max-size", type=size, default="2Gi", help="what the embedded store may take on the disk")
    parser.add_argument("--keep-free", type=size, default="256Mi", help="what it leaves free on the disk")
    parser.add_argument("--api-server", default="", help="URL of the API, with the pod's service account")
    parser.add_argument("--kubeconfig", default="", help="instead of the pod's service account")
    parser.add_argument(
        "--without-api", action="store_true", help="answer everybody, on an address that only you reach"
    )
    found = parser.parse_args(arguments)
    if found.store == ELASTICSEARCH and not found.elasticsearch_url:
        parser.error("--elasticsearch-url is missing: --store elasticsearch needs it, as http://elasticsearch:9200")
    found.data_dir = inside(found.data_dir)
    return found

"""The command line of `python -m monitoring`, and what of it depends on where the process runs."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import environment
from client.pod import inside
from kube import quantity

Allowed = Mapping[str, Sequence[str]]
EMBEDDED, PROMETHEUS = "embedded", "prometheus"
LEAST_SIZE = 16 << 20


@dataclass(frozen=True, slots=True)
class Options:
    """See `--help`. `limit`: bytes; `interval`: seconds."""

    address: str
    port: int
    data_dir: Path
    backend: str
    prometheus_url: str
    limit: int
    interval: int
    api_server: str
    kubeconfig: str
    labels: Allowed = field(default_factory=dict)
    annotations: Allowed = field(default_factory=dict)
    custom: str = ""


def parse(arguments: Sequence[str] | None = None) -> Options:
    """Exits with a message when something cannot be used."""
    parser = argparse.ArgumentParser(
        prog="python -m monitoring", description="Figures of the cluster: now, and history."
    )
    parser.add_argument(
        "--address",
        help="the address to listen on; default: $POD_IP, which is set where pods share the "
        "machine's network, else all",
    )
    parser.add_argument("--port", type=int, default=9090)
    parser.add_argument("--data-dir", type=Path, default=Path("/var/lib/monitoring"), help="where the history is kept")
    parser.add_argument("--backend", choices=(EMBEDDED, PROMETHEUS), default=EMBEDDED, help="who answers range queries")
    parser.add_argument("--prometheus-url", type=_url, default="", help="as http://prometheus:9090, for that backend")
    parser.add_argument("--max-size", type=size, default="2Gi", help="what the history may take on the disk")
    parser.add_argument("--scrape-interval", type=_interval, default="15", help="seconds, 5 to 30")
    parser.add_argument("--api-server", default="", help="URL of the API, with the pod's service account")
    parser.add_argument("--kubeconfig", default="", help="instead of the pod's service account")
    for what in ("labels", "annotations"):
        parser.add_argument(
            f"--metric-{what}-allowlist",
            type=_allowed,
            default="",
            metavar="KIND=[KEY,…],…",
            help=f"the {what} of objects that kube_KIND_{what} shows, as pods=[app,team-*],nodes=[*]; *=[…]: of all kinds",
        )
    parser.add_argument(
        "--custom-resource-state-config",
        default="",
        metavar="YAML",
        help="what is told of custom resources: text of a CustomResourceStateMetrics",
    )
    parser.add_argument("--custom-resource-state-config-file", type=Path, metavar="FILE", help="the same in a file")
    found = parser.parse_args(arguments)
    if found.backend == PROMETHEUS and not found.prometheus_url:
        parser.error("--prometheus-url is missing: --backend prometheus needs it, as http://prometheus:9090")
    return Options(
        found.address or environment.POD_IP.get(),
        found.port,
        inside(found.data_dir),
        found.backend,
        found.prometheus_url,
        found.max_size,
        found.scrape_interval,
        found.api_server,
        found.kubeconfig,
        found.metric_labels_allowlist,
        found.metric_annotations_allowlist,
        _custom(parser, found),
    )


def _custom(parser: argparse.ArgumentParser, found: argparse.Namespace) -> str:
    file: Path | None = found.custom_resource_state_config_file
    try:
        return found.custom_resource_state_config or (file.read_text() if file else "")
    except (OSError, UnicodeError) as error:
        parser.error(f"--custom-resource-state-config-file: {error}")


def _allowed(text: str) -> Allowed:
    """The patterns of keys by kind, of `pods=[app,team-*],nodes=[*]`."""
    found: dict[str, list[str]] = {}
    rest = text.strip()
    while rest:
        match = _ALLOWED.match(rest)
        if match is None:
            raise argparse.ArgumentTypeError(f"{rest!r} is no list of keys by kind: write pods=[app,team],nodes=[*]")
        found[match[1]] = [key.strip() for key in match[2].split(",") if key.strip()]
        rest = rest[match.end() :]
    return found


_ALLOWED = re.compile(r"\s*([a-z*]+)\s*=\s*\[([^\[\]=]*)\]\s*(?:,|$)")


def size(text: str) -> int:
    """Bytes of a quantity as 512Mi."""
    try:
        number = quantity.units(text)
    except ValueError:
        number = 0
    if number < LEAST_SIZE:
        raise argparse.ArgumentTypeError(f"{text!r} is no size: write one of at least 16Mi, as 512Mi or 2Gi")
    return number


def _interval(text: str) -> int:
    if not (text.isdecimal() and 5 <= int(text) <= 30):
        raise argparse.ArgumentTypeError(f"{text!r}: a number of seconds from 5 to 30")
    return int(text)


def _url(text: str) -> str:
    parts = urlsplit(text)
    if text and (parts.scheme not in ("http", "https") or not parts.netloc):
        raise argparse.ArgumentTypeError(f"{text!r} is no URL: write one as http://prometheus:9090")
    return text.rstrip("/")

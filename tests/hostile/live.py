"""The other sockets of a running cluster: kubelet, DNS, log store, metrics, dashboard."""

from __future__ import annotations

import os
import socket
import ssl
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random

from client.ports import beside
from tests.e2e.cluster import Cluster
from tests.e2e.conftest import made
from tests.e2e.dashboard import Dashboard
from tests.e2e.logreading import change, speaker
from tests.hostile import sockets
from tests.hostile.drive import Drive, Report, Watched
from tests.hostile.sockets import Page, Pages

TIMES = ("now-15m", "now", "2026-11-30T00:00:00Z", "x", "0", "9999-12-31T23:59:59Z", "now-9999999999d")
SCOPE = {"logs": None, "events": None, "nodes": True}
QUERIES = (
    "",
    "tide",
    "level:>=warn",
    "fields.depth:>=15",
    "ns:(a OR b)",
    "a AND (",
    '"x',
    "pod:/[a-/",
    "*",
    "a~3",
    "x:[1 TO",
    "NOT NOT NOT a",
)
LINE = {
    "@timestamp": "2026-12-01T06:00:00.000000001Z",
    "message": "x",
    "source": "container",
    "kubernetes": {"namespace": "default", "pod": "p"},
}
KEY = ["pods", "default", "speaker"]
WEBSOCKETS = ("v4.channel.k8s.io", "v5.channel.k8s.io", "SPDY/3.1+portforward.k8s.io", "", "x")


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A cluster, as root in a network of its own, with the addon logging and a pod that speaks."""
    with made("root" if os.geteuid() == 0 else "user") as running:
        running.started = running.up()
        ready(running)
        yield running


def ready(running: Cluster) -> None:
    """Switch on what is off, and wait for all that will be asked."""
    change(running, enabled="true", store="embedded")
    running.until(
        lambda: running.run("apply", "-f", "-", stdin=speaker("default")).returncode == 0, what="pods are taken"
    )
    running.kubectl("-n", "kube-system", "rollout", "status", "deployment/kube-dns", "--timeout=120s")
    running.kubectl("-n", "kube-system", "rollout", "status", "deployment/monitoring", "--timeout=120s")
    running.kubectl("wait", "--for=condition=Ready", "pod/speaker", "--timeout=120s")


def kubelet(running: Cluster, count: int, seed: int) -> Report:
    """The kubelet's port, as somebody who may everything."""
    numbers = ("0", "1", "-1", "99999999999999999999", "x")
    target = "/default/speaker/speaker"
    log_options = {
        "tailLines": numbers, "limitBytes": numbers, "sinceSeconds": numbers, "sinceTime": TIMES[2:],
        "follow": ("true", "x"),
        "previous": ("true",), "timestamps": ("true",), "stream": ("Stdout", "Stderr", "All", "x"),
    }  # fmt: skip
    streams = {
        "stdin": ("true",),
        "stdout": ("true",),
        "stderr": ("true",),
        "tty": ("true", "false"),
        "command": ("true", "echo", "absent"),
    }
    pages = [
        *(
            Page("GET", path, {"x": ()})
            for path in ("/healthz", "/pods", "/metrics", "/metrics/cadvisor", "/metrics/resource", "/metrics/node")
        ),
        Page("GET", "/stats/summary", {"only_cpu_and_memory": ("true", "x")}),
        Page("GET", f"/containerLogs{target}", log_options, stream=True),
        Page("POST", f"/run{target}", {"cmd": ("true", "echo a b", "absent", "")}),
        Page("GET", f"/exec{target}", streams, sockets=WEBSOCKETS, stream=True),
        Page("POST", f"/exec{target}", streams, sockets=("SPDY/3.1",), stream=True),
        Page("GET", f"/attach{target}", streams, sockets=WEBSOCKETS, stream=True),
        Page(
            "GET",
            "/portForward/default/speaker",
            {"ports": ("1", "1,2", "0", "65536", "x")},
            sockets=WEBSOCKETS,
            stream=True,
        ),
        Page("POST", "/portForward/default/speaker", {}, sockets=("SPDY/3.1",), stream=True),
    ]

    def said(rng: Random) -> bytes:
        return sockets.spdy(rng) if rng.random() < 0.4 else sockets.frames(rng)

    requests = Pages(Random(seed), pages, (("Authorization", f"Bearer {_token(running)}"),), said)
    place = ("127.0.0.1", beside(running.api_port, "kubelet"))
    return _driven(running, Drive(place, requests, _holder(*place), _tls(running)), count, "kubelet")


def log_store(running: Cluster, count: int, seed: int) -> Report:
    """What the dashboard and the shipper send to the log store, and worse."""
    asked = {"query": "tide", "from": "now-15m", "to": "now", "limit": 10, "scope": SCOPE, "namespaces": ["default"]}
    pages = [
        *(Page("POST", f"/{name}", {}, {**asked, "query": query, "from": start}) for name in ("search",
        "download") for query in QUERIES for start in TIMES[:3]),
        Page("POST", "/search", {}, {**asked, "order": "oldest", "after": ["2026-12-01T06:00:00Z", "x"]}),
        Page("POST", "/histogram", {}, {**asked, "buckets": 20}),
        Page("POST", "/top", {}, {**asked, "field": "pod"}),
        Page("POST", "/around", {}, {"line": ["2026-12-01T06:00:00Z", "x"], "limit": 5, "scope": SCOPE}),
        Page("POST", "/tail", {}, asked, stream=True),
        Page("POST", "/download", {}, {**asked, "format": "json"}, stream=True),
        Page("POST", "/ingest", {}, LINE),
        *(Page("GET", path, {}) for path in ("/healthz", "/readyz", "/metrics")),
    ]  # fmt: skip
    token = running.kubectl("create", "token", "dashboard", "-n", "kube-system", "--duration=2h").strip()
    place = _pod(running, "log-store", "http")
    requests = Pages(Random(seed), pages, (("Authorization", f"Bearer {token}"),))
    return _driven(running, Drive(place, requests, _holder(*place)), count, "log-store")


def metrics(running: Cluster, count: int, seed: int) -> Report:
    """The addon monitoring: its pages, its discovery, its figures."""
    options = {
        "metric": ("cpu", "memory,rx", "x"), "node": ("n1",), "namespace": ("default",),
        "workload": ("Deployment/web", "x"), "pod": ("speaker",),
        "container": ("c",), "by": ("node", "pod", "x"), "top": ("8", "0", "-1", "999999999999"), "range": ("1h",
        "9999999d", "x"),
        "from": ("1", "x", "1e400", "nan", *TIMES[2:]), "to": ("2", "9e99", "nan", *TIMES[2:]), "step": ("15", "0",
        "-1", "1e9", "x"), "stat": ("avg", "x"),
    }  # fmt: skip
    pages = [
        *(Page("GET", path, {}) for path in ("/healthz", "/readyz", "/metrics", "/metrics/objects", "/discovery")),
        *[Page("GET", "/api/v1/range", options)] * 5,
    ]
    place = _pod(running, "monitoring", "http")
    requests = Pages(Random(seed), pages, (("Authorization", f"Bearer {_token(running)}"),))
    return _driven(running, Drive(place, requests, _holder(*place)), count, "monitoring")


def exporter(running: Cluster, count: int, seed: int) -> Report:
    """The metrics of a process of the control plane, on its own port, with the kubelet's authority."""
    pages = [Page("GET", path, {"x": ()}) for path in ("/metrics", "/healthz", "/")]
    place = ("127.0.0.1", beside(running.api_port, "kubeproxy"))
    requests = Pages(Random(seed), pages, (("Authorization", f"Bearer {_token(running)}"),))
    return _driven(running, Drive(place, requests, _holder(*place), _tls(running)), count, "kubeproxy")


def dns_pages(running: Cluster, count: int, seed: int) -> Report:
    pages = [Page("GET", path, {"x": ()}) for path in ("/health", "/ready", "/metrics", "/")]
    place = _pod(running, "kube-dns", "metrics")
    return _driven(running, Drive(place, Pages(Random(seed), pages, ()), _holder(*place)), count, "kube-dns")


def dashboard(running: Cluster, count: int, seed: int) -> Report:
    """Pages, and the three sockets with what a page says on them."""
    page = Dashboard.of(running)
    headers = (("Cookie", page._cookie), ("Origin", page.url.rstrip("/")))
    live = [
        {"op": "sub", "feed": feed, "id": 1, "kind": "pods", "ns": "default", "key": KEY, "storage": "pods",
        "labels": "app=x", "sort": "name"}
        for feed in ("list", "object", "overview", "kinds", "events", "x")
    ] + [
        {"op": "unsub", "id": 1}, {"op": "history", "id": 2, "key": KEY}, {"op": "find", "id": 3, "text": "spea"},
        {"op": "figures", "id": 4, "key": KEY, "range": "15m"}, {"op": "usage", "id": 5, "kind": "pods",
        "keys": [KEY]}, {"op": "x", "id": 6},
    ]  # fmt: skip
    search = [
        {
            "op": op,
            "id": 1,
            "query": query,
            "from": "now-15m",
            "to": "now",
            "limit": 10,
            "field": "pod",
            "buckets": 20,
            "line": ["2026-12-01T06:00:00Z", "x"],
        }
        for op in ("search", "histogram", "top", "around", "tail", "stop", "x")
        for query in QUERIES
    ]
    protocols = (f"binnacle, ticket.{page._ticket}", "binnacle", "ticket.x", "")
    log = {
        "ns": ("default",),
        "pod": ("speaker", "absent"),
        "container": ("speaker",),
        "follow": ("1",),
        "previous": ("1",),
        "tail": ("5", "-1", "x"),
        "since": ("5", "x"),
    }
    pages = [
        *(Page("GET", path, {"next": ()}) for path in ("/", "/healthz", "/metrics", "/login", "/c/local/",
        "/c/local/pods", "/c/none/", "/admin/", "/admin/login/", "/static/x/y.js")),
        Page("POST", "/login", {}, {"token": "x", "ticket": "y"}),
        Page("POST", "/logout", {}, {}),
        Page("GET", "/c/local/logs/download", {"q": QUERIES, "from": TIMES, "to": TIMES, "ns": ("default",),
        "format": ("text", "json", "x")}, stream=True),
        *[Page("GET", "/c/local/live", {}, sockets=protocols[:1], stream=True)] * 6,
        *[Page("GET", "/c/local/logsearch", {}, sockets=protocols[:1], stream=True)] * 3,
        *[Page("GET", "/c/local/log", log, sockets=protocols[:1], stream=True)] * 2,
        Page("GET", "/c/none/live", {}, sockets=protocols, stream=True),
    ]  # fmt: skip

    def said(rng: Random) -> bytes:
        return sockets.messages(rng, live if rng.random() < 0.6 else search)

    place = ("127.0.0.1", running.port)
    requests = Pages(Random(seed), pages, headers, said)
    return _driven(running, Drive(place, requests, _holder(*place)), count, "dashboard")


def dns(running: Cluster, count: int, seed: int) -> Report:
    """Messages by UDP and TCP; now and then a right question, which must be answered."""
    rng, place = Random(seed), _pod(running, "kube-dns", "dns")
    watched = Watched(_holder(*place), count)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.connect(place)
        udp.settimeout(5.0)
        for number in range(count):
            message = sockets.question(rng)
            if number % 5:
                with suppress(ConnectionError):
                    udp.send(message[:4000])
            else:
                _by_tcp(place, message, rng)
            if number % 50 == 0 and not _answers(udp):
                watched.report.fault(f"a right question was not answered after {message!r}")
            watched.count("datagram" if number % 5 else "stream")
            if not watched.alive:
                watched.report.fault(f"died after {message!r}")
                break
    _look_at_log(running, watched.report, "kube-dns")
    return watched.end()


def _by_tcp(place: tuple[str, int], message: bytes, rng: Random) -> None:
    length = len(message) if rng.random() < 0.85 else rng.randrange(65536)
    with suppress(OSError), socket.create_connection(place, 5) as stream:
        stream.sendall(struct.pack("!H", length) + message)
        stream.settimeout(0.02)
        stream.recv(65536)


def _answers(udp: socket.socket) -> bool:
    """Whether the server's own version is told; answers to earlier messages are passed over."""
    number = os.urandom(2)
    name = b"".join(bytes([len(part)]) + part for part in (b"dns-version", b"cluster", b"local")) + b"\0"
    try:
        udp.send(number + struct.pack("!HHHHH", 0x0100, 1, 0, 0, 0) + name + struct.pack("!HH", 16, 1))
        while (answer := udp.recv(65536))[:2] != number:
            pass
        return answer[3] & 15 == 0
    except OSError:
        return False


# -- where they are --------------------------------------------------------------------------------------------------------


def _token(running: Cluster) -> str:
    return (running.var / "pki" / "tokens.csv").read_text().partition(",")[0]


def _tls(running: Cluster) -> ssl.SSLContext:
    tls = ssl.create_default_context(cafile=str(running.var / "pki" / "ca.crt"))
    tls.check_hostname = False
    return tls


def _pod(running: Cluster, name: str, port: str) -> tuple[str, int]:
    """Address and port of the pod behind a service."""
    found = running.until(
        lambda: running.get("endpoints", name, "-n", "kube-system")["subsets"][0],
        what=f"the service {name} has endpoints",
    )
    return found["addresses"][0]["ip"], next(p["port"] for p in found["ports"] if p.get("name", "") in (port, ""))


def _holder(host: str, port: int) -> Callable[[], int]:
    """The process that listens at a place, looked up once. Raises LookupError."""
    found = listener(host, port)
    return lambda: found


def listener(host: str, port: int) -> int:
    """The process that listens on a TCP port; in whichever network namespace that has the address. Raises LookupError."""
    here = os.readlink("/proc/thread-self/ns/net")
    ours, known = struct.unpack("<I", socket.inet_aton(host))[0], dict[str, set[str]]()
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            network = os.readlink(entry / "ns" / "net")
            if host.startswith("127.") and network != here:
                continue
            if network not in known:
                rows = [line.split() for line in (entry / "net" / "tcp").read_text().splitlines()[1:]]
                known[network] = {
                    f"socket:[{row[9]}]"
                    for row in rows
                    if row[3] == "0A" and row[1].endswith(f":{port:04X}") and int(row[1][:8], 16) in (ours, 0)
                }
            if known[network] and any(os.readlink(fd) in known[network] for fd in (entry / "fd").iterdir()):
                return int(entry.name)
    raise LookupError(f"nobody listens at {host}:{port}")


def _driven(running: Cluster, drive: Drive, count: int, log: str) -> Report:
    report = drive.run(count)
    _look_at_log(running, report, log)
    return report


def _look_at_log(running: Cluster, report: Report, name: str) -> None:
    """Tracebacks in the logs of processes and pods of this name are faults."""
    for path in (
        *(running.var / "log").glob(f"{name}*"),
        *(running.var / "kubelet" / "log").glob(f"pods/*{name}*/*/*.log"),
    ):
        text = path.read_text(errors="replace")
        if "Traceback" in text:
            at = text.index("Traceback")
            report.fault(
                f"{text.count('Traceback')} tracebacks in {path.name}, the first: {text[max(at - 300, 0) : at + 3000]}"
            )


TARGETS: dict[str, Callable[[Cluster, int, int], Report]] = {
    "kubelet": kubelet,
    "log store": log_store,
    "metrics": metrics,
    "exporter": exporter,
    "DNS": dns,
    "DNS pages": dns_pages,
    "dashboard": dashboard,
}

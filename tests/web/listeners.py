"""Every program of the project that listens for streams, started as it is, for tests of what it grants to who connects."""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from config import pki
from config.status import resident
from tests.apiserver.standalone import Server
from tests.conftest import ROOT
from tests.ports import free_port

PER_ADDRESS = 48
# Short, so that a test need not wait; the servers of probes keep their own.
SETTINGS = {
    "BINNACLE_HEADER_SECONDS": "4",
    "BINNACLE_BODY_SECONDS": "2",
    "BINNACLE_IDLE_SECONDS": "2",
    "BINNACLE_ADDRESS_CONNECTIONS": str(PER_ADDRESS),
    "DATABASE_URL": "",
    "BINNACLE_REDIS": "",
}


@dataclass
class Listening:
    """A server that runs: `post` is a request line of something that has a body."""

    name: str
    port: int
    pid: int
    tls: bool
    post: str = "POST /x"
    token: str = ""
    per_address: int = PER_ADDRESS
    http: bool = True

    def context(self) -> ssl.SSLContext | None:
        if not self.tls:
            return None
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context

    def resident(self) -> int:
        return resident(self.pid)


class World:
    """An API server, and the means to start others beside it."""

    def __init__(self, folder: Path, api: Server, stack: ExitStack) -> None:
        self.folder, self.api, self._stack = folder, api, stack
        self.pki = api.var / "pki"
        self.kubeconfig = folder / "kubeconfig"
        cluster = {"server": api.url, "certificate-authority": api.ca}
        made = {
            "current-context": "a",
            "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
            "clusters": [{"name": "a", "cluster": cluster}],
            "users": [{"name": "a", "user": {"token": api.token}}],
        }
        self.kubeconfig.write_text(json.dumps(made))

    def start(self, *command: str, **environment: str) -> int:
        """The process id of `python COMMAND`; it ends with the tests."""
        env = {**os.environ, **SETTINGS, "PYTHONPATH": f"{ROOT}:{ROOT}/logging", **environment}
        log = self._stack.enter_context((self.folder / f"{len(list(self.folder.iterdir()))}.log").open("w"))
        process = subprocess.Popen([sys.executable, *command], cwd=ROOT, env=env, stdout=log, stderr=log)
        self._stack.callback(process.wait)
        self._stack.callback(process.terminate)
        return process.pid

    def certificates(self, ca: str = "--client-ca") -> list[str]:
        return [*self._pair(), *((ca, str(self.pki / "ca.crt")) if ca else ())]

    def _pair(self) -> list[str]:
        return ["--tls-cert", str(self.pki / "apiserver.crt"), "--tls-key", str(self.pki / "apiserver.key")]


def api(world: World) -> Listening:
    post = "POST /api/v1/namespaces/default/configmaps"
    return Listening("api", world.api.port, world.api.process.pid, True, post, world.api.token)


def dashboard(world: World) -> Listening:
    var, port = world.folder / "dashboard", free_port()
    shutil.copytree(world.api.var, var)
    ports = {"BINNACLE_PORT": str(port), "BINNACLE_API_PORT": str(world.api.port)}
    pid = world.start("-m", "config.dashboard", BINNACLE_VAR=str(var), **ports)
    return Listening("dashboard", port, pid, False, "POST /login")


def kubelet(world: World) -> Listening:
    """aiohttp's server as the kubelet has it, with the pages of simulated nodes."""
    pid = world.start(
        "-m", "kubelet.simulate", "--kubeconfig", str(world.kubeconfig), "--nodes", "1", *world.certificates()
    )
    return Listening("kubelet", _until(lambda: _kubelet_port(world)), pid, True)


def _kubelet_port(world: World) -> int:
    nodes = world.api.request("GET", "/api/v1/nodes")[1]["items"]
    ports = [node["status"].get("daemonEndpoints", {}).get("kubeletEndpoint", {}).get("Port") for node in nodes]
    return ports[0] if ports else 0


def monitoring(world: World) -> Listening:
    port = free_port()
    data = world.folder / "monitoring"
    where = ("--address", "127.0.0.1", "--port", str(port), "--data-dir", str(data))
    pid = world.start("-m", "monitoring", *where, "--kubeconfig", str(world.kubeconfig))
    return Listening("monitoring", port, pid, False, per_address=128)


def log_store(world: World) -> Listening:
    port = free_port()
    where = ("--address", "127.0.0.1", "--port", str(port), "--data-dir", str(world.folder / "logs"))
    pid = world.start("-m", "logs", *where, "--kubeconfig", str(world.kubeconfig))
    return Listening("log store", port, pid, False, "POST /ingest", world.api.token, per_address=192)


def exporter(world: World) -> Listening:
    """The metrics of kube-proxy, which the workers of the controllers and of the scheduler show with the same class."""
    port = free_port()
    ranges = ("--service-cidr", "127.96.0.0/16", "--pod-cidr", "127.244.0.0/16", "--mode", "userspace")
    options = ("--kubeconfig", str(world.kubeconfig), "--node-name", "n", "--state-dir", str(world.folder / "proxy"))
    pid = world.start("-m", "kubeproxy", *options, *ranges, "--metrics-port", str(port), *world.certificates(ca=""))
    return Listening("exporter", port, pid, True, per_address=32)


def _dns(world: World) -> tuple[int, int, int]:
    port, http = free_port(), free_port()
    config = world.folder / f"dns-{port}"
    config.mkdir()
    where = ("--address", "127.0.0.1", "--port", str(port), "--http-port", str(http), "--config-dir", str(config))
    pid = world.start("-m", "dnsserver", *where, "--range", "10.96.0.0/16", "--kubeconfig", str(world.kubeconfig))
    return port, http, pid


def dns_pages(world: World) -> Listening:
    _, http, pid = _dns(world)
    return Listening("dns pages", http, pid, False, per_address=32)


def dns(world: World) -> Listening:
    port, _, pid = _dns(world)
    return Listening("dns", port, pid, False, per_address=256, http=False)


def forwarding(world: World) -> Listening:
    """kube-proxy in userspace, before an endpoint that takes connections and says nothing."""
    port = free_port()
    pid = world.start("-m", "tests.web.forwarding", str(port))
    return Listening("forwarding", port, pid, False, per_address=768, http=False)


PROGRAMS: tuple[Callable[[World], Listening], ...] = (
    api,
    dashboard,
    kubelet,
    monitoring,
    log_store,
    exporter,
    dns_pages,
    dns,
    forwarding,
)


def _until(look: Callable[[], int]) -> int:
    end = time.monotonic() + 60
    while not (found := look()):
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.05)
    return found


@contextmanager
def world(folder: Path) -> Iterator[World]:
    with ExitStack() as stack:
        server = stack.enter_context(Server(folder / "var", **SETTINGS))
        pki.make_all(folder / "pki", node="n", addresses=["127.0.0.1"])
        yield World(folder, server, stack)

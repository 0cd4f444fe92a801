"""`python -m dnsserver` as a process: sockets, the API coming, changing and going, configuration, signals."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import dnslib
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import ROOT
from tests.dnsserver.api import FakeApi
from tests.dnsserver.conftest import piece, pod, rcode, rows, service
from tests.ports import free_port

SVC = "default.svc.cluster.local"
# The program as it is, but that it takes an hour to leave after SIGTERM: a test can look at it as slowly as it likes.
LINGERING = "import asyncio, dnsserver.__main__ as m; m.LEAVE = 3600; asyncio.run(m.main(m.parse()))"


class Program:
    """The running server; `ask` blocks, so call it in a thread."""

    def __init__(self, folder: Path, *start: str) -> None:
        self.api_port, self.port, self.http = free_port(), free_port(), free_port()
        self.config = folder / "config"
        self.config.mkdir()
        (folder / "resolv.conf").write_text("")
        kubeconfig = folder / "kubeconfig"
        kubeconfig.write_text(
            json.dumps(
                {
                    "current-context": "a",
                    "contexts": [{"name": "a", "context": {"cluster": "a"}}],
                    "clusters": [{"name": "a", "cluster": {"server": f"http://127.0.0.1:{self.api_port}"}}],
                }
            )
        )
        self.process = subprocess.Popen(
            [
                sys.executable,
                *(start or ("-m", "dnsserver")),
                "--address",
                "127.0.0.1",
                "--port",
                str(self.port),
                "--http-port",
                str(self.http),
                "--range",
                "10.96.0.0/16",
                "--kubeconfig",
                str(kubeconfig),
                "--config-dir",
                str(self.config),
                "--resolv-conf",
                str(folder / "resolv.conf"),
            ],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ask(self, name: str, kind: str = "A", tcp: bool = False) -> dnslib.DNSRecord:
        query = dnslib.DNSRecord.question(name, kind)
        return dnslib.DNSRecord.parse(query.send("127.0.0.1", self.port, timeout=60, tcp=tcp))

    def page(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http}{path}", timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def metric(self, name: str, **labels: str) -> float:
        """The sum of the samples that have these labels."""
        families = text_string_to_metric_families(self.page("/metrics")[1])
        return sum(
            sample.value
            for family in families
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )


def until(check: Callable[[], object], seconds: float = 60.0) -> None:
    """Returns when `check` holds; fails after `seconds`."""
    started = time.monotonic()
    while not check():
        assert time.monotonic() - started < seconds, "it took too long"
        time.sleep(0.02)


@pytest.fixture
def program(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Program]:
    made = Program(tmp_path, *getattr(request, "param", ()))
    yield made
    if made.process.poll() is None:
        made.process.kill()
    made.process.communicate()


def with_api(program: Program, test: Callable[[FakeApi], Awaitable[None]]) -> None:
    async def run() -> None:
        api = FakeApi()
        for name in ("default", "kube-system"):
            api.put("namespaces", {"metadata": {"name": name}})
        api.put("services", service("web", "10.96.0.20", (("http", "TCP", 80),)))
        api.put("services", service("db", "None"))
        api.put("endpointslices", piece("db", "10.244.0.5"))
        await api.start(program.api_port)
        try:
            await test(api)
        finally:
            await api.stop()

    asyncio.run(run())


def test_life_of_the_server(program: Program) -> None:
    until(lambda: program.page("/health")[0] == 200)
    assert program.page("/ready")[0] == 503, "without the API it has nothing to say"
    assert rcode(program.ask(f"web.{SVC}")) == "SERVFAIL"

    async def test(api: FakeApi) -> None:
        thread = asyncio.to_thread
        await thread(until, lambda: program.page("/ready")[0] == 200)
        assert rows(await thread(program.ask, f"web.{SVC}")) == ["10.96.0.20"]
        assert rows(await thread(program.ask, f"web.{SVC}", "A", True)) == ["10.96.0.20"]
        assert rows(await thread(program.ask, f"db.{SVC}")) == ["10.244.0.5"]
        api.put("endpointslices", piece("db", "10.244.0.6"))
        await thread(until, lambda: rows(program.ask(f"db.{SVC}")) == ["10.244.0.6"])
        api.remove("services", "web")
        await thread(until, lambda: rcode(program.ask(f"web.{SVC}")) == "NXDOMAIN")
        assert await thread(program.metric, "binnacle_dns_services") == 1
        await thread(until, lambda: program.metric("binnacle_dns_api_up") == 1)

    with_api(program, test)
    # The API is gone: stale rather than nothing, and it says so.
    assert rows(program.ask(f"db.{SVC}")) == ["10.244.0.6"] and program.page("/ready")[0] == 200
    until(lambda: program.metric("binnacle_dns_api_up") == 0)
    assert program.metric("coredns_dns_requests_total", type="A", zone="cluster.local.") > 3
    assert program.metric("coredns_dns_responses_total", rcode="NXDOMAIN") >= 1
    assert program.metric("coredns_dns_request_duration_seconds_count") == program.metric("coredns_dns_requests_total")
    assert program.metric("coredns_panics_total") == 0
    assert program.metric("coredns_kubernetes_rest_client_requests_total", method="GET", code="200") >= 3
    assert program.metric("coredns_kubernetes_rest_client_request_duration_seconds_count", verb="GET") >= 3

    program.process.send_signal(signal.SIGTERM)
    assert program.process.wait(60) == 0


@pytest.mark.parametrize("program", [("-c", LINGERING)], indirect=True)
def test_it_answers_while_the_service_turns_away_from_it(program: Program) -> None:
    async def test(api: FakeApi) -> None:
        thread = asyncio.to_thread
        await thread(until, lambda: program.page("/ready")[0] == 200)
        program.process.send_signal(signal.SIGTERM)
        await thread(until, lambda: program.page("/ready")[0] == 503)
        assert rows(await thread(program.ask, f"db.{SVC}")) == ["10.244.0.5"]

    with_api(program, test)


def test_a_changed_configuration_is_taken_without_a_restart(program: Program) -> None:
    async def test(api: FakeApi) -> None:
        thread = asyncio.to_thread
        await thread(until, lambda: program.page("/ready")[0] == 200)
        assert (await thread(program.ask, f"db.{SVC}")).rr[0].ttl == 5
        (program.config / "ttl").write_text("x")
        await thread(until, lambda: program.metric("coredns_reload_failed_total") == 1)
        assert (await thread(program.ask, f"db.{SVC}")).rr[0].ttl == 5, "what cannot be used changes nothing"
        (program.config / "ttl").write_text("30")
        await thread(until, lambda: program.ask(f"db.{SVC}").rr[0].ttl == 30)

    with_api(program, test)


def test_pods_are_followed_while_their_records_are_verified(program: Program) -> None:
    name, other = "10-244-0-7.default.pod.cluster.local", "10-244-0-9.default.pod.cluster.local"

    async def test(api: FakeApi) -> None:
        thread = asyncio.to_thread
        await thread(until, lambda: program.page("/ready")[0] == 200)
        assert rows(await thread(program.ask, other)) == ["10.244.0.9"] and not api.watchers("pods")
        api.put("pods", pod("a", "10.244.0.7"))
        (program.config / "podRecords").write_text("verified")
        await thread(until, lambda: rcode(program.ask(other)) == "NXDOMAIN")
        assert rows(await thread(program.ask, name)) == ["10.244.0.7"]
        await thread(until, lambda: api.watchers("pods") == 1)
        api.put("pods", pod("a", "10.244.0.9"))
        await thread(until, lambda: rcode(program.ask(other)) == "NOERROR" and rcode(program.ask(name)) == "NXDOMAIN")
        api.remove("pods", "a")
        await thread(until, lambda: rcode(program.ask(other)) == "NXDOMAIN")
        (program.config / "podRecords").write_text("insecure")
        await thread(until, lambda: rcode(program.ask(other)) == "NOERROR")
        api.put("pods", pod("a", "10.244.0.8"))
        (program.config / "podRecords").write_text("verified")
        await thread(until, lambda: rcode(program.ask(other)) == "NXDOMAIN")
        await thread(until, lambda: program.page("/ready")[0] == 200)
        assert rows(await thread(program.ask, "10-244-0-8.default.pod.cluster.local")) == ["10.244.0.8"]

    with_api(program, test)


def test_hostile_connections_do_not_stop_it(program: Program) -> None:
    until(lambda: program.page("/health")[0] == 200)
    with (
        socket.create_connection(("127.0.0.1", program.port)) as idle,
        socket.create_connection(("127.0.0.1", program.port)) as garbage,
        socket.create_connection(("127.0.0.1", program.port)) as many,
    ):
        idle.sendall(b"\xff")
        garbage.sendall(b"\0\x0c" + os.urandom(2) + b"\x80" + bytes(9))
        query = bytes(dnslib.DNSRecord.question(f"db.{SVC}").pack())
        many.sendall((struct.pack("!H", len(query)) + query) * 500)
        garbage.settimeout(60)
        with pytest.raises(ConnectionError):
            assert not garbage.recv(10), "no question, no answer"
            raise ConnectionAbortedError
        many.settimeout(60)
        got = b""
        while len(got) < 500 * (2 + len(query)):
            got += many.recv(65536)
        assert rcode(dnslib.DNSRecord.parse(got[2 : 2 + len(query)])) == "SERVFAIL"
    assert program.page("/nosuch")[0] == 404 and program.page("/health")[0] == 200


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--address", "192.0.2.1"], "cannot listen on 192.0.2.1 port"),
        (["--port", "0"], "'0' is no port"),
        (["--range", "10.96.0.1/16"], "'10.96.0.1/16' is no range of addresses"),
    ],
)
def test_what_can_not_work_is_said(arguments: list[str], message: str, tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(
        json.dumps(
            {
                "current-context": "a",
                "contexts": [{"name": "a", "context": {"cluster": "a"}}],
                "clusters": [{"name": "a", "cluster": {"server": "http://127.0.0.1:1"}}],
            }
        )
    )
    done = subprocess.run(
        [sys.executable, "-m", "dnsserver", "--port", str(free_port()), "--kubeconfig", str(kubeconfig), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode and message in done.stderr and "Traceback" not in done.stderr

"""Verdicts out of rows of results, and single questions over HTTP and TCP."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from aiohttp import web

from kubelet.probes.actions import Asker, port_number
from kubelet.probes.manager import PodProbes
from kubelet.probes.state import ProbeState
from kubelet.runtimes.base import ContainerState
from kubelet.runtimes.simulated import SimulatedRuntime
from tests.kubelet.fakeapi import pod


@pytest.mark.parametrize(
    ("kind", "probe", "results", "verdicts"),
    [
        ("readiness", {}, "++", "YY"),
        ("readiness", {"successThreshold": 2}, "+-++-", "NNNYY"),
        ("readiness", {"failureThreshold": 2}, "+--+", "YYNY"),
        ("liveness", {}, "--+---", "YYYYYN"),
        ("startup", {"failureThreshold": 5}, "---+", "NNNY"),
    ],
)
def test_verdicts(kind: str, probe: Any, results: str, verdicts: str) -> None:
    state = ProbeState.of(kind, probe)
    found = ""
    for result in results:
        state.record(result == "+")
        found += "Y" if state.verdict else "N"
    assert found == verdicts


def ask(probe: Any, **container: Any) -> tuple[bool, str]:
    probe = {"timeoutSeconds": 60, **probe}

    async def handler(request: web.Request) -> web.Response:
        if request.path == "/slow":
            await asyncio.sleep(3600)
        code = {"/ok": 200, "/moved": 302}.get(request.path, 500)
        moved = {
            "/to-ok": "/ok",
            "/to-bad": "bad",
            "/round": "/round",
            "/wrong": "http://[",
            "/away": "http://elsewhere.invalid/bad",
        }
        if request.path in moved:
            return web.Response(status=302, headers={"Location": moved[request.path]})
        return web.Response(status=code if request.headers.get("X-A", "1") == "1" else 400)

    async def main() -> tuple[bool, str]:
        app = web.Application()
        app.router.add_get("/{path:.*}", handler)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]
        for action in probe.values():
            if isinstance(action, dict) and "port" not in action:
                action["port"] = port
        try:
            named = {"name": "c", "ports": [{"name": "web", "containerPort": port}], **container}
            return await Asker(SimulatedRuntime(), "u", "127.0.0.1").ask(named, probe)
        finally:
            await runner.cleanup()

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("probe", "ok", "words"),
    [
        ({"httpGet": {"path": "/ok"}}, True, ""),
        ({"httpGet": {"path": "/ok", "port": "web"}}, True, ""),
        ({"httpGet": {"path": "/moved"}}, True, ""),
        ({"httpGet": {"path": "/to-ok"}}, True, ""),
        ({"httpGet": {"path": "/to-bad"}}, False, "HTTP probe failed with statuscode: 500"),
        ({"httpGet": {"path": "/round"}}, False, "stopped after 10 redirects"),
        ({"httpGet": {"path": "/away"}}, True, ""),
        ({"httpGet": {"path": "/wrong"}}, False, "Invalid"),
        ({"httpGet": {"path": "/bad"}}, False, "HTTP probe failed with statuscode: 500"),
        ({"httpGet": {"path": "/ok", "httpHeaders": [{"name": "X-A", "value": "2"}]}}, False, "statuscode: 400"),
        ({"httpGet": {"path": "/slow"}, "timeoutSeconds": 1}, False, "context deadline exceeded"),
        ({"httpGet": {"path": "/ok", "port": 1}}, False, "connection refused"),
        ({"tcpSocket": {}}, True, ""),
        ({"tcpSocket": {"port": 1}}, False, "dial tcp 127.0.0.1:1: connect: connection refused"),
    ],
)
def test_questions(probe: Any, ok: bool, words: str) -> None:
    found, text = ask(probe)
    assert found is ok
    assert words in text


def test_an_unknown_port_name() -> None:
    with pytest.raises(OSError, match="container c has no port named 'web'"):
        port_number({"name": "c"}, "web")


@pytest.mark.parametrize(("identifier", "ready"), [("now", True), ("earlier", False)])
def test_a_kubelet_that_starts_anew_goes_on_from_the_verdicts_of_the_one_before(identifier: str, ready: bool) -> None:
    asked = {"exec": {"command": ["true"]}, "initialDelaySeconds": 3600}
    obj = pod("p", {"name": "c", "readinessProbe": asked, "startupProbe": asked})
    obj["status"] = {
        "containerStatuses": [{"name": "c", "containerID": f"process://{identifier}", "ready": True, "started": True}]
    }
    run = ContainerState(name="c", attempt=0, id="now", image="host", started_at=time.time())

    async def main() -> tuple[dict[str, bool], dict[str, bool]]:
        probes = PodProbes(lambda: None, lambda container, message: None)
        probes.sync(obj, {"c": run}, Asker(SimulatedRuntime(), "u", "127.0.0.1"))
        try:
            return probes.started(), probes.ready()
        finally:
            probes.close()

    assert asyncio.run(main()) == ({"c": ready}, {"c": ready})

"""Pages of kubelets into readings; sums of workloads and namespaces; rounds over several nodes."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from client import Config
from config import pki
from monitoring.history.entities import NODE, WORKLOAD
from monitoring.history.figures import CPU, FS, MEMORY, MISSING, RX
from monitoring.history.history import History
from monitoring.queries.grid import Series
from monitoring.scraping.kubelets import KubeletError, Kubelets
from monitoring.scraping.page import Reader
from monitoring.scraping.scraper import Scraper
from tests.monitoring import cluster
from web.client import FAILURES

START = 1_800_000_000
PAGE = b"""# HELP cadvisor_version_info x
# TYPE cadvisor_version_info gauge
cadvisor_version_info{kernelVersion="6.1"} 1
# HELP container_cpu_usage_seconds_total x
# TYPE container_cpu_usage_seconds_total counter
container_cpu_usage_seconds_total{cpu="total",container="",id="/",image="",name="",namespace="",pod=""} 12.5 1700000000123
container_cpu_usage_seconds_total{cpu="cpu00",container="",id="/",image="",name="",namespace="",pod=""} 99 1700000000123
container_cpu_usage_seconds_total{cpu="total",container="",id="/kubepods/pod1",namespace="shop",pod="web"} 7 1700000000456
container_cpu_usage_seconds_total{container="app",id="/p",image="\\"b\\" }",pod="web",namespace="shop"} 1.000001 1700000000456
container_cpu_usage_seconds_total{cpu="total",container="POD",id="/p/p",namespace="shop",pod="web"} 5 1700000000456
# HELP container_memory_working_set_bytes x
# TYPE container_memory_working_set_bytes gauge
container_memory_working_set_bytes{container="app",id="/p/c",namespace="shop",pod="web"} 1.048576e+06 1700000000456
# HELP container_network_receive_bytes_total x
# TYPE container_network_receive_bytes_total counter
container_network_receive_bytes_total{container="",id="/kubepods/pod1",interface="eth0",namespace="shop",pod="web"} 10
container_network_receive_bytes_total{container="",id="/kubepods/pod1",interface="eth1",namespace="shop",pod="web"} 32
"""


def test_a_page_is_read() -> None:
    reader = Reader()
    for _ in range(2):  # the second time from what is remembered
        found = reader.read(PAGE)
        assert set(found) == {("", "", ""), ("shop", "web", "app"), ("shop", "web", "")}
        app = found["shop", "web", "app"]
        assert (app.at, app.values[CPU], app.values[MEMORY], app.values[FS]) == (
            1700000000456,
            1000001,
            1 << 20,
            MISSING,
        )
        assert found["", "", ""].values[CPU] == 12_500_000
        assert found["shop", "web", ""].values[RX] == 42 and found["shop", "web", ""].at == 0


def test_a_page_without_figures_gives_none() -> None:
    assert Reader().read(b"") == {} == Reader().read(b"# nothing\nup 1\n")


def test_a_broken_line_is_refused() -> None:
    with pytest.raises(ValueError, match="not a sample"):
        Reader().read(b"\ncontainer_fs_usage_bytes{oops\n")


class Nodes(cluster.Owners):
    synced = True

    def kubelets(self) -> dict[str, str]:
        return {"n1": "n1:10250", "n2": "n2:10250"}


class Pages:
    """Kubelets that answer with the pages of the test's cluster; those in `silent` do not."""

    def __init__(self) -> None:
        self.t, self.start, self.silent = 0.0, START, set[str]()

    def only(self, addresses: Iterable[str]) -> None:
        """There are no connections."""

    async def get(self, address: str, path: str) -> bytes:
        node = address.partition(":")[0]
        if node in self.silent:
            raise KubeletError("it does not answer")
        return cluster.page(self.t, self.start + self.t, node)


def test_a_silent_node_is_told_and_the_others_are_measured(tmp_path: Path) -> None:
    kubelets, owners, history = Pages(), Nodes(), History(tmp_path, 1 << 30)
    line: Any = kubelets
    scraper = Scraper(line, owners, history, 15)  # type: ignore[arg-type]

    async def story() -> None:
        await scraper.round()
        assert not scraper.failed and scraper.last
        kubelets.silent, kubelets.t = {"n2"}, 15
        await scraper.round()

    asyncio.run(story())
    assert "does not answer" in scraper.failed["n2"]
    sizes = {}
    for number, entity in history.entities(0, kind=NODE):
        found = dict(history.samples([number], (CPU,), START * 1000, (START + 3600) * 1000))
        sizes[entity.node] = len(found[number][CPU].times)
    assert sizes == {"n1": 2, "n2": 1}
    history.close()


def test_a_workload_sums_what_its_pods_do_over_a_restart(tmp_path: Path) -> None:
    history = History(tmp_path, 1 << 30)
    cluster.record(history, START, 1500)  # within it web-2 starts anew
    [number] = [n for n, e in history.entities(0, kind=WORKLOAD) if e.workload == "Deployment/web"]
    read = history.samples([number], (CPU,), START * 1000, (START + 3600) * 1000)
    values = [value for _, pieces in read for value in pieces[CPU].values]
    assert values == sorted(values), "a sum that grows never falls"
    expected = sum(pod.cpu(1485) - pod.cpu(0) for pod in cluster.PODS if pod.name.startswith("web"))
    assert abs(values[-1] / 1e6 - expected) < 0.03 * expected
    history.close()


def test_a_sum_is_steady_though_kubelets_measure_in_a_time_of_their_own(tmp_path: Path) -> None:
    history, owners = History(tmp_path, 1 << 30), cluster.Owners()
    scraper = Scraper(None, owners, history, 15)  # type: ignore[arg-type]
    line = 'container_cpu_usage_seconds_total{{container="app",id="/p/{0}",namespace="shop",pod="{0}"}} {1} {2}\n'
    for t in range(0, 600, 15):
        found = []
        for node, pod, phase in (("n1", "web-1", 2), ("n2", "web-2", 3)):
            measured = (t - phase) // 10 * 10 + phase  # each 10 s, whenever they are asked
            page = "\n" + line.format(pod, 0.2 * measured, (START + measured) * 1000)
            found += scraper.read(node, page.encode(), 0)
        scraper.keep((START + t) * 1000, found)
    [number] = [n for n, e in history.entities(0, kind=WORKLOAD) if e.workload == "Deployment/web"]
    rates = Series(CPU, (START + 60) * 1000, 15_000, 32, False, False)
    for _, pieces in history.samples([number], (CPU,), START * 1000, (START + 3600) * 1000):
        rates.add(*pieces[CPU])
    assert [value for value in rates.values() if value is not None] == pytest.approx([0.4] * 32, rel=0.01)
    history.close()


def test_kubelets_are_asked_over_kept_connections_with_the_token(tmp_path: Path) -> None:
    pki.make_all(tmp_path, node="node", addresses=["127.0.0.1"])
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "kubelet.crt", tmp_path / "kubelet.key")
    lines: set[int] = set()

    async def page(request: web.Request) -> web.Response:
        assert request.transport is not None
        lines.add(request.transport.get_extra_info("peername")[1])
        if request.headers.get("Authorization") != "Bearer secret":
            return web.Response(status=401, text="who are you?\n")
        return web.Response(text=request.path)

    async def main() -> None:
        app = web.Application()
        app.router.add_get("/{path:.*}", page)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        address = f"127.0.0.1:{runner.addresses[0][1]}"
        ca = (tmp_path / "ca.crt").read_text()
        kubelets = Kubelets(Config("https://127.0.0.1:1", ca=ca, token="secret"))
        for node in ("a", "b"):
            assert await kubelets.get(f"{address}/nodes/{node}", "/metrics") == f"/nodes/{node}/metrics".encode()
        assert len(lines) == 1, "one connection for both nodes"
        kubelets.only([])
        await kubelets.get(address, "/metrics")
        assert len(lines) == 2, "who is gone is let go"
        kubelets.close()
        with pytest.raises(KubeletError, match="it answers 401: who are you"):
            await Kubelets(Config("https://127.0.0.1:1", ca=ca)).get(address, "/metrics")
        with pytest.raises(FAILURES):  # whose certificate nobody vouches for
            await Kubelets(Config("https://127.0.0.1:1", token="secret")).get(address, "/metrics")
        await runner.cleanup()

    asyncio.run(main())

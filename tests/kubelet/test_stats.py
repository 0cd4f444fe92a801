"""Measuring against recorded trees of /proc and of control groups of both versions, and what is served of it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from kubelet.disk import disk_usage
from kubelet.runtimes.base import ContainerState, Measurable, PodState, Running
from kubelet.stats import cadvisor, groups, machine, resources, summary
from kubelet.stats.processes import PAGE, TICKS, Table
from kubelet.stats.sampler import Sampler
from telemetry.exposition import Page

MIB = 1 << 20
TREES = Path(__file__).with_name("recorded")
V1 = {name: TREES / "v1" / name for name in ("cpu", "cpuacct", "memory")}
V2 = {"": TREES / "v2"}
PROC = TREES / "proc"


def test_version_1() -> None:
    assert groups.measures(V1) == (True, True)
    found = groups.read(V1)
    assert found.cpu == pytest.approx(12.345678901)
    assert (found.memory, found.working_set, found.rss) == (50 * MIB, 40 * MIB, 30 * MIB)
    assert (found.cache, found.swap, found.mapped_file) == (20 * MIB, 4096, MIB)
    assert (found.periods, found.throttled_periods, found.throttled_seconds) == (100, 40, 2.5)
    assert found.processes == 2


def test_version_2() -> None:
    assert groups.measures(V2) == (True, True)
    found = groups.read(V2)
    assert found.cpu == pytest.approx(3.25)
    assert found.working_set == 0, "more inactive pages than usage: a count that was read a moment later"
    assert (found.memory, found.rss, found.cache, found.swap) == (8 * MIB, 2 * MIB, 9 * MIB, 8192)
    assert (found.periods, found.throttled_periods, found.throttled_seconds) == (10, 3, 0.75)
    assert found.processes == 1


def test_groups_that_tell_only_a_part() -> None:
    assert groups.measures({"cpu": V1["cpu"], "memory": V1["memory"]}) == (False, True)
    assert groups.measures({}) == (False, False)
    with pytest.raises(FileNotFoundError):
        groups.read({"": TREES / "gone"})


def test_a_container_without_groups_is_its_processes() -> None:
    """100 is the container, 101 its child, 102 an orphan of its session; 200 is another's."""
    found = Table(PROC).usage(100)
    assert found.processes == 3
    assert found.cpu == pytest.approx((10 + 20 + 30 + 40 + 5 + 5 + 7 + 3) / TICKS)
    assert found.working_set == found.rss == (1000 + 500 + 25) * PAGE
    assert Table(PROC).usage(4711).processes == 0


def test_the_machine() -> None:
    found, total = machine.usage(PROC)
    assert total == 16000 * 1024
    assert found.memory == 12000 * 1024
    assert found.working_set == 9000 * 1024
    assert found.cpu == pytest.approx((100 + 10 + 50 + 3 + 2) / TICKS)
    assert (found.page_faults, found.major_page_faults) == (777, 7)
    assert machine.booted(PROC) == 1700000000.0


def test_interfaces_but_loopback_and_cables() -> None:
    found = machine.interfaces("100", PROC)
    assert [one.name for one in found] == ["eth0"]
    assert (found[0].rx_bytes, found[0].rx_packets, found[0].rx_dropped) == (1000, 10, 2)
    assert (found[0].tx_bytes, found[0].tx_packets, found[0].tx_errors) == (2000, 20, 1)


def test_folders(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/file").write_bytes(b"x" * 10_000)
    assert 10_000 <= disk_usage(tmp_path) < 100_000
    assert disk_usage(tmp_path, limit=1) == 0
    assert disk_usage(tmp_path / "none") == 0


def pod(name: str, *containers: str) -> dict[str, Any]:
    made = [{"name": c, "resources": {"limits": {"cpu": "500m", "memory": "64Mi"}}} for c in containers]
    return {"metadata": {"uid": f"uid-{name}", "name": name, "namespace": "d"}, "spec": {"containers": made}}


def measurable(name: str, *running: Running) -> Measurable:
    return Measurable(
        PodState(f"uid-{name}", "d", name, True, "1.2.3.4", [r.state for r in running], 5.0), [*running], 100
    )


def sampled(tmp_path: Path) -> tuple[Sampler, list[tuple[dict[str, Any], Measurable]]]:
    sampler = Sampler("n1", tmp_path, list, lambda uid: None, PROC)
    grouped = Running(ContainerState("web", 0, "id-1", 'im"age', 10.0), 4711, V1)
    plain = Running(ContainerState("side", 0, "id-2", "host", 11.0), 100)
    return sampler, [(pod("p", "web", "side"), measurable("p", grouped, plain))]


def test_rates_come_with_the_second_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sampler, sources = sampled(tmp_path)
    now = 1000.0
    monkeypatch.setattr(time, "time", lambda: now)
    first = sampler.sample(sources)
    assert first.pods[0].rate is None and first.node.rate is None
    now = 1010.0
    monkeypatch.setattr(groups, "read", lambda folders: machine.Usage(cpu=17.345678901))
    second = sampler.sample(sources)
    assert second.pods[0].containers[0].rate == pytest.approx(0.5)
    assert second.pods[0].containers[1].rate == 0.0
    now = 1020.0
    monkeypatch.setattr(groups, "read", lambda folders: machine.Usage(cpu=1.0))
    third = sampler.sample(sources).pods[0].containers[0]
    assert (third.rate, third.usage.cpu) == (0.0, pytest.approx(17.345678901)), "a total never falls"


def test_a_pod_that_can_not_be_read_does_not_spoil_the_others(tmp_path: Path) -> None:
    sampler, sources = sampled(tmp_path)
    broken = Measurable(sources[0][1].state, [], network_pid=4711)
    found = sampler.sample([(pod("p"), broken), *sources])
    assert found.failed == 1 and [p.name for p in found.pods] == ["p"]
    assert "resource_scrape_error 1" in resources.render(found)


def families(text: str) -> dict[str, Any]:
    """By name; the parser refuses what is no exposition format."""
    assert text.endswith("\n")
    found = {}
    for family in text_string_to_metric_families(text):
        assert family.name not in found and family.documentation and family.samples, family.name
        assert family.type in ("counter", "gauge")
        keys = [tuple(sorted(sample.labels.items())) for sample in family.samples]
        assert len(keys) == len(set(keys)), f"{family.name} has a sample twice"
        found[family.name] = family
    return found


def test_resource_metrics(tmp_path: Path) -> None:
    sampler, sources = sampled(tmp_path)
    found = families(resources.render(sampler.sample(sources)))
    web = found["container_cpu_usage_seconds"].samples[0]
    assert web.labels == {"container": "web", "namespace": "d", "pod": "p"} and web.value == pytest.approx(12.345678901)
    assert web.timestamp is not None
    total = found["pod_memory_working_set_bytes"].samples[0]
    assert total.value == 40 * MIB + 1525 * PAGE
    assert found["resource_scrape_error"].samples[0].value == 0


def test_cadvisor_metrics(tmp_path: Path) -> None:
    sampler, sources = sampled(tmp_path)
    found = families(cadvisor.render(sampler.sample(sources), "v1", "6.1", 'Linux "x"'))
    rss = {s.labels["container"]: s for s in found["container_memory_rss"].samples}
    assert rss["web"].labels == {
        "id": "/kubepods/poduid-p/id-1",
        "name": "id-1",
        "image": 'im"age',
        "container": "web",
        "pod": "p",
        "namespace": "d",
    }
    received = [s for s in found["container_network_receive_bytes"].samples if s.labels["pod"] == "p"]
    assert [(s.labels["interface"], s.labels["container"], s.value) for s in received] == [("eth0", "", 1000.0)]
    throttled = {s.labels["container"]: s.value for s in found["container_cpu_cfs_throttled_periods"].samples}
    assert throttled["web"] == 40
    quota = {s.labels["container"]: s.value for s in found["container_spec_cpu_quota"].samples}
    assert quota == {"web": 50_000, "side": 50_000}
    assert found["machine_memory_bytes"].samples[0].value == 16000 * 1024


def test_summary(tmp_path: Path) -> None:
    sampler, sources = sampled(tmp_path)
    sampler.sample(sources)
    made = summary.render(sampler.sample(sources))
    assert made["node"]["nodeName"] == "n1" and made["node"]["fs"]["capacityBytes"] > 0
    found = made["pods"][0]
    assert found["podRef"] == {"name": "p", "namespace": "d", "uid": "uid-p"}
    web = found["containers"][0]
    assert web["memory"]["workingSetBytes"] == 40 * MIB and web["memory"]["availableBytes"] == 24 * MIB
    assert web["cpu"]["usageCoreNanoSeconds"] == 12345678901
    assert found["network"]["name"] == "eth0" and found["network"]["txBytes"] == 2000


def test_label_values_are_escaped() -> None:
    page = Page()
    page.declare("x", "gauge", "Text.")
    page.declare("unused", "gauge", "No samples.")
    page.add("x", 0.1 + 0.2, {"a": 'q"\\\n'})
    assert page.text() == '# HELP x Text.\n# TYPE x gauge\nx{a="q\\"\\\\\\n"} 0.3\n'

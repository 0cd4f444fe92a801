"""A real Prometheus beside the cluster, configured by deploy/prometheus: everything is found and up, the queries of
kubernetes-mixin's dashboards have answers, and our own charts can come from it."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from kube.objects import Json
from tests.e2e import machine, worker
from tests.e2e.cluster import Cluster
from tests.e2e.conftest import ROOT_USER, made
from tests.e2e.dashboard import Dashboard
from tests.ports import free_port
from tests.prepare import needs

pytestmark = [pytest.mark.serial, pytest.mark.timeout(500)]

SIMULATED = ("sim-0", "sim-1")
JOBS = {
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kube-proxy",
    "kubelet",
    "cadvisor",
    "kubelet-resource",
    "node-exporter",
    "kube-state-metrics",
    "monitoring",
    "kube-dns",
    "dashboard",
}
# What the dashboards ask: of the cluster, namespaces, workloads, pods, nodes, the kubelet, the API server, queues, the
# scheduler, the proxy, and DNS.
QUERIES = (
    "cluster:node_cpu:ratio_rate5m",
    '1 - sum(:node_memory_MemAvailable_bytes:sum) / sum(node_memory_MemTotal_bytes{job="node-exporter"})',
    'sum(namespace_cpu:kube_pod_container_resource_requests:sum) / sum(kube_node_status_allocatable{resource="cpu"})',
    "sum by (namespace) (node_namespace_pod_container:container_cpu_usage_seconds_total:sum_rate5m)",
    'sum by (namespace) (container_memory_rss{job="cadvisor", container!=""})',
    "count by (namespace) (avg by (workload, namespace) (namespace_workload_pod:kube_pod_owner:relabel))",
    "sum by (workload, workload_type) ("
    'node_namespace_pod_container:container_memory_working_set_bytes{namespace="kube-system"} '
    "* on (cluster, namespace, pod) group_left (workload, workload_type) namespace_workload_pod:kube_pod_owner:relabel)",
    'sum by (pod) (kube_pod_container_resource_requests{job="kube-state-metrics", namespace="kube-system", '
    'resource="memory"})',
    'sum by (container) (container_memory_working_set_bytes{job="cadvisor", pod=~"kube-dns-.*", container!="", image!=""})',
    'sum(kube_node_status_condition{job="kube-state-metrics", condition="Ready", status="true"})',
    "sum by (node) (node_namespace_pod_container:container_memory_working_set_bytes)",
    'sum(kubelet_running_pods{job="kubelet", metrics_path="/metrics"})',
    "histogram_quantile(0.99, sum by (instance, operation_type, le) (rate(kubelet_pod_worker_duration_seconds_bucket[5m])))",
    "node_quantile:kubelet_pleg_relist_duration_seconds:histogram_quantile",
    'sum by (code) (rate(apiserver_request_total{job="kube-apiserver"}[5m]))',
    'cluster_quantile:apiserver_request_sli_duration_seconds:histogram_quantile{verb="read"}',
    'sum by (name) (rate(workqueue_adds_total{job="kube-controller-manager"}[5m]))',
    "histogram_quantile(0.99, sum by (name, le) (rate("
    'workqueue_queue_duration_seconds_bucket{job="kube-controller-manager"}[5m])))',
    'sum by (result) (scheduler_schedule_attempts_total{job="kube-scheduler"})',
    'sum by (instance) (rate(kubeproxy_sync_proxy_rules_duration_seconds_count{job="kube-proxy"}[5m]))',
    'process_resident_memory_bytes{job="kube-apiserver"}',
    'coredns_build_info{job="kube-dns"} or coredns_panics_total',
    'binnacle_store_commit_duration_seconds_count{job="kube-apiserver"}',
    'sum by (code) (rate(rest_client_requests_total{job="kubelet", code=~"2.."}[5m]))',
    "histogram_quantile(0.99, sum by (verb, le) (rate("
    'rest_client_request_duration_seconds_bucket{job="kubelet", verb="PATCH"}[5m])))',
    'rest_client_requests_total{job="kube-proxy", method="GET"}',
    'rest_client_requests_total{job="monitoring"}',
    'coredns_kubernetes_rest_client_requests_total{job="kube-dns"}',
)


class Prometheus:
    """A server started as deploy/prometheus/README.md says, only quicker at everything."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster, self.folder = cluster, folder
        done = subprocess.run(
            ["deploy/prometheus/prepare", str(folder)],
            cwd=machine.ROOT,
            capture_output=True,
            text=True,
            env=cluster.kubectl_environment(),
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        config = folder / "prometheus.yml"
        config.write_text(config.read_text().replace("interval: 15s", "interval: 2s"))
        # Where pods reach it too: the addon is one.
        address = cluster.path("nodes", '{.items[0].status.addresses[?(@.type=="InternalIP")].address}')
        self.url = f"http://{address}:{free_port()}"
        self.log = (folder / "log").open("wb")
        self.process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={config}",
                f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address={self.url.removeprefix('http://')}",
            ],
            stdout=self.log,
            stderr=self.log,
        )

    def get(self, path: str, **parameters: str) -> Any:
        """The data of an answer."""
        query = "?" + urlencode(parameters) if parameters else ""
        return json.loads(self.cluster.fetch(f"{self.url}/api/v1/{path}{query}", timeout=20))["data"]

    def targets(self) -> list[Json]:
        found: list[Json] = self.get("targets", state="active")["activeTargets"]
        return found

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(30)
        self.log.close()


def configure(cluster: Cluster, **options: str) -> None:
    """Set options of the addon, as its admin does."""
    patch = json.dumps({"data": options})
    cluster.until(
        lambda: cluster.kubectl("-n", "kube-system", "patch", "configmap", "addon-monitoring", "-p", patch),
        what="the addon is configured",
    )


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Beside a cluster of root where the tests are root's, else of this user; both end afterwards."""
    needs("prometheus")
    with made("root" if ROOT_USER else "user") as cluster:
        cluster.started = cluster.up()
        configure(cluster, scrape_interval="5")
        cluster.kubectl("apply", "-f", "-", stdin=worker.deployment())
        for addon in ("monitoring", "kube-dns", "dashboard"):
            cluster.until(
                partial(cluster.path, "-n", "kube-system", "deployment", addon, "{.status.readyReplicas}"),
                lambda count: count == "1",
                timeout=60,
                what=f"{addon} is ready",
            )
        with simulated(cluster):
            server = Prometheus(cluster, tmp_path_factory.mktemp("prometheus"))
            try:
                yield server
            finally:
                server.close()


@contextmanager
def simulated(cluster: Cluster) -> Iterator[None]:
    """Two nodes behind one port, on which nothing is put: they are found and scraped as the others are."""
    player = subprocess.Popen(
        [*cluster.prefix, sys.executable, "manage.py", "simulate", "--nodes", "2"],
        cwd=machine.ROOT,
        env=cluster.environment,
        stderr=subprocess.DEVNULL,
    )
    try:
        for node in SIMULATED:
            cluster.until(partial(cluster.kubectl, "cordon", node), timeout=60, what=f"{node} is registered")
        yield
    finally:
        player.terminate()
        player.wait(30)


def test_everything_is_found_and_up(prometheus: Prometheus) -> None:
    def seen() -> dict[str, str]:
        return {
            f"{target['labels']['job']} {target['scrapeUrl']}": target["lastError"] or target["health"]
            for target in prometheus.targets()
        }

    found = prometheus.cluster.until(
        seen,
        lambda all: {key.split()[0] for key in all} >= JOBS and set(all.values()) == {"up"},
        timeout=60,
        what="all targets are up",
    )
    assert {key.split()[0] for key in found} == JOBS
    paths = {
        f"/metrics/nodes/{node}/metrics{page}" for node in SIMULATED for page in ("", "/cadvisor", "/resource", "/node")
    }
    assert paths <= {urlsplit(key.split()[1]).path for key in found}


def test_the_dashboards_have_series(prometheus: Prometheus) -> None:
    def without() -> list[str]:
        return [query for query in QUERIES if not prometheus.get("query", query=query)["result"]]

    prometheus.cluster.until(without, lambda left: left == [], timeout=60, what="every query returns series")
    groups = prometheus.get("rules")["groups"]
    errors = {
        rule["name"]: rule.get("lastError") for group in groups for rule in group["rules"] if rule.get("lastError")
    }
    assert errors == {} and sum(len(group["rules"]) for group in groups) > 70


def test_one_information_a_pod(prometheus: Prometheus) -> None:
    """Every rule about usage joins kube_pod_info: a pod that has it twice, or not, would empty the dashboards."""
    pods = {
        (item["metadata"]["namespace"], item["metadata"]["name"])
        for item in prometheus.cluster.get("pods", "-A")["items"]
    }
    found = [
        (one["metric"]["namespace"], one["metric"]["pod"])
        for one in prometheus.get("query", query='kube_pod_info{node!=""}')["result"]
    ]
    assert sorted(found) == sorted(pods)


def test_promtool_likes_every_page_and_strangers_get_none(prometheus: Prometheus) -> None:
    token = (prometheus.folder / "token").read_text().strip()
    for target in prometheus.targets():
        url, asks = target["scrapeUrl"], target["discoveredLabels"]["__meta_binnacle_credentials"] == "true"
        if target["labels"]["job"] != "node-exporter":  # its names are what they are
            body = _fetch(prometheus, url, token if asks else "")
            done = subprocess.run(
                ["promtool", "check", "metrics"], input=body, capture_output=True, timeout=60, check=False
            )
            assert (done.stdout, done.stderr, done.returncode) == (b"", b"", 0), url
        if asks and target["labels"]["job"] != "monitoring":  # that page names nothing of the cluster
            for wrong in ("", "wrong"):
                with pytest.raises(urllib.error.HTTPError) as refused:
                    _fetch(prometheus, url, wrong)
                assert refused.value.code in (401, 403), url
                refused.value.close()


def _fetch(prometheus: Prometheus, url: str, token: str) -> bytes:
    context = ssl.create_default_context(cafile=str(prometheus.folder / "ca.crt"))
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})
    with urllib.request.urlopen(request, timeout=20, context=context) as answer:
        return bytes(answer.read())


Points = dict[int, float]
STEADY = 0.02
# What the machine itself works changes from second to second, with whatever runs on it: the two look at other seconds.
MOVING = {"memory": STEADY, "cpu": 0.25}


def test_the_charts_come_from_it_and_agree_with_the_history(prometheus: Prometheus) -> None:
    """Switched over to it and back, by the addon's ConfigMap: charts of steady work are the same, within 2 %."""
    cluster = prometheus.cluster
    dashboard = Dashboard.of(cluster)
    pod, node = cluster.path("pods", "-l", "app=worker", "{.items[0].metadata.name} {.items[0].spec.nodeName}").split()
    keys = (
        ["nodes", "", node],
        ["nodes", "", SIMULATED[0]],
        ["pods", "default", pod],
        ["deployments.apps", "default", "worker"],
    )
    cluster.until(
        lambda: min(len(points(dashboard.figures(key), "memory")) for key in keys),
        lambda count: count > 13,
        timeout=150,
        what="there is something to compare",
    )
    until = time.time() - 5
    answers = {}
    for backend, options in (
        ("prometheus", {"backend": "prometheus", "prometheus_url": prometheus.url}),
        ("embedded", {"backend": "embedded", "prometheus_url": ""}),
    ):
        configure(cluster, **options)
        cluster.until(
            lambda: dashboard.figures(keys[0]),
            lambda found, backend=backend: found.get("backend") == backend and found["newest"] > time.time() - 30,
            timeout=90,
            what=f"charts come from {backend}",
        )
        answers[backend] = [dashboard.figures(key) for key in keys]
    for key, theirs, ours in zip(keys, answers["prometheus"], answers["embedded"], strict=True):
        assert (theirs["backend"], ours["backend"]) == ("prometheus", "embedded") and theirs["step"] == ours["step"]
        for figure in ("memory", "cpu"):
            within = MOVING[figure] if key == keys[0] else STEADY
            alike(key, figure, points(theirs, figure), points(ours, figure), until, within)
        if key[0] != "nodes":
            assert parts(theirs) == parts(ours) and len(parts(ours)) == 2


def points(found: Json, figure: str) -> Points:
    """The values of the whole by their times."""
    return {
        at: value
        for at, value in zip(found["times"], found["figures"][figure]["total"], strict=True)
        if value is not None
    }


def parts(found: Json) -> set[tuple[str, ...]]:
    """What the whole consists of, by figure."""
    return {
        (figure, *series["labels"].values())
        for figure in ("cpu", "memory")
        for series in found["figures"][figure]["series"]
    }


def alike(key: list[str], figure: str, theirs: Points, ours: Points, until: float, within: float) -> None:
    """Both are the same on average, but for a part of it, over the steps that both know."""
    if figure == "cpu":  # Prometheus' rate is over four scrapes, the history's over one
        ours = {
            at: sum(found) / 4
            for at in ours
            if len(found := [ours[at - back] for back in range(0, 20, 5) if at - back in ours]) == 4
        }
    times = sorted(at for at in ours.keys() & theirs.keys() if at <= until)[2:]  # a rate begins with few samples
    assert len(times) >= 5, (key, figure, theirs, ours)
    mean, other = (sum(found[at] for at in times) / len(times) for found in (theirs, ours))
    assert mean > 0 and abs(mean - other) <= within * max(mean, other), (key, figure, mean, other, theirs, ours)

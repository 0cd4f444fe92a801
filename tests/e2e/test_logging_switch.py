"""An admin moves the logs of a running cluster into a real Elasticsearch and back: no line is lost, and none is twice."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e import elasticsearch
from tests.e2e.cluster import Cluster
from tests.e2e.conftest import ROOT_USER, made
from tests.e2e.logreading import Reader, account, admin, change, speaker
from tests.e2e.machine import ROOT

pytestmark = [pytest.mark.serial, pytest.mark.timeout(400)]
Line = dict[str, Any]
TIDES = 20  # of each speaker


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    elasticsearch.install()
    with made("root" if ROOT_USER else "user") as cluster:
        cluster.started = cluster.up()
        yield cluster


def server(cluster: Cluster) -> str:
    """Elasticsearch as a pod behind the Service `elasticsearch` in the namespace `search`, once it is ready."""
    ports = [{"name": "http", "containerPort": 9200}]
    run = [
        sys.executable,
        str(ROOT / "deploy" / "elasticsearch" / "node.py"),
        "run",
        str(elasticsearch.HOME),
        str(cluster.folder / "elasticsearch"),
        "9200",
        "--address",
        "$(POD_IP)",
    ]
    env = [
        {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "PATH", "value": cluster.environment["PATH"]},
    ]
    probe = {"httpGet": {"path": "/_cluster/health", "port": "http"}, "periodSeconds": 1, "timeoutSeconds": 5}
    # A pod sees of the machine what it mounts.
    paths = [str(elasticsearch.HOME), str(ROOT / "deploy" / "elasticsearch"), str(cluster.folder)]
    volumes = [{"name": f"v{n}", "hostPath": {"path": path}} for n, path in enumerate(paths)]
    mounts = [{"name": f"v{n}", "mountPath": path} for n, path in enumerate(paths)]
    about = {"name": "elasticsearch", "namespace": "search", "labels": {"app": "elasticsearch"}}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": about,
        "spec": {
            "terminationGracePeriodSeconds": 5,
            "containers": [
                {
                    "name": "server",
                    "image": "host",
                    "command": run,
                    "env": env,
                    "ports": ports,
                    "readinessProbe": probe,
                    "volumeMounts": mounts,
                }
            ],
            "volumes": volumes,
        },
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": about,
        "spec": {"selector": about["labels"], "ports": [{"name": "http", "port": 9200}]},
    }
    create(cluster, "search", json.dumps(pod), json.dumps(service))
    ready = '{.status.conditions[?(@.type=="Ready")].status}'
    cluster.until(
        lambda: cluster.path("-n", "search", "pod", "elasticsearch", ready),
        lambda seen: seen == "True",
        timeout=120,
        what="Elasticsearch is ready",
    )
    return f"http://{cluster.path('-n', 'search', 'service', 'elasticsearch', '{.spec.clusterIP}')}:9200"


def create(cluster: Cluster, namespace: str, *objects: str) -> None:
    if cluster.run("get", "namespace", namespace).returncode:
        cluster.kubectl("create", "namespace", namespace)
    for one in objects:
        cluster.until(
            lambda one=one: cluster.run("create", "-f", "-", stdin=one).returncode == 0,
            what="the namespace takes objects",
        )


def copy(cluster: Cluster, source: str, target: str) -> None:
    command = [*cluster.prefix, sys.executable, "-m", "logs.copy", "--from", source, "--to", target]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**cluster.environment, "PYTHONPATH": "logging"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0 and ", 0 were refused" in done.stdout, done.stdout + done.stderr


def once(*pods: str) -> Counter[tuple[str, int]]:
    """Each tide of each of these speakers, one time."""
    return Counter({(pod, number): 1 for pod in pods for number in range(TIDES)})


def counted(lines: list[Line]) -> Counter[tuple[str, int]]:
    return Counter((line["kubernetes"]["pod"], line["fields"]["depth"]) for line in lines)


def found(reader: Reader, *pods: str) -> None:
    """The tides of these speakers are found; of the others none."""
    query = f"tide turned pod:({' OR '.join(pods)})"
    lines = reader.until(query, lambda lines: len(lines) >= TIDES * len(pods))
    assert counted(lines) == once(*pods)


def test_there_and_back(cluster: Cluster) -> None:
    change(cluster, enabled="true", store="embedded")
    create(cluster, "harbour", speaker("harbour", "first"))
    url, everybody = server(cluster), admin(cluster)
    found(everybody, "first")

    # To Elasticsearch, under its name in the cluster where there is a DNS server for it.
    name = "http://elasticsearch.search:9200" if not cluster.ordinary else url
    change(cluster, store="elasticsearch", elasticsearch_url=name, refresh_interval="1s")
    create(cluster, "galley", speaker("galley", "second"))
    found(everybody, "second")
    old = str(cluster.var / "log-store")
    copy(cluster, old, url)
    copy(cluster, old, url)
    found(everybody, "first", "second")
    reader = Reader(everybody.url, account(cluster, "galley"))
    theirs = reader.until("", lambda lines: len(lines) > TIDES)
    assert {line["kubernetes"]["namespace"] for line in theirs} == {"galley"}

    # Off; a pod comes and goes meanwhile; back to the embedded store, with all that Elasticsearch has.
    cluster.kubectl(
        "patch",
        "configmap",
        "addon-logging",
        "-n",
        "kube-system",
        "--type=merge",
        "-p",
        '{"data": {"enabled": "false"}}',
    )
    ours = ("pods", "-n", "kube-system", "-l", "k8s-app in (log-shipper, log-store)")
    cluster.until(lambda: cluster.get(*ours)["items"] == [], what="the addon's pods are gone")
    create(cluster, "harbour", speaker("harbour", "unseen"))
    cluster.until(
        lambda: cluster.run("logs", "unseen", "-n", "harbour").stdout.count("tide"),
        lambda seen: seen == TIDES,
        what="the pod has spoken",
    )
    cluster.kubectl("delete", "pod", "unseen", "-n", "harbour", "--wait=true")
    copy(cluster, url, old)
    change(cluster, enabled="true", store="embedded")
    found(everybody, "first", "second", "unseen")
    assert {line["kubernetes"]["pod"] for line in reader.until("tide", bool)} == {"second"}

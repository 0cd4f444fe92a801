"""From a container's mouth to the page: lines are found in seconds, by those who may read them, also when the pod is gone."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import pytest

from tests.e2e.cluster import Cluster
from tests.e2e.logreading import Reader, account, admin, change, speaker

pytestmark = [pytest.mark.serial, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def logging(cluster: Cluster) -> Cluster:
    """The cluster with the addon switched on, and its store ready."""
    change(cluster, enabled="true", store="embedded")
    return cluster


def test_lines_are_found_by_those_who_may_read_them(logging: Cluster) -> None:
    cluster = logging
    for namespace in ("harbour", "galley"):
        cluster.kubectl("create", "namespace", namespace)
        cluster.until(
            lambda namespace=namespace: cluster.run("create", "-f", "-", stdin=speaker(namespace)).returncode == 0,
            what="the namespace takes pods",
        )
    everybody = admin(cluster)
    tides = everybody.until("tide turned ns:(harbour OR galley)", lambda lines: len(lines) == 40)
    assert {line["level"] for line in tides} == {"warn"}
    assert {line["kubernetes"]["labels"]["app"] for line in tides} == {"speaker"}
    assert len(everybody.lines("tide level:>=warn fields.depth:>=15 ns:harbour")) == 5
    assert len(everybody.until('"plain words" stream:stderr', lambda lines: len(lines) == 2)) == 2
    assert everybody.until("source:control-plane", bool), (
        "the control plane's lines are there for who may read nodes/proxy"
    )

    reader = Reader(everybody.url, account(cluster, "galley"))
    theirs = reader.until("", lambda lines: len(lines) >= 21)
    assert {line["kubernetes"]["namespace"] for line in theirs} == {"galley"}
    assert {line["source"] for line in theirs} == {"container"}
    assert reader.lines("ns:harbour OR NOT ns:galley OR source:node OR source:control-plane") == []

    cluster.kubectl("delete", "pod", "speaker", "-n", "harbour", "--wait=true")
    assert len(everybody.lines("tide pod:speaker ns:harbour")) == 20, "lines outlive their pod"


def test_no_other_pod_may_ask_the_store(logging: Cluster) -> None:
    """The store knows the dashboard's token and the shipper's; any other account's is turned away, and so is none."""
    token = logging.kubectl("create", "token", "default", "-n", "default").strip()
    service = logging.get("service", "log-store", "-n", "kube-system")["spec"]
    store = f"http://{service['clusterIP']}:{service['ports'][0]['port']}"
    scope = {"logs": None, "events": None, "nodes": True}
    for path in ("search", "tail", "download", "ingest"):
        for headers, status in (
            ({}, 401),
            ({"Authorization": f"Bearer {token}"}, 403),
            ({"Authorization": "Bearer x"}, 401),
        ):
            request = urllib.request.Request(f"{store}/{path}", json.dumps({"scope": scope}).encode(), headers)
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(request, timeout=20)
            assert refused.value.code == status, (path, headers)

"""`kubectl top` and an autoscaler on a running cluster, as root (cgroups) and as an ordinary user (/proc)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.cluster import Cluster

pytestmark = [pytest.mark.serial, pytest.mark.timeout(400)]
ENVIRONMENT = {"BINNACLE_AUTOSCALER_PERIOD": "3", "BINNACLE_METRICS_RESOLUTION": "3"}
SPIN = 'while [ ! -e "$0" ]; do :; done; exec sleep 1000'


def deployment(name: str, folder: Path) -> str:
    """Works at full speed until the file `stop` appears in a folder of the machine."""
    container = {
        "name": "spin",
        "image": "host",
        "command": ["sh", "-c", SPIN, "/machine/stop"],
        "volumeMounts": [{"name": "machine", "mountPath": "/machine", "readOnly": True}],
        "resources": {"requests": {"cpu": "100m"}, "limits": {"cpu": "300m"}},
    }
    labels = {"app": name}
    return json.dumps(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name},
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {
                        "terminationGracePeriodSeconds": 0,
                        "containers": [container],
                        "volumes": [{"name": "machine", "hostPath": {"path": str(folder)}}],
                    },
                },
            },
        }
    )


def load_folder(cluster: Cluster) -> Path:
    folder = cluster.folder / "load"
    folder.mkdir(exist_ok=True)
    return folder


def autoscaler(name: str) -> str:
    target = {
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}},
    }
    return json.dumps(
        {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": name},
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
                "minReplicas": 1,
                "maxReplicas": 2,
                "behavior": {"scaleDown": {"stabilizationWindowSeconds": 0}},
                "metrics": [target],
            },
        }
    )


def test_top_and_the_pages_of_the_kubelet(cluster: Cluster) -> None:
    cluster.kubectl("apply", "-f", "-", stdin=deployment("spin", load_folder(cluster)))
    lines = cluster.until(
        lambda: cluster.kubectl("top", "pods", "-l", "app=spin", "--containers", "--no-headers").split(),
        lambda words: len(words) == 4 and int(words[2].removesuffix("m")) > 50,
        timeout=45,
        what="kubectl top shows the CPU of the pod",
    )
    assert lines[1] == "spin" and lines[3].endswith("Mi")
    node = cluster.kubectl("top", "nodes", "--no-headers").split()
    assert node[1].endswith("m") and node[2].endswith("%") and node[3].endswith("Mi")
    everything = cluster.kubectl("top", "pods", "-A", "--sum")
    assert "kube-system" in everything and "spin-" in everything
    proxy = f"/api/v1/nodes/{node[0]}/proxy"
    for page, wanted in (
        ("metrics/cadvisor", "container_memory_working_set_bytes"),
        ("metrics", "kubelet_running_pods"),
        ("metrics/resource", "pod_cpu_usage_seconds"),
    ):
        found = text_string_to_metric_families(cluster.kubectl("get", "--raw", f"{proxy}/{page}"))
        assert wanted in {family.name for family in found}
    summary = json.loads(cluster.kubectl("get", "--raw", f"{proxy}/stats/summary"))
    assert any(pod["podRef"]["name"].startswith("spin-") for pod in summary["pods"])


def test_an_autoscaler_follows_the_load(cluster: Cluster) -> None:
    cluster.kubectl("apply", "-f", "-", stdin=autoscaler("spin"))

    def replicas() -> str:
        return cluster.path("deployment", "spin", "{.spec.replicas}")

    cluster.until(replicas, lambda n: n == "2", timeout=45, what="scaling up")
    (load_folder(cluster) / "stop").touch()
    cluster.until(replicas, lambda n: n == "1", timeout=60, what="scaling down")
    reasons = cluster.kubectl("get", "events", "--field-selector", "reason=SuccessfulRescale")
    assert "above target" in reasons and "below target" in reasons

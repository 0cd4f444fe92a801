"""The story of a newcomer, step by step, on one cluster: the tests build upon each other in their order."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar
from typing import Any

import pytest

from tests.e2e import machine
from tests.e2e.cluster import Cluster
from tests.ports import free_port

pytestmark = [pytest.mark.serial, pytest.mark.timeout(400)]
GUESTBOOK = "examples/guestbook"
# A kubelet renews its lease every 10 s, on a loaded machine a little later: less would call a good node dead.
ENVIRONMENT = {"BINNACLE_NODE_GRACE": "20"}
NODE_PORT = "http://127.0.0.1:30080/"


@contextmanager
def background(cluster: Cluster, *words: str) -> Iterator[list[str]]:
    """kubectl in the background; the lines it has printed so far."""
    lines: list[str] = []
    process = subprocess.Popen(
        ["kubectl", *words],
        text=True,
        env=cluster.kubectl_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdout is not None
    reader = threading.Thread(target=lambda: lines.extend(iter(process.stdout.readline, "")), daemon=True)
    reader.start()
    try:
        yield lines
    finally:
        process.terminate()
        process.wait(10)
        reader.join(10)
        process.stdout.close()


def sign(cluster: Cluster, url: str, entry: str) -> str:
    """Sign the guestbook; the page that follows."""
    return cluster.fetch(url, urllib.parse.urlencode({"entry": entry}).encode())


def rows(table: str) -> list[list[str]]:
    return [re.split(r"\s{2,}", line.strip()) for line in table.splitlines()[1:]]


def test_the_node_is_ready_and_the_addons_run(cluster: Cluster) -> None:
    assert "kubectl" in cluster.started and "Login token" in cluster.started
    [node] = cluster.get("nodes")["items"]
    ready = {c["type"]: c["status"] for c in node["status"]["conditions"]}
    assert ready["Ready"] == "True" and int(node["status"]["capacity"]["pods"]) == 110
    cluster.until(
        lambda: cluster.kubectl("-n", "kube-system", "rollout", "status", "deployment/dashboard", "--timeout=120s"),
        what="the dashboard runs",
    )
    table = cluster.kubectl("get", "nodes,pods", "-A")
    assert re.search(r"^node/\S+ +Ready +\S+ +\S+ +v1\.\d+\.\d+$", table, re.M), table
    assert re.search(r"^kube-system +pod/dashboard-\S+ +1/1 +Running +0 ", table, re.M), table


def test_the_dashboard_lets_in_who_has_the_token(cluster: Cluster) -> None:
    url = re.search(r"Dashboard +(\S+)", cluster.started)[1]  # type: ignore[index]
    token = re.search(r"Login token +(\S+)", cluster.started)[1]  # type: ignore[index]
    jar = CookieJar()
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    form = browser.open(url, timeout=10).read().decode()
    hidden = re.search(r'name="ticket" value="([^"]+)"', form)
    assert hidden and "frontend" not in form, form[:2000]
    data = urllib.parse.urlencode({"token": token, "ticket": hidden[1]}).encode()
    login = urllib.request.Request(urllib.parse.urljoin(url, "login"), data, {"Referer": url})
    with browser.open(login, timeout=10) as page:
        assert page.status == 200 and "/login" not in page.url, page.url
        assert "script" in page.read().decode()
    with pytest.raises(urllib.error.HTTPError) as refused:  # a token lets in once
        browser.open(urllib.request.Request(urllib.parse.urljoin(url, "login"), data, {"Referer": url}), timeout=10)
    assert refused.value.code in (401, 403)


def test_the_guestbook_comes_up(cluster: Cluster) -> None:
    created = cluster.kubectl("apply", "-f", GUESTBOOK)
    assert "deployment.apps/frontend created" in created and "cronjob.batch/visitor created" in created
    status = cluster.kubectl("rollout", "status", "deployment/frontend", "--timeout=120s")
    assert 'deployment "frontend" successfully rolled out' in status
    cluster.kubectl("rollout", "status", "statefulset/redis", "--timeout=120s")
    cluster.kubectl("wait", "--for=condition=complete", "job/seed", "--timeout=120s")
    assert cluster.kubectl("get", "deployment", "frontend", "--no-headers").split()[1:4] == ["3/3", "3", "3"]
    assert "seeded: Joshua Slocum, 1895" in cluster.kubectl("logs", "job/seed", "--prefix")
    assert "unchanged" in cluster.kubectl("apply", "-f", GUESTBOOK)


def test_the_page_answers_everywhere(cluster: Cluster) -> None:
    address = cluster.path("service/frontend", "{.spec.clusterIP}")
    for url in (NODE_PORT, f"http://{address}:8000/"):
        page = cluster.until(lambda url=url: cluster.fetch(url), what=f"{url} answers")
        assert "Ship&#x27;s guestbook" in page and "Joshua Slocum, 1895" in page and "Welcome aboard" in page
    served = {re.search("served by ([^<]+)", cluster.fetch(NODE_PORT))[1] for _ in range(40)}  # type: ignore[index]
    assert len(served) == 3, f"the service does not spread over its pods: {served}"


def test_the_page_answers_through_the_api(cluster: Cluster) -> None:
    path = "/api/v1/namespaces/default/services/frontend:http/proxy/"
    assert "Joshua Slocum, 1895" in cluster.kubectl("get", "--raw", path)
    port = free_port()
    with background(cluster, "proxy", f"--port={port}") as lines:
        cluster.until(lambda: lines, what="kubectl proxy starts")
        page = cluster.fetch(f"http://127.0.0.1:{port}{path}")
        assert "Joshua Slocum, 1895" in page
        dashboard = cluster.fetch(
            f"http://127.0.0.1:{port}/api/v1/namespaces/kube-system/services/dashboard/proxy/healthz"
        )
        assert dashboard


def test_an_entry_appears_and_its_log_line_follows(cluster: Cluster) -> None:
    with background(cluster, "logs", "-f", "deployment/frontend", "--all-pods=true", "--tail=1") as lines:
        cluster.until(lambda: len(lines) >= 3, what="logs -f begins to print")
        page = sign(cluster, NODE_PORT, "Ellen MacArthur, 2005")
        assert "Ellen MacArthur, 2005" in page
        cluster.until(
            lambda: "".join(lines),
            lambda seen: "entry: Ellen MacArthur, 2005" in seen,
            timeout=10,
            what="the line of the log",
        )


def test_a_job_is_made_from_the_cron_job(cluster: Cluster) -> None:
    assert "created" in cluster.kubectl("create", "job", "first-visit", "--from=cronjob/visitor")
    cluster.kubectl("wait", "--for=condition=complete", "job/first-visit", "--timeout=120s")
    assert "signed: A visitor at" in cluster.kubectl("logs", "job/first-visit")
    assert "A visitor at" in cluster.fetch(NODE_PORT)
    assert cluster.path("job/first-visit", "{.metadata.ownerReferences[0].kind}") == "CronJob"


def test_a_change_of_the_config_map_reaches_the_file(cluster: Cluster) -> None:
    pod = cluster.path("pods", "-l", "tier=frontend", "{.items[0].metadata.name}")
    patch = json.dumps({"data": {"greeting.txt": "Mind the boom.\n"}})
    cluster.kubectl("patch", "configmap", "guestbook", "-p", patch)
    read = ("exec", pod, "--", "sh", "-c", 'cat "$BINNACLE_POD_ROOT/etc/guestbook/greeting.txt"')
    cluster.until(
        lambda: cluster.kubectl(*read),
        lambda text: text == "Mind the boom.\n",
        timeout=70,
        what="the new text in the mounted file",
    )
    assert cluster.path("pod", pod, "{.status.containerStatuses[0].restartCount}") == "0", "the container went on"


def test_exec_passes_on_input_and_exit_status(cluster: Cluster) -> None:
    assert cluster.kubectl("exec", "-i", "redis-0", "--", "cat", stdin="ahoy\n") == "ahoy\n"
    done = cluster.run("exec", "redis-0", "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.returncode, done.stdout) == (7, "out\n") and done.stderr.startswith("err\n"), done


def test_scale_out_and_in(cluster: Cluster) -> None:
    for count in (5, 2, 3):
        assert cluster.kubectl("scale", "deployment/frontend", f"--replicas={count}").strip().endswith("scaled")
        cluster.kubectl("rollout", "status", "deployment/frontend", "--timeout=120s")
        cluster.until(
            lambda: cluster.get("pods", "-l", "tier=frontend")["items"],
            lambda pods, n=count: len(pods) == n,
            what=f"{count} pods",
        )
    ready = cluster.path(
        "endpointslices",
        "-l",
        "kubernetes.io/service-name=frontend",
        "{.items[*].endpoints[?(@.conditions.ready==true)].addresses[0]}",
    )
    assert len(ready.split()) == 3, ready


def test_a_bad_image_and_back(cluster: Cluster) -> None:
    cluster.kubectl("set", "image", "deployment/frontend", "web=nowhere.invalid/no:1")
    waiting = cluster.until(
        lambda: cluster.path(
            "pods", "-l", "tier=frontend", "{.items[*].status.containerStatuses[*].state.waiting.reason}"
        ),
        lambda text: "ErrImagePull" in text or "ImagePullBackOff" in text,
        what="the image cannot be pulled",
    )
    assert waiting
    assert cluster.run("rollout", "status", "deployment/frontend", "--timeout=1s").returncode != 0
    # Four may there be of three, and none of those that work may go.
    available = cluster.path("deployment/frontend", "{.status.availableReplicas}")
    assert available == "3" and "Joshua Slocum" in cluster.fetch(NODE_PORT)
    assert "rolled back" in cluster.kubectl("rollout", "undo", "deployment/frontend")
    cluster.kubectl("rollout", "status", "deployment/frontend", "--timeout=120s")
    assert cluster.path("deployment/frontend", "{.spec.template.spec.containers[0].image}") == "host"
    assert len(rows(cluster.kubectl("rollout", "history", "deployment/frontend"))) >= 3


def test_edit_patch_label_annotate(cluster: Cluster) -> None:
    edited = cluster.kubectl("edit", "configmap", "guestbook", KUBE_EDITOR="sed -i s/Ship.s.guestbook/Log/")
    assert "configmap/guestbook edited" in edited
    assert cluster.path("configmap/guestbook", "{.data.TITLE}") == "Log"
    for kind in ("strategic", "merge"):
        body = json.dumps({"metadata": {"labels": {"by": kind}}})
        cluster.kubectl("patch", "service", "frontend", "--type", kind, "-p", body)
        assert cluster.path("service/frontend", "{.metadata.labels.by}") == kind
    cluster.kubectl(
        "patch", "service", "frontend", "--type=json", "-p", '[{"op": "remove", "path": "/metadata/labels/by"}]'
    )
    cluster.kubectl("label", "pods", "-l", "tier=frontend", "watch=starboard")
    assert len(rows(cluster.kubectl("get", "pods", "-l", "watch=starboard"))) == 3
    cluster.kubectl("annotate", "service", "frontend", "note=hello")
    assert cluster.path("service/frontend", "{.metadata.annotations.note}") == "hello"
    refused = cluster.run("patch", "deployment", "frontend", "-p", '{"spec": {"replicas": "many"}}')
    assert refused.returncode == 1 and "replicas" in refused.stderr, refused


def test_what_kubectl_tells(cluster: Cluster) -> None:
    assert "Scaled up replica set" in cluster.kubectl("events")
    names = cluster.kubectl("api-resources", "-o", "name").split()
    assert {"pods", "deployments.apps", "cronjobs.batch", "networkpolicies.networking.k8s.io"} <= set(names)
    assert "GROUP:      apps" in cluster.kubectl("explain", "deployment.spec.strategy")
    described = cluster.kubectl("describe", "deployment", "frontend")
    assert "3 desired | 3 updated | 3 total | 3 available | 0 unavailable" in described and "NewReplicaSet" in described
    assert "Liveness:" in cluster.kubectl("describe", "pod", "-l", "tier=frontend")
    assert "Allocated resources" in cluster.kubectl("describe", "nodes")
    cluster.kubectl("wait", "--for=condition=Available", "deployment/frontend", "--timeout=60s")
    assert cluster.kubectl("auth", "can-i", "delete", "pods").strip() == "yes"


def test_a_silent_node_loses_its_pods(cluster: Cluster) -> None:
    command = [sys.executable, "-m", "kubelet.simulate", "--kubeconfig", f"{cluster.var}/kubeconfig", "--nodes", "1"]
    with simulator(cluster, command):
        cluster.until(lambda: cluster.kubectl("wait", "--for=condition=Ready", "node/sim-0", "--timeout=120s"))
        cluster.kubectl("create", "-f", "-", stdin=json.dumps(crew()))
        cluster.until(
            lambda: pods_on(cluster, "sim-0"), lambda pods: len(pods) == 2, what="both pods on the second node"
        )
        addons_stay_where_they_run(cluster)
    # It is dead now and says nothing more.
    cluster.kubectl("wait", "--for=condition=Ready=Unknown", "node/sim-0", "--timeout=120s")
    assert "NotReady" in cluster.kubectl("get", "node", "sim-0")
    taints = cluster.path("node/sim-0", "{.spec.taints[*].key}")
    assert "node.kubernetes.io/unreachable" in taints, taints
    others = cluster.until(
        lambda: [
            pod
            for pod in cluster.get("pods", "-l", "app=crew")["items"]
            if pod["spec"].get("nodeName") != "sim-0" and is_ready(pod)
        ],
        lambda pods: len(pods) == 2,
        timeout=40,
        what="both pods replaced on the other node",
    )
    assert {pod["spec"]["nodeName"] for pod in others}
    cluster.kubectl("delete", "deployment", "crew")
    # Nobody is left to end the pods of the dead node: they stay until they are forced, or their node is removed.
    assert "Terminating" in cluster.kubectl("get", "pods", "-l", "app=crew")
    cluster.kubectl("delete", "pods", "-l", "app=crew", "--force", "--grace-period=0")
    cluster.kubectl("delete", "node", "sim-0")
    cluster.until(
        lambda: cluster.get("pods", "-l", "app=crew")["items"], lambda pods: not pods, what="no pod of it is left"
    )


def addons_stay_where_they_run(cluster: Cluster) -> None:
    """With only a simulated node to be had, a new pod of an addon waits."""
    here = cluster.path("nodes", "-l", "node.binnacle/runtime=process", "{.items[0].metadata.name}")
    system = ("-n", "kube-system")
    cluster.kubectl("cordon", here)
    cluster.kubectl(*system, "rollout", "restart", "deployment/kube-dns")
    refusal = "didn't match Pod's node affinity/selector"
    waiting = cluster.until(
        lambda: cluster.get(*system, "pods", "-l", "k8s-app=kube-dns")["items"],
        lambda pods: any(refusal in str(pod["status"]) for pod in pods),
        what="the new pod of the DNS addon finds no node",
    )
    assert "sim-0" not in [pod["spec"].get("nodeName") for pod in waiting]
    cluster.kubectl("uncordon", here)
    cluster.kubectl(*system, "rollout", "status", "deployment/kube-dns", "--timeout=120s")


@contextmanager
def simulator(cluster: Cluster, command: list[str]) -> Iterator[None]:
    """A node agent that plays a node, and dies without a word."""
    process = subprocess.Popen(
        command,
        cwd=machine.ROOT,
        env=cluster.kubectl_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.kill()
        process.wait(10)


def crew() -> dict[str, Any]:
    """A Deployment that prefers the simulated node and does not wait long for it."""
    away = [
        {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 1}
        for key in ("unreachable", "not-ready")
    ]
    prefers = {
        "nodeAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {
                    "weight": 100,
                    "preference": {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["sim-0"]}]},
                }
            ]
        }
    }
    spec = {
        "containers": [{"name": "sleep", "image": "host", "command": ["sleep", "1000"]}],
        "tolerations": away,
        "affinity": prefers,
        "terminationGracePeriodSeconds": 1,
    }
    labels = {"app": "crew"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "crew"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


def pods_on(cluster: Cluster, node: str) -> list[Any]:
    return [pod for pod in cluster.get("pods", "--field-selector", f"spec.nodeName={node}")["items"] if is_ready(pod)]


def is_ready(pod: Any) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", []))


def test_everything_goes(cluster: Cluster) -> None:
    deleted = cluster.kubectl("delete", "-f", GUESTBOOK, "--timeout=120s")
    assert 'deployment.apps "frontend" deleted' in deleted
    cluster.until(
        lambda: cluster.run("get", "all,configmaps,secrets,jobs", "-l", "app=guestbook"),
        lambda done: "No resources found" in done.stderr,
        timeout=40,
        what="everything of the guestbook is gone",
    )
    cluster.until(lambda: cluster.get("pods")["items"], lambda pods: not pods, timeout=30, what="no pod is left")
    with pytest.raises((OSError, urllib.error.URLError)):
        cluster.fetch(NODE_PORT, timeout=2)

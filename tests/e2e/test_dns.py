"""The DNS addon in a running cluster: pods find services by name; an ordinary user's cluster answers on a high port."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dnslib
import pytest

from tests.e2e.cluster import Cluster

pytestmark = [pytest.mark.serial, pytest.mark.timeout(400)]
# Within a pod: what the C library resolves.
RESOLVE = """
import json, socket, sys
def resolve(name):
    try:
        return sorted({a[4][0] for a in socket.getaddrinfo(name, None, socket.AF_INET)})
    except socket.gaierror as error:
        return error.args[0] == socket.EAI_NONAME and "unknown" or str(error)
print(json.dumps({name: resolve(name) for name in sys.argv[1:]}))
"""


@pytest.fixture(scope="module")
def running(cluster: Cluster) -> Iterator[Cluster]:
    """The cluster with the guestbook, its DNS server ready."""
    cluster.kubectl("apply", "-f", "examples/guestbook")
    cluster.kubectl("-n", "kube-system", "rollout", "status", "deployment/kube-dns", "--timeout=120s")
    cluster.kubectl("rollout", "status", "deployment/frontend", "--timeout=120s")
    yield cluster


def ask(cluster: Cluster, name: str, kind: str = "A") -> dnslib.DNSRecord:
    """Asks at the address of the service."""
    service = cluster.get("service", "kube-dns", "-n", "kube-system")["spec"]
    query = dnslib.DNSRecord.question(name, kind)
    return dnslib.DNSRecord.parse(query.send(service["clusterIP"], service["ports"][0]["port"], timeout=60))


def test_services_have_names(running: Cluster) -> None:
    address = running.path("service", "frontend", "{.spec.clusterIP}")
    answer = running.until(
        lambda: ask(running, "frontend.default.svc.cluster.local"), lambda a: a.rr, what="the service has a name"
    )
    assert [str(r.rdata) for r in answer.rr] == [address]
    srv = ask(running, "_redis._tcp.redis.default.svc.cluster.local", "SRV")
    assert [str(r.rdata) for r in srv.rr] == ["0 100 6379 redis.default.svc.cluster.local."]
    missing = ask(running, "nosuch.default.svc.cluster.local").header
    assert missing.rcode == dnslib.RCODE.NXDOMAIN and missing.aa, "the cluster's zone says so, no upstream server"


def test_an_answer_follows_the_endpoints(running: Cluster) -> None:
    name = "frontend-pods.default.svc.cluster.local"
    selector = running.path("service", "frontend", "{.spec.selector}")
    running.kubectl(
        "apply",
        "-f",
        "-",
        stdin=json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": "frontend-pods"},
                "spec": {
                    "clusterIP": "None",
                    "selector": json.loads(selector),
                    "ports": [{"name": "http", "port": 8080}],
                },
            }
        ),
    )
    pods = running.until(lambda: addresses(running), what="the service has endpoints")
    running.until(
        lambda: sorted(str(r.rdata) for r in ask(running, name).rr),
        lambda found: found == pods,
        what="the answer is the pods",
    )
    running.kubectl(
        "delete", "pod", "-l", ",".join(f"{k}={v}" for k, v in json.loads(selector).items()), "--wait=false"
    )
    # Between the old pods and the new ones both sides may be empty for a moment, which is no answer to wait for.
    answer, there = running.until(
        lambda: (sorted(str(r.rdata) for r in ask(running, name).rr), addresses(running)),
        lambda pair: pair[0] == pair[1] and set(pair[0]) - set(pods),
        what="new pods are in the answer, and nothing else than the endpoints",
    )
    assert answer == there


def addresses(cluster: Cluster) -> list[str]:
    slices = cluster.get("endpointslices", "-l", "kubernetes.io/service-name=frontend-pods")["items"]
    return sorted(
        a
        for piece in slices
        for e in piece.get("endpoints") or ()
        if e["conditions"].get("ready")
        for a in e["addresses"]
    )


def nameservers(text: str) -> list[str]:
    return [line.split()[1] for line in text.splitlines() if line.startswith("nameserver")]


def test_a_pod_resolves_names(running: Cluster) -> None:
    running.kubectl("run", "asker", "--image=host", "--restart=Never", "--command", "--", "sleep", "1000")
    running.kubectl("wait", "pod/asker", "--for=condition=Ready", "--timeout=120s")
    if running.ordinary:
        # A resolv.conf cannot name a port, and an ordinary user may not listen on 53: the machine's resolver serves.
        text = running.kubectl("exec", "asker", "--", "cat", "/etc/resolv.conf")
        assert nameservers(text) == nameservers(Path("/etc/resolv.conf").read_text())
        return
    address = running.path("service", "frontend", "{.spec.clusterIP}")
    names = ["frontend.default.svc.cluster.local", "frontend", "frontend.default", "nosuch.default.svc.cluster.local."]
    found: dict[str, Any] = json.loads(running.kubectl("exec", "asker", "--", sys.executable, "-c", RESOLVE, *names))
    assert [found[name] for name in names] == [[address]] * 3 + ["unknown"]
    text = running.kubectl("exec", "asker", "--", "cat", "/etc/resolv.conf")
    assert "search default.svc.cluster.local svc.cluster.local cluster.local" in text and "ndots:5" in text


def test_configuration_by_kubectl_is_taken_without_a_restart(running: Cluster) -> None:
    pod = running.path("pods", "-n", "kube-system", "-l", "k8s-app=kube-dns", "{.items[0].metadata.name}")
    running.kubectl("patch", "configmap", "addon-dns", "-n", "kube-system", "-p", '{"data": {"ttl": "17"}}')
    running.until(
        lambda: ask(running, "kubernetes.default.svc.cluster.local").rr[0].ttl,
        lambda ttl: ttl == 17,
        timeout=90,
        what="the new lifetime is served",
    )
    assert running.path("pods", "-n", "kube-system", "-l", "k8s-app=kube-dns", "{.items[*].metadata.name}") == pod


def test_names_of_pods_can_be_verified(running: Cluster) -> None:
    address = running.path("pods", "-n", "kube-system", "-l", "k8s-app=kube-dns", "{.items[0].status.podIP}")
    zone = "kube-system.pod.cluster.local"
    assert ask(running, f"192-0-2-1.{zone}").rr, "any address is answered"
    running.kubectl(
        "patch", "configmap", "addon-dns", "-n", "kube-system", "-p", '{"data": {"pod_records": "verified"}}'
    )
    running.until(
        lambda: ask(running, f"192-0-2-1.{zone}").header.rcode,
        lambda code: code == dnslib.RCODE.NXDOMAIN,
        timeout=90,
        what="an address that no pod has is not answered",
    )
    assert [str(r.rdata) for r in ask(running, f"{address.replace('.', '-')}.{zone}").rr] == [address]
    assert ask(running, f"{address.replace('.', '-')}.default.pod.cluster.local").header.rcode == dnslib.RCODE.NXDOMAIN

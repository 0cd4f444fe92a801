"""Which pods a node takes that are bound to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kube.objects import Json
from kube.pods import sysctls
from kubelet.admission import Refusal, refuse
from kubelet.shim import pod as shim
from kubelet.shim.probe import with_namespaces, works
from tests.kubelet.fakeapi import pod
from tests.kubelet.test_worker import World, play

NODE: Json = {
    "metadata": {"name": "n1", "labels": {"disk": "ssd"}},
    "spec": {},
    "status": {"allocatable": {"cpu": "2", "memory": "1Gi", "pods": "3", "example.com/slot": "1"}},
}


def asking(cpu: str = "", port: int = 0, address: str = "", **more: Any) -> Json:
    amounts = {**({"cpu": cpu} if cpu else {}), **more.pop("requests", {})}
    ports = [{"containerPort": 80, "hostPort": port, "hostIP": address, "protocol": "TCP"}] if port else []
    return pod("a", {"name": "c", "resources": {"requests": amounts}, "ports": ports}, **more)


def reason(wanted: Json, *others: Json, node: Json = NODE, shared: bool = False) -> str:
    found = refuse(wanted, node, others, shared)
    return found.reason if found else ""


@pytest.mark.parametrize(
    ("wanted", "others", "expected"),
    [
        (asking("2"), [], ""),
        (asking("1500m"), [asking("600m")], "OutOfcpu"),
        (asking(requests={"memory": "2Gi"}), [], "OutOfmemory"),
        (
            asking(requests={"example.com/slot": "1"}),
            [asking(requests={"example.com/slot": "1"})],
            "OutOfexample.com/slot",
        ),
        (asking(requests={"example.com/unknown": "1"}), [], ""),
        (asking(), [asking()] * 3, "OutOfpods"),
        (asking(port=80), [asking(port=80)], "NodePorts"),
        (asking(port=80, address="10.0.0.1"), [asking(port=80)], "NodePorts"),
        (asking(port=80, address="10.0.0.1"), [asking(port=80, address="10.0.0.2")], ""),
        (asking(nodeSelector={"disk": "hdd"}), [], "NodeAffinity"),
        (asking(node="n2"), [], "NodeName"),
        (asking(os={"name": "windows"}), [], "PodOSNotSupported"),
    ],
)
def test_what_the_node_has_no_room_or_no_place_for(wanted: Json, others: list[Json], expected: str) -> None:
    assert reason(wanted, *others) == expected


def test_what_is_told() -> None:
    message = "Node didn't have enough resource: cpu, requested: 1500, used: 600, capacity: 2000"
    assert refuse(asking("1500m"), NODE, [asking("600m")]) == Refusal("OutOfcpu", message)


def test_only_taints_that_end_pods_count() -> None:
    def tainted(effect: str) -> Json:
        return {**NODE, "spec": {"taints": [{"key": "k", "effect": effect}]}}

    tolerant = asking(tolerations=[{"key": "k", "operator": "Exists"}])
    assert reason(asking(), node=tainted("NoSchedule")) == ""
    assert reason(asking(), node=tainted("NoExecute")) == "TaintToleration"
    assert reason(tolerant, node=tainted("NoExecute")) == ""


@pytest.mark.parametrize(
    ("name", "more", "message"),
    [
        ("net.ipv4.tcp_syncookies", {}, ""),
        ("net/ipv4/tcp_syncookies", {}, ""),
        ("kernel.msgmax", {}, '"kernel.msgmax" not allowlisted'),
        (
            "net.ipv4.tcp_syncookies",
            {"hostNetwork": True},
            '"net.ipv4.tcp_syncookies" not allowed with host net enabled',
        ),
        ("kernel.shm_rmid_forced", {"hostIPC": True}, '"kernel.shm_rmid_forced" not allowed with host ipc enabled'),
        ("kernel.shm_rmid_forced", {"hostNetwork": True}, ""),
    ],
)
def test_kernel_parameters(name: str, more: Json, message: str) -> None:
    wanted = asking(securityContext={"sysctls": [{"name": name, "value": "1"}]}, **more)
    found = refuse(wanted, NODE, [])
    assert found == (Refusal("SysctlForbidden", f"forbidden sysctl: {message}") if message else None)


def test_where_pods_share_the_network_its_parameters_are_the_machines() -> None:
    wanted = asking(securityContext={"sysctls": [{"name": "net.ipv4.tcp_syncookies", "value": "1"}]})
    assert reason(wanted, shared=True) == "SysctlForbidden"


def test_names_of_kernel_parameters() -> None:
    for good in ("net.ipv4.tcp_syncookies", "net/ipv4/conf/eth0.100/forwarding", "kernel.shm_rmid_forced"):
        assert sysctls.is_name(good)
    for bad in ("", "net..a", "Net.a", "net.a.", "../../etc/passwd", "/net", "a\n", "x" * 254):
        assert not sysctls.is_name(bad), bad
    assert sysctls.dotted("net/ipv4/conf/eth0.100/forwarding") == "net.ipv4.conf.eth0/100.forwarding"
    assert sysctls.file_of("net.ipv4.conf.eth0/100.forwarding") == "net/ipv4/conf/eth0.100/forwarding"


@pytest.mark.skipif(not with_namespaces("network", "ipc"), reason="no namespaces to be made here")
def test_parameters_are_set_in_the_pods_namespaces_alone() -> None:
    file = "net/ipv4/ip_unprivileged_port_start"
    before = Path("/proc/sys", file).read_text()

    def inside(namespaces: list[str]) -> None:
        shim.enter_namespaces({"namespaces": namespaces, "sysctls": {file: ("net", "81")}})
        assert Path("/proc/sys", file).read_text() == "81\n"

    assert works(lambda: inside(["network", "ipc"])) and not works(lambda: inside(["ipc"]))
    assert Path("/proc/sys", file).read_text() == before


def test_what_is_refused_fails_and_says_why(tmp_path: Path) -> None:
    async def story(w: World) -> None:
        w.api.put("pods", pod("first", {"name": "c", "ports": [{"hostPort": 80, "containerPort": 80}]}))
        await w.until(lambda: w.status("first")["phase"] == "Running")
        w.api.put("pods", pod("second", {"name": "c", "ports": [{"hostPort": 80, "containerPort": 80}]}))
        w.api.put("pods", pod("choosy", {"name": "c"}, nodeSelector={"disk": "ssd"}))
        await w.until(lambda: w.status("second")["phase"] == "Failed" and w.status("choosy")["phase"] == "Failed")
        text = "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports"
        assert (w.status("second")["reason"], w.status("second")["message"]) == (
            "NodePorts",
            f"Pod was rejected: {text}",
        )
        assert w.status("choosy")["reason"] == "NodeAffinity"

    play(tmp_path, story)


def test_an_outdated_label_refuses_nothing(tmp_path: Path) -> None:
    async def story(w: World) -> None:
        await w.until(lambda: w.api.get("nodes", "n1", ""))
        node = w.api.get("nodes", "n1", "")
        w.api.put("nodes", {**node, "metadata": {**node["metadata"], "labels": {"disk": "ssd"}}})
        w.api.put("pods", pod("choosy", {"name": "c"}, nodeSelector={"disk": "ssd"}))
        await w.until(lambda: w.status("choosy")["phase"] == "Running")

    play(tmp_path, story)

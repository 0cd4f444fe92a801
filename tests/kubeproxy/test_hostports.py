"""Pods in, host ports out."""

from __future__ import annotations

from typing import Any

import pytest

from kubeproxy.hostports import host_ports, keep
from kubeproxy.nftables import desired
from kubeproxy.rules import Endpoint


def pod(ip: str = "10.244.0.3", phase: str = "Running", spec: Any = None, **port: Any) -> dict[str, Any]:
    ports = [{"containerPort": 8080, **port}, {"containerPort": 9090}]
    return {
        "metadata": {"namespace": "web", "name": "front", "uid": "u", "resourceVersion": "1", "labels": {}},
        "spec": {"containers": [{"name": "c", "ports": ports}], **(spec or {})},
        "status": {"podIP": ip, "phase": phase},
    }


def test_a_host_port_leads_to_its_pod() -> None:
    [port] = host_ports([keep(pod(hostPort=80))])
    assert (port.node_port, port.protocol, port.external) == (80, "TCP", (Endpoint("10.244.0.3", 8080, True),))
    assert "tcp . 80" in desired([port], "10.244.0.0/16").elements["node-ports"]


def test_a_host_address_narrows_it() -> None:
    [port] = host_ports([keep(pod(hostPort=53, hostIP="192.0.2.1", protocol="UDP"))])
    assert port.node_port == 0
    assert list(desired([port], "10.244.0.0/16").elements["service-ips"]) == ["192.0.2.1 . udp . 53"]


@pytest.mark.parametrize(
    "without",
    [
        pod(),
        pod("", hostPort=80),
        pod(phase="Succeeded", hostPort=80),
        pod(hostPort=80, spec={"hostNetwork": True}),
        pod("127.244.0.3", hostPort=8080),
    ],
)
def test_pods_that_need_none(without: dict[str, Any]) -> None:
    assert host_ports([keep(without)]) == []


def test_pods_that_share_the_machine_s_network_are_reached_by_another_port() -> None:
    [port] = host_ports([keep(pod("127.244.0.3", hostPort=8081))])
    assert port.external == (Endpoint("127.244.0.3", 8080, True),)

"""What is sent to the kernel, and that the kernel forwards accordingly (in a network namespace of its own)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kubeproxy.nftables import State, desired, transaction
from kubeproxy.rules import Endpoint, ServicePort
from tests.prepare import needs

ROOT = Path(__file__).resolve().parents[2]


def port(*ips: str, number: int = 80, affinity: int = 0, node_port: int = 0) -> ServicePort:
    endpoints = tuple(Endpoint(ip, 8080) for ip in ips)
    return ServicePort("web/front:http", "TCP", number, ("10.96.0.7",), (), node_port, affinity, endpoints, endpoints)


def test_nothing_is_sent_when_nothing_changed() -> None:
    first, second = (desired([port("10.244.0.3", "10.244.0.4")], "10.244.0.0/16") for _ in range(2))
    assert transaction("t", State(), first)
    assert transaction("t", first, second) == ""


def test_a_new_endpoint_touches_its_own_service_only() -> None:
    other = ServicePort("web/other:http", "TCP", 80, ("10.96.0.8",), (), 0, 0, (Endpoint("10.244.0.9", 1),), ())
    before = desired([port("10.244.0.3"), other], "10.244.0.0/16")
    after = desired([port("10.244.0.3", "10.244.0.4"), other], "10.244.0.0/16")
    commands = transaction("t", before, after)
    assert "10.244.0.4:8080" in commands
    assert "10.244.0.9" not in commands and "10.96.0.8" not in commands


def test_a_service_without_endpoints_is_rejected() -> None:
    state = desired([port()], "10.244.0.0/16")
    assert state.elements["no-endpoint-ips"] == {"10.96.0.7 . tcp . 80": "goto reject-packet"}
    assert state.elements["service-ips"] == {}


def test_what_a_removed_service_left_is_deleted() -> None:
    commands = transaction("t", desired([port("10.244.0.3", affinity=60)], "10.244.0.0/16"), State()).splitlines()
    flushed = [line.split()[-1] for line in commands if line.startswith("flush chain")]
    deleted = [line.split()[-1] for line in commands if line.startswith("delete chain")]
    assert sorted(flushed) == sorted(deleted) and len(deleted) == 2
    assert commands[-1].startswith("delete set")


@pytest.mark.skipif(os.geteuid() != 0, reason="packet-filter rules need root; the userspace tests run without")
def test_the_kernel_forwards_and_rejects() -> None:
    needs("nft")
    done = subprocess.run(
        ["unshare", "-n", sys.executable, "-m", "tests.kubeproxy.scenario"],
        cwd=ROOT,
        text=True,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["balanced"] == ["a", "b"], "both endpoints serve the cluster IP"
    assert seen["affine"] == 1, "session affinity keeps a client at one endpoint"
    assert seen["without endpoints"] == "ConnectionRefusedError"
    assert seen["after removal"] == "ConnectionRefusedError"
    assert seen["wrong port"] == "ConnectionRefusedError"
    assert seen["node port"] in ("a", "b")
    assert seen["table after close"] is False

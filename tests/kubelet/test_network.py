"""The way between pods: through this machine's rules, whether or not bridged packets are given to them."""

from __future__ import annotations

import asyncio
import ipaddress
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from kubelet.runtimes.process import network


@pytest.mark.parametrize(("bridged", "wanted"), [(True, "isolated off"), (False, "isolated on")])
def test_ports_are_isolated_only_where_bridged_packets_miss_the_rules(
    monkeypatch: pytest.MonkeyPatch, bridged: bool, wanted: str
) -> None:
    said: list[str] = []
    written: dict[str, str] = {}

    async def ip(*commands: str) -> None:
        said.extend(commands)

    monkeypatch.setattr(network, "_ip", ip)
    monkeypatch.setattr(network, "_exists", lambda name: False)
    monkeypatch.setattr(network, "_write_sysctl", written.__setitem__)
    monkeypatch.setattr(network, "_bridged_packets_meet_rules", lambda: bridged)
    pool: Any = SimpleNamespace(gateway="10.1.0.1", network=ipaddress.ip_network("10.1.0.0/24"))
    found = network.Network("/somewhere", pool)
    old = f"v{network.digest('/somewhere', 5)}old"
    monkeypatch.setattr(network.socket, "if_nameindex", lambda: [(1, "lo"), (2, old)])

    async def run() -> None:
        await found.ensure()
        await found.attach("uid-1", 1, "10.1.0.9")

    asyncio.run(run())
    assert any("peer name eth0 address 0a:58:0a:01:00:09 netns 1" in line for line in said)
    ports = [line for line in said if "bridge_slave" in line]
    assert [line.split()[2] for line in ports] == [old, found._veth("uid-1")]
    assert all(wanted in line for line in ports)
    assert written[f"net/ipv4/conf/{found.bridge}/proxy_arp_pvlan"] == ("0" if bridged else "1")


ALONE = """
import asyncio, ipaddress, os, subprocess, sys, time
from types import SimpleNamespace
from kubelet.runtimes.process.network import Network

async def main():
    network = Network("/somewhere", SimpleNamespace(gateway="10.1.0.1", network=ipaddress.ip_network("10.1.0.0/24")))
    pod = subprocess.Popen(["unshare", "-n", "sh", "-c", "echo; exec sleep 60"], stdout=subprocess.PIPE)
    pod.stdout.readline()
    await network.ensure()
    await network.attach("uid-1", pod.pid, "10.1.0.9")
    subprocess.run(["nsenter", "-t", str(pod.pid), "-n", "ip", "link", "set", "eth0", "up"], check=True)
    while "LOWER_UP" not in subprocess.check_output(["ip", "link", "show", network._veth("uid-1")], text=True):
        await asyncio.sleep(0.05)
    subprocess.run(["ip", "-o", "address"], check=True)
    pod.kill()

asyncio.run(main())
"""


def test_no_address_of_this_machine_comes_or_goes_with_a_pod() -> None:
    done = subprocess.run(["unshare", "-rn", sys.executable, "-c", ALONE], text=True, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    addresses = [line.split()[3] for line in done.stdout.splitlines()]
    assert addresses == ["10.1.0.1/24"]

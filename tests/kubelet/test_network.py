"""The way between pods: through this machine's rules, whether or not bridged packets are given to them."""

from __future__ import annotations

import asyncio
import ipaddress
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

"""The pod network of a privileged node: a bridge, and a veth pair for each pod.

Names derive from the kubelet's root directory, so that several clusters live side by side; nothing else is touched.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import shutil
import socket
from ipaddress import IPv4Address
from pathlib import Path

from kubelet.runtimes.process.addresses import AddressPool

log = logging.getLogger("kubelet.network")


def digest(text: str, length: int) -> str:
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()[:length]


class Network:
    """All operations may be repeated."""

    def __init__(self, root_dir: str, pool: AddressPool) -> None:
        self._cluster = digest(root_dir, 5)
        self.bridge = f"bn{digest(root_dir, 8)}"
        self._pool = pool
        self._isolated: bool | None = None

    @staticmethod
    def available() -> bool:
        return shutil.which("ip") is not None

    async def ensure(self) -> None:
        """The bridge with the pods' gateway address (the kernel adds the route), and forwarding."""
        address = f"{self._pool.gateway}/{self._pool.network.prefixlen}"
        if not _exists(self.bridge):
            await _ip(f"link add {self.bridge} type bridge", *_without_addresses(self.bridge))
        await _ip(f"address replace {address} dev {self.bridge}", f"link set {self.bridge} up")
        _write_sysctl("net/ipv4/ip_forward", "1")
        await self._lead_through_stack()

    async def _lead_through_stack(self) -> None:
        """Between pods, too, packets meet this machine's rules: those that rewrote a question have to see the answer.

        Where bridged packets are given to the rules anyhow (br_netfilter), nothing is needed, and isolation would drop
        what they rewrote.  Elsewhere isolated ports keep pods from taking the short way over the bridge, and this
        machine answers ARP for all of them.
        """
        isolated = not _bridged_packets_meet_rules()
        if isolated == self._isolated:
            return
        _write_sysctl(f"net/ipv4/conf/{self.bridge}/proxy_arp_pvlan", "1" if isolated else "0")
        ports = [name for _, name in socket.if_nameindex() if name.startswith(f"v{self._cluster}")]
        self._isolated = isolated
        for port in ports:
            await self._set_port(port)

    async def _set_port(self, name: str) -> None:
        # A pod may reach itself through its service's address: hairpin.
        try:
            await _ip(f"link set {name} type bridge_slave hairpin on isolated {'on' if self._isolated else 'off'}")
        except OSError:
            if _exists(name):  # else its pod ended meanwhile
                raise

    def _veth(self, uid: str) -> str:
        return f"v{self._cluster}{digest(uid, 8)}"

    async def attach(self, uid: str, pid: int, address: str) -> None:
        """Gives the network namespace of process `pid` an interface eth0 on the bridge; its address is set inside."""
        name = self._veth(uid)
        await self.detach(uid)
        await _ip(
            f"link add {name} type veth peer name eth0 address {hardware_address(address)} netns {pid}",
            *_without_addresses(name),
            f"link set {name} master {self.bridge}",
            f"link set {name} up",
        )
        await self._set_port(name)

    async def detach(self, uid: str) -> None:
        if _exists(self._veth(uid)):
            try:
                await _ip(f"link delete {self._veth(uid)}")
            except OSError:
                # It goes by itself, a little after the last process of its namespace.
                if _exists(self._veth(uid)):
                    raise

    @staticmethod
    async def remove(bridge: str) -> None:
        if _exists(bridge):
            await _ip(f"link delete {bridge}")


def hardware_address(address: str) -> str:
    """The same for each pod that ever has an IP address: who remembers it of an earlier pod still reaches the new one.

    Else an address that is soon used again is out of reach for as long as neighbours are remembered, half a minute.
    """
    return ":".join(f"{byte:02x}" for byte in b"\x0a\x58" + IPv4Address(address).packed)


def _without_addresses(interface: str) -> list[str]:
    """No link-local IPv6 address for an interface that needs none.

    With each one that comes or goes the machine's network has changed, for whoever watches it: browsers then drop the
    requests they have under way (ERR_NETWORK_CHANGED), with every pod that starts or ends.
    """
    return [f"link set {interface} addrgenmode none"] if Path("/proc/sys/net/ipv6").exists() else []


def _bridged_packets_meet_rules() -> bool:
    try:
        return Path("/proc/sys/net/bridge/bridge-nf-call-iptables").read_text().strip() == "1"
    except OSError:
        return False  # no br_netfilter


def _exists(interface: str) -> bool:
    # Not /sys/class/net: it shows the network namespace in which /sys was mounted.
    return any(name == interface for _, name in socket.if_nameindex())


async def _ip(*commands: str) -> None:
    process = await asyncio.create_subprocess_exec(
        "ip", "-batch", "-",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, error = await process.communicate("\n".join(commands).encode())
    if process.returncode:
        raise OSError(f"ip {'; '.join(commands)}: {error.decode().strip()}")


def _write_sysctl(name: str, value: str) -> None:
    path = Path("/proc/sys", name)
    try:
        if path.read_text().strip() != value:
            path.write_text(value)
    except OSError as error:
        log.warning("%s could not be set to %s: %s", path, value, error)

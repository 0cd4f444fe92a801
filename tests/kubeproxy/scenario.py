"""Run inside a network namespace: two endpoints in namespaces of their own, forwarded to by the real kernel."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from typing import Any

from kubeproxy import routes
from kubeproxy.nftables import Nftables
from kubeproxy.rules import Endpoint, ServicePort
from kubeproxy.userspace import Userspace

SERVE = """
import socket, sys
s = socket.create_server(("0.0.0.0", 8080))
print("ready", flush=True)
while True:
    c, _ = s.accept(); c.sendall(sys.argv[1].encode()); c.close()
"""


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def endpoint(name: str, number: int) -> subprocess.Popen[bytes]:
    """A process that answers with its name from 10.244.0.<number>."""
    child = subprocess.Popen(
        [
            "unshare",
            "-n",
            sys.executable,
            "-c",
            f"import os,sys;print(os.getpid(),flush=True);sys.stdin.readline();sys.argv=['', {name!r}];exec({SERVE!r})",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert child.stdin and child.stdout
    pid = child.stdout.readline().decode().strip()
    ip("link", "add", f"v{name}", "type", "veth", "peer", "name", "eth0", "netns", pid)
    ip("link", "set", f"v{name}", "up")
    ip("route", "add", f"10.244.0.{number}/32", "dev", f"v{name}", "src", "10.244.0.1")
    inside = ["nsenter", "-t", pid, "-n", "ip"]
    for words in (
        ["link", "set", "eth0", "up"],
        ["addr", "add", f"10.244.0.{number}/32", "dev", "eth0"],
        ["route", "add", "10.244.0.1", "dev", "eth0"],
        ["route", "add", "default", "via", "10.244.0.1"],
    ):
        subprocess.run([*inside, *words], check=True)
    child.stdin.write(b"go\n")
    child.stdin.flush()
    assert child.stdout.readline() == b"ready\n"
    return child


async def ask(address: str, port: int) -> str:
    """Who answers, or the name of the error."""
    try:
        reader, writer = await asyncio.wait_for(asyncio.open_connection(address, port), 60)
        answer = await asyncio.wait_for(reader.read(10), 60)
        writer.close()
    except OSError as error:
        return type(error).__name__
    return answer.decode() or "closed"


async def scenario() -> dict[str, Any]:
    both = (Endpoint("10.244.0.3", 8080), Endpoint("10.244.0.4", 8080))
    plain = ServicePort("w/plain:", "TCP", 80, ("10.96.0.7",), (), 30080, 0, both, both)
    affine = ServicePort("w/affine:", "TCP", 80, ("10.96.0.8",), (), 0, 60, both, both)
    empty = ServicePort("w/empty:", "TCP", 80, ("10.96.0.9",), (), 0, 0, (), ())
    filters = Nftables("kube-proxy-test", "10.244.0.0/16", "10.96.0.0/16")
    node_ports = Userspace("127.0.0.1", cluster_ips=False)
    await filters.sync([plain, affine, empty])
    await node_ports.sync([plain])
    seen: dict[str, Any] = {
        "balanced": sorted({await ask("10.96.0.7", 80) for _ in range(40)}),
        "affine": len({await ask("10.96.0.8", 80) for _ in range(20)}),
        "without endpoints": await ask("10.96.0.9", 80),
        "wrong port": await ask("10.96.0.7", 81),
        "node port": await ask("127.0.0.1", 30080),
    }
    await filters.sync([affine])
    seen["after removal"] = await ask("10.96.0.7", 80)
    await filters.close()
    await node_ports.close()
    listing = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True).stdout
    seen["table after close"] = "kube-proxy-test" in listing
    return seen


def main() -> None:
    ip("link", "set", "lo", "up")
    ip("link", "add", "name", "br0", "type", "bridge")
    ip("addr", "add", "10.244.0.1/32", "dev", "br0")
    ip("link", "set", "br0", "up")
    with open("/proc/sys/net/ipv4/ip_forward", "w") as switch:
        switch.write("1")
    routes.make_local("10.96.0.0/16")
    socket.setdefaulttimeout(5)
    children = [endpoint("a", 3), endpoint("b", 4)]
    try:
        print(json.dumps(asyncio.run(scenario())))
    finally:
        for child in children:
            child.kill()
            child.wait()


if __name__ == "__main__":
    main()

"""The packet-filter backend: one nftables table, changed by one transaction per sync.

What a packet meets: `services` looks its destination up in the map `service-ips` (or `node-ports`), which sends it to
the chain of its service port; that picks an endpoint at random, or by affinity, and goes to the endpoint's chain,
which rewrites the destination. A service without endpoints is rejected by the filter chains.

The state that the kernel holds is kept in memory: only differences are sent, nothing is ever listed.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from collections.abc import Iterable, Sequence

from kubeproxy.rules import Endpoint, ServicePort

MARK = "0x4000"  # packets whose source must become this machine's address, else answers would go another way

# Map elements: map name -> {element: verdict}; chains: name -> rules; sets: name -> definition.
Elements = dict[str, dict[str, str]]

MAPS = {
    "service-ips": "type ipv4_addr . inet_proto . inet_service : verdict",
    "node-ports": "type inet_proto . inet_service : verdict",
    "no-endpoint-ips": "type ipv4_addr . inet_proto . inet_service : verdict",
    "no-endpoint-ports": "type inet_proto . inet_service : verdict",
}


class State:
    """The objects of the table that depend on services."""

    def __init__(self) -> None:
        self.sets: dict[str, str] = {}
        self.chains: dict[str, tuple[str, ...]] = {}
        self.elements: Elements = {name: {} for name in MAPS}


def available() -> str:
    """Empty when nftables can be used here, else what is missing."""
    return "" if shutil.which("nft") else "the command nft (package nftables) is not installed"


def desired(ports: Iterable[ServicePort], pod_cidr: str) -> State:
    """The objects that forward these service ports."""
    state = State()
    for port in ports:
        protocol = port.protocol.lower()
        _address(state, port, port.addresses, port.internal, "int", pod_cidr, protocol)
        _address(state, port, port.external_addresses, port.external, "ext", pod_cidr, protocol)
        if port.node_port:
            element = f"{protocol} . {port.node_port}"
            if port.external:
                chain = _service_chain(state, port, port.external, "ext", pod_cidr)
                state.elements["node-ports"][element] = f"goto {chain}"
            else:
                state.elements["no-endpoint-ports"][element] = "goto reject-packet"
    return state


def _address(
    state: State,
    port: ServicePort,
    addresses: Sequence[str],
    endpoints: Sequence[Endpoint],
    which: str,
    pod_cidr: str,
    protocol: str,
) -> None:
    for address in addresses:
        element = f"{address} . {protocol} . {port.port}"
        if endpoints:
            state.elements["service-ips"][element] = f"goto {_service_chain(state, port, endpoints, which, pod_cidr)}"
        else:
            state.elements["no-endpoint-ips"][element] = "goto reject-packet"


def _service_chain(state: State, port: ServicePort, endpoints: Sequence[Endpoint], which: str, pod_cidr: str) -> str:
    """The chain that picks an endpoint; made on first use."""
    name = f"svc-{which}-{_digest(port.name, port.protocol)}"
    if name in state.chains:
        return name
    targets = [_endpoint_chain(state, port, endpoint) for endpoint in endpoints]
    # Answers to a client outside the pods' range must come back through this machine.
    rules = [f"ip saddr != {pod_cidr} meta mark set meta mark or {MARK}"]
    if port.affinity_seconds:
        rules += [f"ip saddr @aff-{target} goto {target}" for target in targets]
    if len(targets) == 1:
        rules.append(f"goto {targets[0]}")
    else:
        choices = ", ".join(f"{number} : goto {target}" for number, target in enumerate(targets))
        rules.append(f"numgen random mod {len(targets)} vmap {{ {choices} }}")
    state.chains[name] = tuple(rules)
    return name


def _endpoint_chain(state: State, port: ServicePort, endpoint: Endpoint) -> str:
    name = f"ep-{_digest(port.name, port.protocol, endpoint.ip, str(endpoint.port))}"
    # Hairpin: a pod that reaches itself through its service would otherwise answer itself directly.
    rules = [f"ip saddr {endpoint.ip} meta mark set meta mark or {MARK}"]
    if port.affinity_seconds:
        timeout = f"timeout {port.affinity_seconds}s"
        state.sets[f"aff-{name}"] = f"type ipv4_addr; flags dynamic,timeout; {timeout}; size 65535;"
        rules.append(f"update @aff-{name} {{ ip saddr }}")
    rules.append(f"meta l4proto {port.protocol.lower()} dnat to {endpoint.ip}:{endpoint.port}")
    state.chains[name] = tuple(rules)
    return name


def _digest(*parts: str) -> str:
    return hashlib.blake2b("|".join(parts).encode(), digest_size=8).hexdigest()


def base(table: str, service_cidr: str) -> str:
    """The fixed part: an empty table with its hooks, replacing what was there."""
    maps = "\n".join(f"add map ip {table} {name} {{ {kind}; }}" for name, kind in MAPS.items())
    return (
        f"""
add table ip {table}
delete table ip {table}
add table ip {table}
{maps}
add chain ip {table} reject-packet
add rule ip {table} reject-packet meta l4proto tcp reject with tcp reset
add rule ip {table} reject-packet reject
add chain ip {table} services
add rule ip {table} services ip daddr . meta l4proto . th dport vmap @service-ips
add rule ip {table} services ip daddr != 127.0.0.0/8 fib daddr type local meta l4proto . th dport vmap @node-ports
add chain ip {table} prerouting {{ type nat hook prerouting priority dstnat; }}
add rule ip {table} prerouting jump services
add chain ip {table} output {{ type nat hook output priority -100; }}
add rule ip {table} output jump services
add chain ip {table} postrouting {{ type nat hook postrouting priority srcnat; }}
add rule ip {table} postrouting meta mark and {MARK} != 0 meta mark set meta mark xor {MARK} masquerade
add chain ip {table} no-endpoints
add rule ip {table} no-endpoints ip daddr . meta l4proto . th dport vmap @no-endpoint-ips
add rule ip {table} no-endpoints fib daddr type local meta l4proto . th dport vmap @no-endpoint-ports
add rule ip {table} no-endpoints ip daddr {service_cidr} goto reject-packet
"""
        + "".join(
            f"""
add chain ip {table} filter-{hook} {{ type filter hook {hook} priority -110; }}
add rule ip {table} filter-{hook} ct state new jump no-endpoints
"""
            for hook in ("input", "forward")
        )
        + f"""
add chain ip {table} filter-output {{ type filter hook output priority -90; }}
add rule ip {table} filter-output ct state new jump no-endpoints
"""
    )


def transaction(table: str, have: State, want: State) -> str:
    """The commands that turn `have` into `want`; empty when they are the same."""
    lines = [f"add set ip {table} {name} {{ {want.sets[name]} }}" for name in want.sets if name not in have.sets]
    changed = [name for name, rules in want.chains.items() if have.chains.get(name) != rules]
    lines += [f"add chain ip {table} {name}" for name in changed if name not in have.chains]
    for name in changed:
        if name in have.chains:
            lines.append(f"flush chain ip {table} {name}")
        lines += [f"add rule ip {table} {name} {rule}" for rule in want.chains[name]]
    for name in MAPS:
        old, new = have.elements[name], want.elements[name]
        lines += [
            f"delete element ip {table} {name} {{ {element} }}"
            for element, verdict in old.items()
            if new.get(element) != verdict
        ]
        lines += [
            f"add element ip {table} {name} {{ {element} : {verdict} }}"
            for element, verdict in new.items()
            if old.get(element) != verdict
        ]
    gone = [name for name in have.chains if name not in want.chains]
    # Flushed first: a chain cannot be deleted while another one that goes too still points at it.
    lines += [f"flush chain ip {table} {name}" for name in gone]
    lines += [f"delete chain ip {table} {name}" for name in gone]
    lines += [f"delete set ip {table} {name}" for name in have.sets if name not in want.sets]
    return "\n".join(lines)


class Nftables:
    """Keeps one table in step with the service ports given to `sync`."""

    def __init__(self, table: str, pod_cidr: str, service_cidr: str) -> None:
        self.table, self.pod_cidr, self.service_cidr = table, pod_cidr, service_cidr
        self._have: State | None = None

    async def sync(self, ports: Sequence[ServicePort]) -> None:
        """Make the kernel forward exactly these ports.

        Raises RuntimeError with nft's words; nothing was changed then, and the next call starts from an empty table.
        """
        want = desired(ports, self.pod_cidr)
        have, self._have = self._have, None
        text = base(self.table, self.service_cidr) if have is None else ""
        text += transaction(self.table, have or State(), want)
        if text:
            await run_nft(text)
        self._have = want

    def complaints(self) -> Sequence[tuple[ServicePort, str]]:
        """Rules need no port of their own."""
        return ()

    async def close(self) -> None:
        await run_nft(f"add table ip {self.table}\ndelete table ip {self.table}")


async def run_nft(text: str) -> None:
    """Carry out one transaction: all of it or nothing."""
    process = await asyncio.create_subprocess_exec(
        "nft",
        "-f",
        "-",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await process.communicate(text.encode())
    if process.returncode:
        raise RuntimeError(f"nft: {errors.decode(errors='replace').strip()[:500]}")
